"""Where signals come from, and how they become batches of measurements."""

from benchmark_utils.common.fingerprint import data_listing
from benchmark_utils.common.paths import data_folder
from benchmark_utils.data.attenuation import ATTENUATIONS, from_hounsfield, reduced
from benchmark_utils.data.batches import Batch, measure
from benchmark_utils.data.checked import as_image
from benchmark_utils.data.domain import COMPLEX_IMAGES, IMAGES, VECTORS, Domain
from benchmark_utils.data.files import read_image
from benchmark_utils.data.folders import existing_folder, read_folder
from benchmark_utils.data.image_dataset import (
    SMALLEST_SIDE,
    ImageDataset,
    problem_parameters,
)
from benchmark_utils.data.images import (
    ReadsImages,
    center_crop,
    image_files,
    load_images,
)
from benchmark_utils.data.modalities import as_slice, domain_of, seen_by
from benchmark_utils.data.phantoms import MAX_PHANTOMS, random_phantoms
from benchmark_utils.data.phase import with_smooth_phase

__all__ = [
    "ATTENUATIONS",
    "COMPLEX_IMAGES",
    "IMAGES",
    "MAX_PHANTOMS",
    "SMALLEST_SIDE",
    "VECTORS",
    "Batch",
    "Domain",
    "ImageDataset",
    "ReadsImages",
    "as_image",
    "as_slice",
    "center_crop",
    "data_folder",
    "data_listing",
    "domain_of",
    "existing_folder",
    "from_hounsfield",
    "image_files",
    "load_images",
    "measure",
    "problem_parameters",
    "random_phantoms",
    "read_folder",
    "read_image",
    "reduced",
    "seen_by",
    "with_smooth_phase",
]
