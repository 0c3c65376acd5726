"""A first guess of missing pixels."""

import torch

from benchmark_utils.physics.smoothing import gaussian_mean

STD, RADIUS = 2.0, 8
# Below the weight of a pixel at the corner of the window, 4e-9.
SMALLEST = 1e-12


def smooth(x):
    return gaussian_mean(x, STD, RADIUS, border="zero")


def fill_holes(y, mask):
    """y (B, C, H, W), its holes filled with a Gaussian mean of the pixels around.

    ``mask`` (B or 1, C or 1, H, W) is 1 where a pixel is known, else 0. A pixel with
    no known one within RADIUS rows and columns becomes 0.
    """
    weight = smooth(mask).clamp(min=SMALLEST)
    return torch.where(mask == 0, smooth(mask * y) / weight, y)
