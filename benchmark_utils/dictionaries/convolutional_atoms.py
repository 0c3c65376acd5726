"""Convolutional atoms to start from, and the part of images that is not for them.

An l1 norm on the mean of an image would bias it: atoms are best used for what is left
of images once their ``low_frequencies`` are known.
"""

import torch

from benchmark_utils.common.errors import NotApplicable
from benchmark_utils.dictionaries.convolutional import ATOM_DIMS
from benchmark_utils.dictionaries.vectors import normalise, randn
from benchmark_utils.physics.smoothing import gaussian_mean


def random_atoms(shape, generator):
    """Gaussian convolutional atoms of norm 1: ``shape`` (..., K, C, h, w)."""
    return normalise(randn(shape, generator), ATOM_DIMS)


def patch_atoms(images, n_atoms, atom_size, generator):
    """Atoms cut out of images, without their mean, of norm 1: (n_atoms, C, h, w).

    Patches are drawn with a probability proportional to their variance.

    Parameters
    ----------
    images : tensor (B, C, H, W)
        Degraded images, their holes filled: ``data_term(physics, y).initial_guess()``.
    atom_size : tuple (h, w), not larger than the images.
    """
    height, width = atom_size
    check_atom_size(images.shape, atom_size)
    patches = images.unfold(2, height, 1).unfold(3, width, 1).movedim(1, 3)
    variance = patches.var((-2, -1), correction=0).sum(-1).flatten()
    n_textured = int((variance > 0).sum())
    if not 0 < n_atoms <= n_textured:
        raise ValueError(
            f"{n_atoms} atoms cannot be cut out of the images: they have {n_textured} "
            "patches that are not flat."
        )
    drawn = torch.multinomial(variance, n_atoms, generator=generator)
    cut = patches[torch.unravel_index(drawn, patches.shape[:3])]
    return normalise(cut - cut.mean((-2, -1), keepdim=True), ATOM_DIMS)


def check_atom_size(image_shape, atom_size, n_patches=0):
    """Raise ``NotApplicable`` for atoms (h, w) larger than images (..., H, W).

    Or where an image has less than ``n_patches`` patches of this size.
    """
    (height, width), (h, w) = image_shape[-2:], atom_size
    if h > height or w > width:
        raise NotApplicable(
            f"Atoms of {h}x{w} pixels do not fit in an image of {height}x{width}."
        )
    if (n_found := (height - h + 1) * (width - w + 1)) < n_patches:
        raise NotApplicable(
            f"{n_patches} atoms of {h}x{w} pixels cannot be cut out of an image of "
            f"{height}x{width}, which has {n_found} patches of this size."
        )


def low_frequencies(images, std):
    """Gaussian mean of each channel (B, C, H, W), of width ``std`` pixels; 0 for 0.

    Pixels further than four widths count for nothing.
    """
    if std == 0:
        return torch.zeros_like(images)
    return gaussian_mean(images, std, radius=int(4 * std + 0.5), border="symmetric")
