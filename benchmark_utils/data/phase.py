"""The phase of simulated MRI: a magnitude becomes a complex image."""

import math

import torch

# Cosines along a side, from the constant one on.
N_COSINES = 4


def with_smooth_phase(magnitude, seed):
    """A complex image with this magnitude (H, W) and a smooth random phase, complex64.

    The phase, in radians, is a sum of products of cosines of up to one and a half
    periods per side, of normal weights that decrease with the frequency, and a constant
    that is uniform. It is the same at any resolution.
    """
    generator = torch.Generator().manual_seed(seed)
    order = torch.arange(N_COSINES, dtype=torch.float32)
    draws = torch.randn(
        (N_COSINES, N_COSINES), generator=generator, dtype=torch.float32
    )
    weights = draws / (1 + order[:, None] + order)
    constant = torch.rand(1, generator=generator, dtype=torch.float32)
    rows, columns = (
        torch.cos(math.pi * (torch.arange(n) + 0.5)[:, None] / n * order)
        for n in magnitude.shape
    )
    phase = rows @ weights @ columns.T + 2 * math.pi * constant
    return torch.polar(magnitude, phase)
