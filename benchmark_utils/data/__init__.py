"""Where signals come from, and how they become batches of measurements."""

from benchmark_utils.data.batches import Batch, measure
from benchmark_utils.data.checked import as_image
from benchmark_utils.data.domain import COMPLEX_IMAGES, IMAGES, VECTORS, Domain
from benchmark_utils.data.files import read_image
from benchmark_utils.data.folders import existing_folder, read_folder
from benchmark_utils.data.image_dataset import SMALLEST_SIDE, ImageDataset
from benchmark_utils.data.images import (
    ReadsImages,
    center_crop,
    image_files,
    load_images,
)

__all__ = [
    "COMPLEX_IMAGES",
    "IMAGES",
    "SMALLEST_SIDE",
    "VECTORS",
    "Batch",
    "Domain",
    "ImageDataset",
    "ReadsImages",
    "as_image",
    "center_crop",
    "existing_folder",
    "image_files",
    "load_images",
    "measure",
    "read_folder",
    "read_image",
]
