import deepinv as dinv
import torch

from benchmark_utils.batches import noise_level
from benchmark_utils.convolutional import (
    coded_images,
    flat_atoms,
    learn_convolutional,
    patch_atoms,
)
from benchmark_utils.data_fit import data_fit
from benchmark_utils.solver import IterativeSolver
from benchmark_utils.tuned import Range


class Solver(IterativeSolver):
    """Convolutional sparse coding with atoms learned on clean photographs.

    The supervised counterpart of ``CDL`` (Malezieux, Michel, Moreau and Kowalski,
    2024), whose authors learn on the very image that is sought; here, on the training
    images:

        min_{d, z} 1/2 ||sum_k d_k * z_k - x||^2 + LEARNING_LAM ||z||_1,  ||d_k|| = 1.

    Each step takes one image, and flat atoms cost nothing, as in ``CDL``.
    """

    name = "CDL supervised"
    parameters = {
        "reg": ["tuned"],
        "n_atoms": [64],
        "atom_size": [10],
        "n_steps": [120],
        "n_iter": [300],
    }
    search_space = {"reg": Range(0.01, 10.0, default=0.3)}
    LEARNING_LAM = 0.1

    def fit(self, train):
        if not train:
            raise ValueError(f"{self.name} needs training images, and there are none.")
        images = [x for batch in train for x in batch.x.to(self.device).split(1)]
        fits = [data_fit(dinv.physics.Denoising(), x) for x in images]
        n_channels, size = images[0].shape[1], (self.atom_size, self.atom_size)
        n_each = -(-self.n_atoms // len(images))
        cut = [patch_atoms(x, n_each, size, self.generator) for x in images]
        flat = flat_atoms(n_channels, size).to(images[0])
        start = torch.cat([flat, *cut])[: n_channels + self.n_atoms]
        self.n_free = n_channels
        *_, (self.atoms, _) = learn_convolutional(
            fits, start, self.LEARNING_LAM, self.n_steps, n_free=n_channels
        )

    def iterate(self, y, physics):
        yield from coded_images(
            data_fit(physics, y),
            self.atoms,
            self.reg * noise_level(physics),
            n_iter=self.n_iter,
            n_free=self.n_free,
        )
