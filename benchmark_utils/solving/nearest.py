"""The problem of the benchmark that is nearest to an operator of somebody else's."""

import math

import deepinv as dinv
import numpy as np
import torch
from torch.nn import functional as F

from benchmark_utils.physics.all_problems import ALL_PROBLEMS
from benchmark_utils.physics.ct import CT_PROBLEMS
from benchmark_utils.physics.problems import default_strength
from benchmark_utils.physics.tomography import Tomography
from benchmark_utils.solving.tuned import parse_key

# Cosine of a kernel and the Gaussian one of its width: below, it is a motion blur.
LIKE_A_GAUSSIAN = 0.9


def nearest_problem(batch):
    """The problem of the benchmark, with its strengths, whose tuned values to borrow.

    "none" where no problem has such an operator.
    """
    physics, model = batch.physics, batch.physics.noise_model
    strengths = {
        "noise_level": float(getattr(model, "sigma", torch.tensor(0.01)).max())
    }
    if isinstance(physics, dinv.physics.Blur | dinv.physics.BlurFFT):
        name, width = _nearest_blur(physics.filter)
        if name == "gaussian_deblurring":
            strengths["blur_std"] = width
    elif isinstance(physics, dinv.physics.Downsampling):
        name, strengths["factor"] = "sr4", physics.factor
    elif isinstance(physics, dinv.physics.Inpainting):
        name = "inpainting"
        strengths["missing"] = float((physics.mask == 0).float().mean())
    elif isinstance(physics, dinv.physics.Denoising):
        name = "denoising"
    elif isinstance(physics, dinv.physics.MultiCoilMRI | dinv.physics.MRI):
        is_multicoil = isinstance(physics, dinv.physics.MultiCoilMRI)
        name = "multicoil_mri" if is_multicoil else "mri"
        strengths["acceleration"] = 1 / float((physics.mask != 0).float().mean())
        if is_multicoil:
            strengths["n_coils"] = physics.coil_maps.shape[1]
    elif isinstance(physics, Tomography):
        name = _nearest_scan(physics.geometry)
        strengths |= {
            "noise_level": strengths["noise_level"] / physics.sinogram_range,
            "n_angles": physics.geometry.n_angles,
            "angular_range": physics.geometry.angular_range,
        }
    else:
        return "none"
    return f"{name}[{','.join(f'{k}={v:g}' for k, v in strengths.items())}]"


def defaults_of(problem):
    """The strengths that the name of a problem stands for where it gives none."""
    name, options = parse_key(problem)
    strengths = (option.partition("=")[0] for option in options)
    return {
        strength: default_strength(name, strength, ALL_PROBLEMS)
        for strength in strengths
    }


def _nearest_scan(geometry):
    """The name of the problem of tomography with the nearest number and range."""

    def apart(problem):
        pairs = [(geometry.n_angles, problem.n_angles)]
        pairs.append((geometry.angular_range, problem.angular_range))
        return sum(abs(math.log(ours / theirs)) for ours, theirs in pairs)

    is_fan = geometry.source is not None
    alike = {n: p for n, p in CT_PROBLEMS.items() if (p.source is not None) == is_fan}
    return min(alike, key=lambda name: apart(alike[name]))


def _nearest_blur(kernel):
    """The name of the blur that a kernel is like, and its width (pixels)."""
    kernel = kernel.flatten(0, 1).mean(0).double()
    kernel = kernel / kernel.sum()
    offsets = [torch.arange(n, dtype=torch.float64) for n in kernel.shape]
    profiles = [kernel.sum(1), kernel.sum(0)]
    means = [float((p * t).sum()) for p, t in zip(profiles, offsets)]
    variances = [
        float((p * (t - m) ** 2).sum()) for p, t, m in zip(profiles, offsets, means)
    ]
    variance = max(float(np.mean(variances)), 1e-6)
    rows, columns = (
        torch.exp(-((t - m) ** 2) / (2 * variance)) for t, m in zip(offsets, means)
    )
    cosine = F.cosine_similarity(
        torch.outer(rows, columns).flatten(), kernel.flatten(), 0
    )
    is_gaussian = float(cosine) > LIKE_A_GAUSSIAN
    return (
        "gaussian_deblurring" if is_gaussian else "motion_deblurring"
    ), variance**0.5
