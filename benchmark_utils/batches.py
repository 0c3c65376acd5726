"""Batch: what a dataset hands to the objective and to the solvers."""

import copy
from dataclasses import dataclass, replace

import deepinv as dinv
import torch


@dataclass(frozen=True)
class Batch:
    """Signals of one shape, seen through one operator: y = A x + eps.

    Attributes
    ----------
    y : tensor (B, ...)
        Measurements, drawn once by the dataset.
    physics : deepinv.physics.LinearPhysics
        A (``physics.A``, ``physics.A_adjoint``) and the noise model.
    x : tensor (B, ...) or None
        The signals, in [0, 1] for images. None where a solver must not see them.
    names : tuple of str
        What each signal is called.
    """

    y: torch.Tensor
    physics: dinv.physics.LinearPhysics
    x: torch.Tensor | None = None
    names: tuple = ()

    @property
    def image_shape(self):
        """(C, H, W) of the images, for those who see the measurements only."""
        return tuple(self.physics.A_adjoint(self.y).shape[1:])

    def without_truth(self):
        """The same batch as a solver sees it at test time."""
        return replace(self, x=None)

    def to(self, device):
        """A copy on ``device``: what is done to it does not change this batch."""
        return replace(
            self,
            y=self.y.to(device, copy=True),
            physics=copy.deepcopy(self.physics).to(device),
            x=None if self.x is None else self.x.to(device, copy=True),
        )


def noise_level(physics):
    """Standard deviation of the noise on the scale of y; at least 1e-3.

    Solvers weigh the prior by it, and a weight of zero would switch the prior off.
    """
    return max(float(physics.noise_model.sigma), 1e-3)
