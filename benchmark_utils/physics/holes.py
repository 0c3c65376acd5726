"""A first guess of missing pixels."""

import torch
from torch.nn import functional as F

STD, RADIUS = 2.0, 8
# Below the weight of a pixel at the corner of the window, 4e-9.
SMALLEST = 1e-12


def smooth(x):
    """Gaussian mean of each channel (B, C, H, W), one axis after the other."""
    t = torch.arange(-RADIUS, RADIUS + 1.0, device=x.device, dtype=x.dtype)
    profile = torch.exp(-0.5 * (t / STD) ** 2)
    profile = (profile / profile.sum()).view(1, 1, -1, 1)
    single = x.flatten(0, 1)[:, None]
    blurred = F.conv2d(
        F.conv2d(single, profile, padding="same"), profile.mT, padding="same"
    )
    return blurred.view(x.shape)


def fill_holes(y, mask):
    """y (B, C, H, W), its holes filled with a Gaussian mean of the pixels around.

    ``mask`` (B or 1, C or 1, H, W) is 1 where a pixel is known, else 0. A pixel with
    no known one within RADIUS rows and columns becomes 0.
    """
    weight = smooth(mask).clamp(min=SMALLEST)
    return torch.where(mask == 0, smooth(mask * y) / weight, y)
