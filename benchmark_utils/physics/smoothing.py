"""Gaussian means of images."""

import torch
from torch.nn import functional as F


def gaussian_profile(std, radius):
    """Gaussian weights at -radius ... radius, of sum 1: (2 radius + 1,).

    ``std`` is a tensor: one of shape (..., 1) gives (..., 2 radius + 1).
    """
    t = torch.arange(-radius, radius + 1.0, device=std.device, dtype=std.dtype)
    weights = torch.exp(-0.5 * (t / std) ** 2)
    return weights / weights.sum(-1, keepdim=True)


def gaussian_mean(x, std, radius, border):
    """The Gaussian mean around each pixel of each channel (B, C, H, W), separable.

    Parameters
    ----------
    std : float, above 0, in pixels.
    radius : int
        Pixels that are further away, in rows or columns, count for nothing.
    border : "zero" or "symmetric"
        What is beyond the image: zeros, or its mirror image, which repeats the pixels
        of the border (scipy's "reflect") and may be mirrored in turn.
    """
    profile = gaussian_profile(x.new_full((), std), radius)
    mean = x.flatten(0, 1)[:, None]
    for dim, kernel in ((-2, profile[:, None]), (-1, profile[None])):
        if border == "symmetric":
            mean = mean.index_select(dim, mirrored(x.shape[dim], radius, x.device))
        padding = "same" if border == "zero" else "valid"
        mean = F.conv2d(mean, kernel[None, None], padding=padding)
    return mean.view(x.shape)


def mirrored(n, radius, device):
    """Where to read -radius ... n + radius - 1 in n pixels that are mirrored."""
    position = torch.arange(-radius, n + radius, device=device) % (2 * n)
    return position.minimum(2 * n - 1 - position)
