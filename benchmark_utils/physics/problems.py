"""The forward problems, by name: operator and noise level.

Blurs and the filter of super-resolution wrap around the border (circular
convolution), so that A is the same operator for every solver, with no hidden
extrapolation outside of the image.
"""

import inspect
from numbers import Real
from pathlib import Path

import deepinv as dinv
import numpy as np
import torch

from benchmark_utils.common.parameters import COUNT, LEVEL, SHARE, check_value
from benchmark_utils.common.precision import float32_by_default

LEVIN09 = Path(__file__).parent / "kernels" / "levin09.npz"


def denoising(shape, generator):
    """y = x + eps."""
    return dinv.physics.Denoising()


def gaussian_deblurring(shape, generator, blur_std=2.0):
    """25x25 Gaussian blur of standard deviation ``blur_std`` pixels, 4 at most.

    The square cuts wider ones: at 5, what is left has a deviation of 4.8.
    """
    kernel = dinv.physics.functional.gaussian_blur(
        psf_size=(25, 25), sigma=(blur_std, blur_std)
    )
    return _circular_blur(shape, kernel)


def motion_deblurring(shape, generator, kernel=1):
    """Camera shake: kernel 1 to 8 of Levin et al. (2009)."""
    with np.load(LEVIN09) as kernels:
        if f"kernel_{kernel}" not in kernels:
            raise ValueError(f"kernel must be 1 to {len(kernels)}, not {kernel!r}.")
        values = torch.from_numpy(kernels[f"kernel_{kernel}"])
    return _circular_blur(shape, values[None, None])


def super_resolution(shape, generator, factor=4):
    """Bicubic filter, then one pixel kept out of ``factor`` in each direction."""
    height, width = shape[-2:]
    if height % factor or width % factor:
        raise ValueError(
            f"An image of {height}x{width} pixels cannot be downsampled by {factor}: "
            f"choose a size (img_size) that is a multiple of {factor}."
        )
    physics = dinv.physics.Downsampling(
        img_size=shape, filter="bicubic", factor=factor, padding="circular"
    )
    _check_size(shape, physics.filter)
    return physics


def _circular_blur(shape, kernel):
    _check_size(shape, kernel)
    return dinv.physics.BlurFFT(img_size=shape, filter=kernel)


def _check_size(shape, kernel):
    """A kernel larger than the image would be cut, and would not sum to 1."""
    (height, width), (rows, columns) = shape[-2:], kernel.shape[-2:]
    if height < rows or width < columns:
        raise ValueError(
            f"An image of {height}x{width} pixels is smaller than the kernel "
            f"({rows}x{columns}): choose a larger img_size."
        )


def inpainting(shape, generator, missing=0.5, n_images=1):
    """Each pixel is missing with probability ``missing``; one mask per image."""
    draws = torch.rand((n_images, 1, *shape[-2:]), generator=generator)
    return dinv.physics.Inpainting(img_size=shape, mask=(draws >= missing).float())


# name: (operator, default noise level)
PROBLEMS = {
    "denoising": (denoising, 0.1),
    "gaussian_deblurring": (gaussian_deblurring, 0.01),
    "motion_deblurring": (motion_deblurring, 0.01),
    "sr4": (super_resolution, 0.01),
    "inpainting": (inpainting, 0.01),
}

# The strengths that a dataset offers as parameters; None is the problem's default.
STRENGTHS = ("blur_std", "kernel", "factor", "missing")

# What a strength must be. The kernels are checked against their file.
VALID = {
    "blur_std": (
        lambda v: isinstance(v, Real) and 0 < v <= 4,
        "a number above 0, 4 at most",
    ),
    "factor": COUNT,
    "missing": SHARE,
    "noise_level": LEVEL,
}


def default_strength(problem, strength):
    """What None stands for; None if the problem is unknown or lacks this strength."""
    if problem not in PROBLEMS:
        return None
    operator, noise_level = PROBLEMS[problem]
    if strength == "noise_level":
        return noise_level
    known = inspect.signature(operator).parameters
    return known[strength].default if strength in known else None


def check_strengths(**strengths):
    """Raise ``ValueError`` for a value without meaning; None is always allowed."""
    for name, value in strengths.items():
        if name in VALID and value is not None:
            check_value(name, value, VALID[name])


def size_multiple(problem, factor=None):
    """The sides of the images of a problem are multiples of this."""
    if PROBLEMS.get(problem, (None,))[0] is not super_resolution:
        return 1
    return default_strength(problem, "factor") if factor is None else factor


@float32_by_default()
def make_physics(problem, shape, generator, n_images=1, noise_level=None, **strengths):
    """The physics of a problem, for images of one shape.

    Parameters
    ----------
    problem : str
        A key of ``PROBLEMS``.
    shape : tuple (C, H, W)
    generator : torch.Generator
        Draws what is random in the operator, then the noise.
    n_images : int
        Images in the batch (each has a mask of its own in inpainting).
    noise_level : float or None
        Standard deviation of the Gaussian noise; None for the problem's default.
    **strengths
        ``blur_std``, ``kernel``, ``factor`` or ``missing``; None is left out.

    Raises
    ------
    ValueError
        Unknown problem, or a strength that this problem does not have.
    """
    if problem not in PROBLEMS:
        raise ValueError(
            f"Unknown problem {problem!r}. The problems are: {', '.join(PROBLEMS)}."
        )
    operator, default_noise_level = PROBLEMS[problem]
    known = inspect.signature(operator).parameters
    check_strengths(noise_level=noise_level, **strengths)
    strengths = {name: v for name, v in strengths.items() if v is not None}
    if unknown := set(strengths) - set(known):
        raise ValueError(f"The problem {problem} has no {', '.join(sorted(unknown))}.")
    if "n_images" in known:
        strengths["n_images"] = n_images
    physics = operator(shape, generator, **strengths)
    sigma = default_noise_level if noise_level is None else noise_level
    physics.noise_model = dinv.physics.GaussianNoise(sigma=sigma, rng=generator)
    return physics
