"""Filtered back-projection: the inverse of the X-ray transform, were it all known."""

import math

import numpy as np
import torch

# The gain of a filter over that of the ramp, by the frequency in cycles per bin.
WINDOWS = {
    "ramp": torch.ones_like,
    "hann": lambda frequency: 0.5 * (1 + torch.cos(2 * math.pi * frequency)),
}


def filtered_back_projection(physics, y, window="ramp"):
    """The image of a sinogram (Kak and Slaney, 1988, chapter 3).

    Rays that were not measured count as 0; those that are measured twice, over more
    than 180 degrees, as a half each.

    Parameters
    ----------
    physics : Tomography
        Of a parallel beam, or a fan beam with a flat detector.
    y : tensor (B, C, n_bins, n_angles)
    window : "ramp" or "hann"

    Returns
    -------
    tensor (B, C, height, width)
    """
    return inverse_radon(physics.geometry, y * physics.norm, window)


def inverse_radon(geometry, integrals, window="ramp"):
    """The image of line integrals, in pixels: (B, C, n_bins, n_angles), as above."""
    cosines = torch.from_numpy(geometry.cosines).to(integrals)
    filtered = ramp_filtered(integrals * cosines[:, None], window)
    x = 0
    for k, angle in enumerate(geometry.angles):
        bins, magnification = geometry.on_detector(angle)
        left = np.floor(bins).clip(0, geometry.n_bins - 2)
        # For rays that missed the detector, the last one that did not stands.
        weight = torch.from_numpy((bins - left).clip(-0.5, 1.5)).to(integrals)
        index = torch.from_numpy(left.astype(np.int64)).to(integrals.device)
        seen = filtered[..., k]
        value = torch.lerp(seen[..., index], seen[..., index + 1], weight)
        x = x + torch.as_tensor(magnification**2).to(integrals) * value
    degrees = geometry.angular_range / geometry.n_angles
    return x * math.radians(degrees) * min(1.0, 180 / geometry.angular_range)


def ramp_filtered(y, window):
    """Each column of y (..., n_bins, n_angles), filtered by a ramp and a window.

    The ramp is that of the band-limited kernel: its mean is right, which a sampled
    ramp's is not.
    """
    n = 2 ** math.ceil(math.log2(2 * y.shape[-2]))
    offsets = torch.fft.fftfreq(n, 1 / n, device=y.device, dtype=y.dtype).abs()
    kernel = torch.where(
        offsets % 2 == 1, -1 / (math.pi * offsets.clamp(min=1)) ** 2, 0.0
    )
    kernel[0] = 0.25
    frequency = torch.fft.rfftfreq(n, device=y.device, dtype=y.dtype)
    gain = torch.fft.rfft(kernel).real * WINDOWS[window](frequency)
    spectrum = torch.fft.rfft(y, n, dim=-2) * gain[:, None]
    return torch.fft.irfft(spectrum, n, dim=-2)[..., : y.shape[-2], :]
