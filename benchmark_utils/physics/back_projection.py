"""Filtered back-projection: the inverse of the X-ray transform, were it all known."""

import math

import numpy as np
import torch

# Over so many degrees, the rays at the ends of the range come to count fully.
TRANSITION = 10.0

# The gain of a filter over that of the ramp, by the frequency in cycles per bin.
WINDOWS = {
    "ramp": torch.ones_like,
    "hann": lambda frequency: 0.5 * (1 + torch.cos(2 * math.pi * frequency)),
}


def filtered_back_projection(physics, y, window="ramp"):
    """The image of a sinogram (Kak and Slaney, 1988, chapter 3).

    Rays that were not measured count as 0; those that are measured both ways share
    their weight.

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
    weights = geometry.cosines[:, None] * shares(geometry)
    filtered = ramp_filtered(
        integrals * torch.from_numpy(weights).to(integrals), window
    )
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
    return x * math.radians(degrees)


def shares(geometry):
    """The shares of the rays in their lines, which may be measured both ways.

    Noo et al. (2002), "Image reconstruction from fan-beam projections on less than a
    short scan": c / (c + c'), c being 0 at the ends of the range and smooth; the mean
    of it up to the next angle.

    Returns
    -------
    array (n_bins, n_angles) in [0, 1]; those of both ways sum to 1.
    """
    degrees, n_angles = geometry.angular_range, geometry.n_angles
    if degrees == 360:
        return np.full((geometry.n_bins, n_angles), 0.5)
    n_parts = math.ceil(degrees / n_angles)
    angles = (np.arange(n_angles * n_parts) + 0.5) * degrees / (n_angles * n_parts)
    turns = 180 - 2 * np.degrees(np.arctan(geometry.tangents))
    one_way, other_way = (
        np.sin(np.pi / 2 * (np.minimum(a, degrees - a) / TRANSITION).clip(0, 1)) ** 2
        for a in (angles, (angles + turns[:, None]) % 360)
    )
    of_parts = one_way / (one_way + other_way)
    return of_parts.reshape(-1, n_angles, n_parts).mean(2)


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
