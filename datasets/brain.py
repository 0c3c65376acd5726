from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from benchmark_utils.common import COUNT, whole
from benchmark_utils.data import (
    COMPLEX_IMAGES,
    ImageDataset,
    problem_parameters,
    with_smooth_phase,
)
from benchmark_utils.physics import MRI_PROBLEMS

DATA = Path(__file__).parents[1] / "benchmark_utils" / "data"

# Two slices that nobody sees lie between, for neighbours are alike.
SLICES = {"train": range(1, 11), "test": range(13, 21)}


class Dataset(ImageDataset):
    """Axial slices of one head, proton density: the complex images of MRI.

    20 slices of 256x256 pixels, from the teeth (1) to the vertex (20), that ship with
    this repository (benchmark_utils/data/medical/README.md). Magnitudes are divided by
    the largest value of the volume; the phase is simulated, a smooth one for each
    slice, which never changes. ``img_size``: means of n x n pixels, n the whole number
    of times that it goes into 256 (2 for 128), then the central crop.
    """

    name = "brain"
    problems = MRI_PROBLEMS
    domain = COMPLEX_IMAGES
    parameters = {
        **problem_parameters(MRI_PROBLEMS),
        "img_size": [256],
        "n_images": COUNT.or_none()(None),
        "n_train": whole(0).or_none()(None),
    }
    test_parameters = {"problem": list(MRI_PROBLEMS), "img_size": [64]}

    def load(self, split):
        with np.load(DATA / "medical" / "brain.npz") as file:
            volume = torch.from_numpy(file["slices"].astype(np.float32))
        n_pixels = volume.shape[-1] // (self.img_size or volume.shape[-1])
        volume = F.avg_pool2d(volume / volume.max(), max(n_pixels, 1))
        n_slices = self.n_train if split == "train" else self.n_images
        return {
            f"axial {number}": with_smooth_phase(volume[number - 1], seed=number)
            for number in SLICES[split][:n_slices]
        }
