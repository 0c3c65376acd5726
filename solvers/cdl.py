import torch

from benchmark_utils.batches import noise_level
from benchmark_utils.convolutional import (
    ConvolutionalDictionary,
    coded_images,
    flat_atoms,
    learn_convolutional,
    patch_atoms,
    random_atoms,
)
from benchmark_utils.data_fit import data_fit
from benchmark_utils.solver import IterativeSolver
from benchmark_utils.tuned import Range

# Learning rates that suit the atoms to start from.
RATES = {"patches": 0.01, "random": 0.02}


class Solver(IterativeSolver):
    """Convolutional dictionaries learned from the degraded image and nothing else.

    Malezieux, Michel, Moreau and Kowalski (2024): for each image,

        min_{d, z} 1/2 ||A sum_k d_k * z_k - y||^2 + reg sigma ||z||_1,  ||d_k|| = 1,

    then the codes z of the atoms found, and x = sum_k d_k * z_k.

    init : "patches" of the image, its holes filled, or "random" atoms.
    flat_atoms : one atom more per channel, which is constant and costs nothing: without
        it the l1 norm shrinks the mean of the image.
    nonnegative : z >= 0.
    """

    name = "CDL"
    parameters = {
        "reg": ["tuned"],
        "n_atoms": [32],
        "atom_size": [16],
        "n_steps": [60],
        "n_coding": [100],
        "init": ["patches"],
        "flat_atoms": [True],
        "nonnegative": [False],
    }
    search_space = {"reg": Range(0.05, 10.0, default=1.0)}

    def setup(self):
        if self.init not in RATES:
            raise ValueError(f"init must be patches or random, not {self.init!r}.")

    def iterate(self, y, physics):
        fit = data_fit(physics, y)
        lam = self.reg * noise_level(physics)
        guess = fit.initial_guess()
        atoms = self.first_atoms(guess)
        options = {
            "nonnegative": self.nonnegative,
            "n_free": guess.shape[1] if self.flat_atoms else 0,
        }
        learning = learn_convolutional(
            [fit], atoms, lam, self.n_steps, lr=RATES[self.init], **options
        )
        for atoms, codes in learning:
            if y is self.batches[0].y:
                self.atoms = atoms[0]
            yield ConvolutionalDictionary(atoms, guess.shape[-2:]).synthesis(codes)
        yield from coded_images(fit, atoms, lam, codes, self.n_coding, **options)

    def first_atoms(self, guess):
        """A dictionary for each image: (B, K, C, h, w)."""
        n_channels, size = guess.shape[1], (self.atom_size, self.atom_size)
        dictionaries = []
        for image in guess.split(1):
            if self.init == "patches":
                atoms = patch_atoms(image, self.n_atoms, size, self.generator)
            else:
                shape = (self.n_atoms, n_channels, *size)
                atoms = random_atoms(shape, self.generator)
            if self.flat_atoms:
                atoms = torch.cat([flat_atoms(n_channels, size).to(atoms), atoms])
            dictionaries.append(atoms)
        return torch.stack(dictionaries)
