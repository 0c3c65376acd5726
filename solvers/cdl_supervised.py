from itertools import islice

import deepinv as dinv
import torch

from benchmark_utils.common import COUNT, LEVEL, NotApplicable
from benchmark_utils.dictionaries import (
    check_atom_size,
    coded_images,
    learn_convolutional,
    low_frequencies,
    patch_atoms,
)
from benchmark_utils.physics import REFERENCE_NOISE, data_term, norm_scale
from benchmark_utils.solving import IterativeSolver, Range


class Solver(IterativeSolver):
    """Convolutional sparse coding with atoms learned on clean photographs.

    The supervised counterpart of ``CDL`` (Malezieux, Michel, Moreau and Kowalski,
    2024), whose authors learn on the very image that is sought; here, on the training
    images without their low frequencies, x - x_low:

        min_{d, z} 1/2 ||x_low + sum_k d_k * z_k - x||^2 + LEARNING_LAM ||z||_1,

    ||d_k|| = 1. Each step of learning takes one image. The weight of the codes of
    measurements is 0.01 reg (noise / 0.01)^{1.4}, as that of TV.

    reg : weight of the codes of the measurements, for noise 0.01.
    n_atoms : number of atoms.
    atom_size : side of the atoms, in pixels.
    low : width of the Gaussian mean of x_low, in pixels; 0 for none.
    n_steps : steps of learning.
    n_iter : iterations on the codes of the measurements.
    """

    name = "CDL supervised"
    parameters = {
        "reg": ["tuned"],
        "n_atoms": COUNT(64),
        "atom_size": COUNT(10),
        "low": LEVEL(12),
        "n_steps": COUNT(150),
        "n_iter": COUNT(200),
    }
    search_space = {"reg": Range(0.02, 10.0, default=0.3)}
    LEARNING_LAM = 0.1

    def check(self):
        if len({batch.signal_shape[0] for batch in self.test}) > 1:
            raise NotApplicable(
                "Atoms have the channels of the images: restore grey images apart."
            )
        for batch in self.test:
            check_atom_size(batch.signal_shape, (self.atom_size, self.atom_size))

    def learn(self, train):
        train = list(train)
        if {batch.x.shape[1] for batch in train} != {self.n_channels}:
            raise NotApplicable(
                "Atoms have the channels of the images: those to learn from need "
                f"{self.n_channels}, as those to restore."
            )
        photographs = (x for batch in train for x in batch.x.split(1))
        images = [
            x - low_frequencies(x, self.low) for x in islice(photographs, self.n_steps)
        ]
        n_each, size = -(-self.n_atoms // len(images)), (self.atom_size,) * 2
        patches = [patch_atoms(x, n_each, size, self.generator) for x in images]
        *_, (self.atoms, _) = learn_convolutional(
            [data_term(dinv.physics.Denoising(), x) for x in images],
            torch.cat(patches)[: self.n_atoms],
            self.LEARNING_LAM,
            self.n_steps,
        )

    def iterate(self, y, physics):
        f = data_term(physics, y)
        x_low = low_frequencies(f.initial_guess(), self.low)
        lam = self.reg * REFERENCE_NOISE * norm_scale(f.noise_level)
        f = f.without(x_low)
        yield from coded_images(f, self.atoms, lam, n_iter=self.n_iter, low=x_low)
