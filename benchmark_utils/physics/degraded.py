"""What a degradation is, what it returns, and how it draws."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar

import torch


@dataclass(frozen=True)
class Degraded:
    """What a degradation makes of images x (B, C, H, W) with values in [0, 1].

    Attributes
    ----------
    y : tensor (B, C, H / factor, W / factor)
        The degraded images.
    sigma : tensor (B,)
        Standard deviation of the noise in each.
    mask : tensor (B, 1, H, W) or None
        1 where a pixel was kept, 0 in the holes (where y is 0).
    factor : int
        Downscaling factor.
    operator : callable or None
        The linear map that took x to y, but for the noise; None if there is none.
    adjoint : callable or None
        Its adjoint where it is a blur or the acquisition itself, for the networks that
        start from A^T y.
    """

    y: torch.Tensor
    sigma: torch.Tensor
    mask: torch.Tensor | None = None
    factor: int = 1
    operator: Callable | None = None
    adjoint: Callable | None = None


@dataclass(frozen=True)
class Degradation:
    """The base class: a callable (x, generator) -> Degraded.

    ``mild_end`` says which end of a range degrades least: {attribute: 0 or 1}, and
    ``smallest_side`` how many pixels an image has in each direction, at least.
    """

    mild_end: ClassVar[dict] = {}
    smallest_side = 1

    def weakened(self, strength):
        """The same with the mildest share ``strength`` (0 to 1) of each range."""
        ranges = {}
        for name, mild in self.mild_end.items():
            ends = list(getattr(self, name))
            ends[1 - mild] = ends[mild] + strength * (ends[1 - mild] - ends[mild])
            ranges[name] = tuple(ends)
        return replace(self, **ranges)


def uniform(interval, n, generator):
    """``n`` draws, uniform in ``interval``, on the generator's device: (n,)."""
    low, high = interval
    return low + (high - low) * torch.rand(
        n, generator=generator, device=generator.device
    )


def add_noise(x, interval, generator):
    """x + sigma n, with sigma uniform in ``interval``, one per image."""
    sigma = uniform(interval, len(x), generator)
    noise = torch.randn(x.shape, generator=generator, device=x.device)
    return x + sigma.view(-1, 1, 1, 1) * noise, sigma


def adjoint(operator, x, y):
    """A^T y for any linear ``operator`` A, exactly, by automatic differentiation.

    ``x`` is any input of A, for its shape. Not in inference mode.
    """
    with torch.enable_grad():
        _, pullback = torch.func.vjp(operator, x)
        return pullback(y)[0]
