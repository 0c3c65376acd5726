"""Gaussian means of images."""

from functools import lru_cache

import torch


def gaussian_profile(std, radius):
    """Gaussian weights at -radius ... radius, of sum 1: (..., 2 radius + 1).

    ``std`` is a tensor of shape () or (..., 1).
    """
    t = torch.arange(-radius, radius + 1.0, device=std.device, dtype=std.dtype)
    weights = torch.exp(-0.5 * (t / std) ** 2)
    return weights / weights.sum(-1, keepdim=True)


def gaussian_mean(x, std, radius, border):
    """The Gaussian mean around each pixel of each channel (B, C, H, W).

    Parameters
    ----------
    std : float, above 0, in pixels.
    radius : int
        Pixels that are further away, in rows or columns, count for nothing.
    border : "zero" or "symmetric"
        What is beyond the image: zeros, or its mirror image, which repeats the pixels
        of the border (scipy's "reflect") and is mirrored in turn if it is too small.
    """
    rows, columns = (
        gaussian_matrix(n, std, radius, border, x.dtype, x.device) for n in x.shape[-2:]
    )
    return rows @ x @ columns.T


@lru_cache(maxsize=16)
@torch.inference_mode(False)  # so that it also serves where gradients are taken
def gaussian_matrix(n, std, radius, border, dtype, device):
    """The Gaussian mean along one side: row i has the weights around i, (n, n).

    On a CPU, products with matrices of up to a thousand rows are two to five times
    faster than convolutions; on a GPU, cuDNN's convolutions round to ten bits.
    """
    profile = gaussian_profile(torch.tensor(std, dtype=torch.float64), radius)
    position = torch.arange(n)[:, None] + torch.arange(-radius, radius + 1)
    if border == "symmetric":
        position = position % (2 * n)
        position = position.minimum(2 * n - 1 - position)
    inside = (position >= 0) & (position < n)
    matrix = torch.zeros(n, n, dtype=torch.float64)
    matrix.scatter_add_(1, position.clamp(0, n - 1), profile * inside)
    return matrix.to(device, dtype)
