"""Measurements of the user, of which there is no truth, and their operator."""

import copy

import deepinv as dinv
import numpy as np
import torch

from benchmark_utils.common.errors import NotApplicable
from benchmark_utils.data.batches import Batch
from benchmark_utils.data.domain import COMPLEX_IMAGES, IMAGES, VECTORS
from benchmark_utils.physics.own_operator import (
    checked,
    checked_noise,
    in_single_precision,
)

# The side (pixels) of the smallest image whose noise is estimated.
SMALLEST_ESTIMATED = 48

# What deepinv gives to an operator that is made without noise.
NO_MODEL = dinv.physics.NoiseModel

# Measurements this many times those of images in [0, 1] are of another range: noise is
# well below, and 0..255 well above.
OUT_OF_RANGE = 20


# k-space, whose values are complex and which deepinv has as real and imaginary parts.
K_SPACE = dinv.physics.MRI | dinv.physics.MultiCoilMRI


def as_measurements(y, physics):
    """y as a tensor of finite floats, where it is.

    Complex k-space (B, H, W), or (B, coils, H, W), becomes (B, 2, ...).
    """
    if isinstance(y, np.ndarray):
        # torch takes neither flipped arrays nor those of another order of bytes.
        y = np.ascontiguousarray(y, dtype=y.dtype.newbyteorder("="))
    if not isinstance(y, np.ndarray | torch.Tensor):
        raise NotApplicable(
            f"y is a {type(y).__name__}: it must be a tensor or a numpy array (B, ...)."
        )
    if isinstance(y, np.ndarray) and y.dtype.kind not in "buifc":
        raise NotApplicable(f"y is an array of {y.dtype}: it must have numbers.")
    measured = torch.as_tensor(y).detach()
    if measured.is_complex() and isinstance(physics, K_SPACE):
        measured = torch.view_as_real(measured).movedim(-1, 1).contiguous()
    if measured.is_complex():
        raise NotApplicable(
            "y is complex: give its real and imaginary parts, as physics.A does."
        )
    if not measured.is_floating_point():
        raise NotApplicable(
            f"y has whole numbers ({measured.dtype}): give floats, of images with "
            "values in about [0, 1]."
        )
    if not measured.numel():
        raise NotApplicable(f"y is empty: its shape is {tuple(measured.shape)}.")
    if not bool(measured.isfinite().all()):
        raise NotApplicable("y has values that are NaN or infinite.")
    return measured


def batch_of(y, physics, noise_level=None):
    """A Batch of y and of a copy of its physics, both checked; where the noise is from.

    ``noise_level`` is that of Gaussian noise, in place of the noise of ``physics``.
    """
    if not isinstance(physics, dinv.physics.LinearPhysics):
        raise NotApplicable(
            f"physics is a {type(physics).__name__}: it must be a "
            "deepinv.physics.LinearPhysics."
        )
    physics = in_single_precision(copy.deepcopy(physics).to("cpu"))
    if y.ndim == 3:
        raise NotApplicable(
            f"y has the shape {tuple(y.shape)}: it must be a batch (B, C, H, W), as "
            "y[None] is."
        )
    if isinstance(physics, K_SPACE):
        _check_k_space(y, physics)
    try:
        x = physics.A_adjoint(y)
    except (RuntimeError, ValueError, IndexError) as error:
        raise NotApplicable(
            f"physics.A_adjoint does not take y, of shape {tuple(y.shape)} in 32 bits: "
            f"{type(error).__name__}: {error}"
        ) from error
    kinds = {1: IMAGES, 2: COMPLEX_IMAGES, 3: IMAGES}
    domain = VECTORS if x.ndim == 2 else kinds.get(x.shape[1]) if x.ndim == 4 else None
    if domain is None:
        raise NotApplicable(
            f"A_adjoint of y, of shape {tuple(y.shape)}, has the shape "
            f"{tuple(x.shape)}: it must be a batch of images (B, C, H, W) of 1 or 3 "
            "channels, of 2 for complex ones, or of vectors (B, n)."
        )
    expected = tuple(physics.A(x).shape)
    if expected != tuple(y.shape):
        raise NotApplicable(
            f"y has the shape {tuple(y.shape)}, and physics.A gives {expected} of "
            f"images of shape {tuple(x.shape)}: give the physics that measured y."
        )
    physics.noise_model, said = _noise_of(y, physics, noise_level)
    checked_noise(physics, "physics")
    checked(physics, x.shape[1:], "physics", len(x))
    if domain.is_image:
        _check_range(y, physics, x.shape)
    names = tuple(f"image {i}" for i in range(len(y)))
    return Batch(y=y, physics=physics, names=names, domain=domain), said


def _check_k_space(y, physics):
    """Raise ``NotApplicable`` where y, the mask and the maps are not of one size."""
    is_multicoil = isinstance(physics, dinv.physics.MultiCoilMRI)
    sizes = {"the mask": physics.mask.shape[-2:]}
    if is_multicoil:
        sizes["the coil maps"] = physics.coil_maps.shape[-2:]
        if y.ndim == 5 and y.shape[2] != physics.coil_maps.shape[1]:
            raise NotApplicable(
                f"y has {y.shape[2]} coils, and physics has maps of "
                f"{physics.coil_maps.shape[1]}."
            )
    for what, size in sizes.items():
        if tuple(size) != tuple(y.shape[-2:]):
            raise NotApplicable(
                f"y has {y.shape[-2]}x{y.shape[-1]} values of k-space, and {what} of "
                f"physics {size[0]}x{size[1]}."
            )


@torch.no_grad()
def _check_range(y, physics, shape):
    """Raise ``NotApplicable`` for measurements of images in 0..255."""
    generator = torch.Generator().manual_seed(0)
    some = torch.ones(shape), torch.rand(shape, generator=generator)
    of_unit_images = max(physics.A(x).abs().max() for x in some)
    largest = y.abs().max()
    if largest > OUT_OF_RANGE * of_unit_images:
        raise NotApplicable(
            f"y has values up to {largest:.3g}, and physics.A makes "
            f"{of_unit_images:.3g} of images in [0, 1]: solvers are for those. Divide "
            "y by the range of x, as 255."
        )


def _noise_of(y, physics, noise_level):
    """The noise model for solvers to see, and where it is from, in words."""
    model = physics.noise_model
    if noise_level is not None:
        noise_level = float(noise_level)
        said = f"noise level {noise_level:.4g}, given"
    elif isinstance(model, dinv.physics.GaussianNoise):
        if model.sigma.min() < model.sigma.max():
            raise NotApplicable(
                "The noise model of physics has several levels: restore y in parts "
                "that have one."
            )
        return model, f"noise level {float(model.sigma.max()):.4g}, of physics"
    elif isinstance(model, dinv.physics.ZeroNoise) or type(model) is NO_MODEL:
        noise_level = _estimated_noise(y, physics)
        said = f"noise level {noise_level:.4g}, estimated"
    else:
        # That of a kind without data term is refused where the operator is checked.
        return model, f"{type(model).__name__} of physics"
    return dinv.physics.GaussianNoise(sigma=noise_level), said


def _estimated_noise(y, physics):
    """The level of the noise of a batch of images (B, C, H, W)."""
    is_k_space = isinstance(physics, K_SPACE)
    has_holes = isinstance(physics, dinv.physics.Inpainting) and not physics.mask.all()
    if is_k_space or has_holes:
        what = "k-space" if is_k_space else "images with missing pixels"
        raise NotApplicable(
            f"The noise of {what} cannot be estimated: give noise_level, or a noise "
            "model to physics."
        )
    if y.ndim != 4 or min(y.shape[-2:]) < SMALLEST_ESTIMATED:
        raise NotApplicable(
            "The noise of measurements that are no image, or a small one, cannot be "
            "estimated: give noise_level, or a noise model to physics."
        )
    # With the patches of every third pixel alone, small images have too few.
    stride = 1 if min(y.shape[-2:]) < 256 else 3
    estimator = dinv.models.PatchCovarianceNoiseEstimator
    return float(estimator.estimate_noise(y, stride=stride).square().mean().sqrt())
