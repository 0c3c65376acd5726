"""Batches: what a dataset hands to the objective and to the solvers."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import deepinv as dinv
import torch

from benchmark_utils.data.domain import IMAGES, Domain
from benchmark_utils.physics.noise import draw_measurements, seeded


@dataclass(frozen=True)
class Batch:
    """Signals of one shape, seen through one operator: y = A x + eps.

    Attributes
    ----------
    y : tensor (B, ...)
        Measurements, drawn once by the dataset.
    physics : deepinv.physics.LinearPhysics
        A (``physics.A``, ``physics.A_adjoint``) and the noise model, as solvers are
        told them.
    x : tensor (B, ...) or None
        The signals, in [0, 1] for images. None where a solver must not see them.
    names : tuple of str
        What each signal is called.
    domain : Domain
        What the signals are: real images, complex ones, vectors.
    measured_by : deepinv.physics.LinearPhysics or None
        What measured y, where solvers are told another ``physics`` and x is not the
        truth by this one; never theirs to see.
    """

    y: torch.Tensor
    physics: dinv.physics.LinearPhysics
    x: torch.Tensor | None = None
    names: tuple = ()
    domain: Domain = IMAGES
    measured_by: dinv.physics.LinearPhysics | None = None

    @property
    def true_physics(self):
        """What scores use: what measured y, or what x is the truth by."""
        return self.physics if self.measured_by is None else self.measured_by

    @property
    def signal_shape(self):
        """(C, H, W) or (n,), for those who see the measurements only."""
        return tuple(self.physics.A_adjoint(self.y).shape[1:])

    def without_truth(self):
        """The same batch as a solver sees it at test time."""
        return replace(self, x=None, measured_by=None)

    def seed_noise(self, seed):
        """Give the noise model a generator of its own, on the device of y.

        Otherwise deepinv would draw from torch's global one, which nobody seeds.
        """
        generator = torch.Generator(self.y.device).manual_seed(seed)
        self.physics.noise_model = seeded(self.physics.noise_model, generator)

    def to(self, device):
        """A copy on ``device``: what is done to it does not change this batch."""
        return replace(
            self,
            y=self.y.to(device, copy=True),
            physics=_physics_on(self.physics, device),
            x=None if self.x is None else self.x.to(device, copy=True),
            measured_by=self.measured_by and _physics_on(self.measured_by, device),
        )


def _physics_on(physics, device):
    """A copy on ``device``, with the generator of its noise.

    deepinv would leave the generator where it was, which then cannot draw, and move
    the state that ``reset_rng`` gives it, which has to be on the CPU. The draws of
    another kind of device are others anyway: they start from the same seed.
    """
    physics = copy.deepcopy(physics).to(device)
    noise = physics.noise_model
    rng = getattr(noise, "rng", None)
    if rng is None:
        return physics
    if rng.device.type == torch.device(device).type:
        noise.initial_random_state = noise.initial_random_state.cpu()
    else:
        noise.rng = torch.Generator(device).manual_seed(rng.initial_seed())
        noise.initial_random_state = noise.rng.get_state()
    return physics


class LazyBatches(Sequence):
    """Batches made when they are asked for: nobody pays for training images unused.

    Parameters
    ----------
    list_keys : callable () -> list
        Called once, when a batch or their number is asked for.
    make : callable (*key) -> Batch
        Each batch has a seed of its own, and is the same whenever it is made.
    """

    def __init__(self, list_keys, make):
        self._list_keys, self._make = list_keys, make

    @cached_property
    def _keys(self):
        return self._list_keys()

    def __len__(self):
        return len(self._keys)

    def __getitem__(self, index):
        if isinstance(index, slice):
            return LazyBatches(lambda: self._keys[index], self._make)
        return self._make(*self._keys[index])


def for_solver(batches, device, seed):
    """Copies of the batches on ``device``, made when they are asked for.

    Were a solver to simulate measurements, they would be its own draws: seeded, and
    the same whenever a batch is asked for.
    """

    def make(i):
        batch = batches[i].to(device)
        batch.seed_noise(seed + i)
        return batch

    return LazyBatches(lambda: [(i,) for i in range(len(batches))], make)


def measure(x, physics, generator, names=(), domain=IMAGES):
    """The Batch of signals x (B, ...) seen through ``physics``.

    The noise is that of the model of ``physics``, drawn from ``generator``.
    """
    y = draw_measurements(physics, x, generator)
    return Batch(x=x, y=y, physics=physics, names=names, domain=domain)
