"""What FiRe's solvers share: the noise of D over the iterations, and the residuals."""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import torch

from benchmark_utils.physics.degradations import Identity, Measurement


def running_mean(n_iter, n_averaged):
    """The share of each new point in what is shown: 1, then 1, 1/2, 1/3... at last.

    The ``n_averaged`` last of ``n_iter`` points are averaged.
    """
    return (n_iter - n_averaged) * [1.0] + [1 / k for k in range(1, n_averaged + 1)]


def decreasing(start, end, n_iter, n_averaged):
    """Of each iteration: (noise of D, noise of the next D, share of the new point).

    The noise goes from ``start`` to ``end`` on a logarithmic scale, and stays there for
    the ``n_averaged`` last iterations, which are averaged.
    """
    levels = np.geomspace(start, end, n_iter - n_averaged).tolist()
    # One level more for the last data term.
    levels += (n_averaged + 1) * [end]
    shares = running_mean(n_iter, n_averaged)
    return [(*pair, share) for pair, share in zip(pairwise(levels), shares)]


@dataclass(frozen=True)
class Residuals:
    """sum_n gamma_n (x - R_n(D_n(x))), each D_n drawn anew, all at the same x.

    Attributes
    ----------
    models : list of RestorationModel
    gammas : list of float
    degradation : str
        "own", the one of each network; "measurement", D = A; "none", D = identity.
    sigma_factor : float
        R is told this many times the noise that D adds.
    shifts : bool
        Whether R(D(.)) is computed on x shifted by up to 10% of its sides.
    generator : torch.Generator
    """

    models: list
    gammas: list
    degradation: str
    sigma_factor: float
    shifts: bool
    generator: torch.Generator

    def __call__(self, x, noise, physics):
        """The residuals at x (B, C, H, W), for noise of level ``noise`` in D."""
        shift = draw_shift(x, self.generator) if self.shifts else (0, 0)
        total = torch.zeros_like(x)
        for gamma, model in zip(self.gammas, self.models, strict=True):
            if gamma != 0:
                D = self._degradation_of(model, noise, physics)
                total = total + gamma * (x - self._restored(model, D, x, shift))
        return total

    def _restored(self, model, D, x, shift):
        """R(D(x)), both on the shifted image."""
        degraded = D(x.roll(shift, (-2, -1)), self.generator)
        told = replace(degraded, sigma=self.sigma_factor * degraded.sigma)
        back = tuple(-s for s in shift)
        return model.restore(told, x.shape[-2:]).roll(back, (-2, -1))

    def _degradation_of(self, model, noise, physics):
        if self.degradation == "measurement":
            return Measurement(physics)
        if self.degradation == "none":
            return Identity(noise)
        return replace(model.degradation, noise=(noise, noise))


def draw_shift(x, generator):
    """Rows and columns, each uniform in +-10% of the sides of x."""

    def draw(furthest):
        options = {"generator": generator, "device": generator.device}
        return int(torch.randint(-furthest, furthest + 1, (), **options))

    return tuple(draw(side // 10) for side in x.shape[-2:])
