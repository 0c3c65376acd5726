"""Soft thresholding in an orthonormal wavelet basis, on the CPU, by PyWavelets."""

import pywt
import torch
from torch.nn import functional as F

AXES = (-2, -1)


def pad_to_multiple(x, multiple):
    """x (..., H, W) extended by replication, down and right, to multiples."""
    height, width = x.shape[-2:]
    return F.pad(x, (0, -width % multiple, 0, -height % multiple), mode="replicate")


def soft_threshold(x, threshold, wavelet, levels):
    """The prox of threshold ||W x||_1 but for the coarse approximation, W orthonormal.

    Parameters
    ----------
    x : tensor (B, C, H, W), H and W multiples of 2**levels.
    threshold : float, 0 or more.
    wavelet : str
        An orthogonal wavelet of PyWavelets: db8, sym4, haar...
    """
    if threshold == 0:
        return x  # PyWavelets divides 0 by 0 there.
    options = {"wavelet": wavelet, "mode": "periodization", "axes": AXES}
    coarse, *details = pywt.wavedec2(x.cpu().numpy(), level=levels, **options)
    details = [
        tuple(pywt.threshold(band, threshold, mode="soft") for band in level)
        for level in details
    ]
    return torch.from_numpy(pywt.waverec2([coarse, *details], **options)).to(x)
