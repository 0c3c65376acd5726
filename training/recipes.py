"""What each compact network is trained on: the table that training/train.py reads."""

from collections.abc import Callable
from dataclasses import dataclass

import torch


def gaussian_noise(x, generator, sigma_max=0.2):
    """x + sigma n with sigma uniform in [0, sigma_max], one level per image."""
    sigma = sigma_max * torch.rand(len(x), generator=generator)
    noise = torch.randn(x.shape, generator=generator)
    return x + sigma.view(-1, 1, 1, 1) * noise, sigma


@dataclass(frozen=True)
class Recipe:
    """One training run.

    ``degrade(x, generator)`` returns the network's two inputs: the degraded images
    and the noise level of each. ``crops`` are the crop sizes before and during the
    decay of the learning rate, which fills the last ``decay_share`` of the steps.
    """

    degrade: Callable
    steps: int
    widths: tuple = (48, 96, 128)
    crops: tuple = (64, 96)
    pixels_per_batch: int = 16 * 64**2
    muon_lr: float = 2e-3
    adam_lr: float = 1e-3
    decay_share: float = 0.5
    seed: int = 0


RECIPES = {
    "denoiser": Recipe(degrade=gaussian_noise, steps=16_000),
}
