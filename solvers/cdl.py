from functools import partial

import torch

from benchmark_utils.common import COUNT, LEVEL, one_of
from benchmark_utils.dictionaries import (
    ConvolutionalDictionary,
    check_atom_size,
    coded_images,
    learn_convolutional,
    low_frequencies,
    patch_atoms,
    random_atoms,
)
from benchmark_utils.physics import REFERENCE_NOISE, data_term, norm_scale
from benchmark_utils.solving import IterativeSolver, Range

# Learning rates that suit the atoms to start from.
RATES = {"patches": 0.01, "random": 0.02}


class Solver(IterativeSolver):
    """Convolutional dictionaries learned from the degraded image and nothing else.

    Malezieux, Michel, Moreau and Kowalski (2024): for each image,

        min_{d, z} 1/2 ||A (x_low + sum_k d_k * z_k) - y||^2 + weight ||z||_1,

    ||d_k|| = 1, then more iterations on the codes z of the atoms found. x_low holds the
    low frequencies of the first guess (a Gaussian mean of width ``low`` pixels): in the
    paper it is 0, and the l1 norm shrinks the mean of the image.
    weight = 0.01 reg (noise / 0.01)^{1.4}, as that of TV.

    init : "patches" of the first guess, or "random" atoms.
    nonnegative : z >= 0.
    reg : weight of the codes of the measurements, for noise 0.01.
    n_atoms : number of atoms.
    atom_size : side of the atoms, in pixels.
    low : width of the Gaussian mean of x_low, in pixels; 0 for none.
    n_steps : steps on the atoms and the codes.
    n_coding : iterations on the codes of the atoms found.
    """

    name = "CDL"
    parameters = {
        "reg": ["tuned"],
        "n_atoms": COUNT(32),
        "atom_size": COUNT(12),
        "low": LEVEL(12),
        "n_steps": COUNT(40),
        "n_coding": COUNT(100),
        "init": one_of(*RATES)("patches"),
        "nonnegative": [False],
    }
    search_space = {"reg": Range(0.01, 10.0, default=1.0)}

    def check(self):
        for batch in self.test:
            n_patches = self.n_atoms if self.init == "patches" else 0
            size = self.atom_size, self.atom_size
            check_atom_size(batch.signal_shape, size, n_patches)

    def iterate(self, y, physics):
        f = data_term(physics, y)
        guess = f.initial_guess()
        x_low = low_frequencies(guess, self.low)
        f = f.without(x_low)
        lam = self.reg * REFERENCE_NOISE * norm_scale(f.noise_level)
        learning = learn_convolutional(
            [f],
            self.first_atoms(guess - x_low),
            lam,
            self.n_steps,
            lr=RATES[self.init],
            nonnegative=self.nonnegative,
        )
        for atoms, codes in learning:
            self.atoms = atoms[0]
            dictionary = ConvolutionalDictionary(atoms, guess.shape[-2:])
            yield partial(self.image, x_low, dictionary, codes)
        yield from coded_images(
            f, atoms, lam, codes, self.n_coding, nonnegative=self.nonnegative, low=x_low
        )

    @staticmethod
    def image(x_low, dictionary, codes):
        return x_low + dictionary.synthesis(codes)

    def first_atoms(self, images):
        """A dictionary for each image: (B, K, C, h, w)."""
        size = self.atom_size, self.atom_size
        if self.init == "random":
            shape = (len(images), self.n_atoms, images.shape[1], *size)
            return random_atoms(shape, self.generator)
        return torch.stack(
            [
                patch_atoms(image, self.n_atoms, size, self.generator)
                for image in images.split(1)
            ]
        )
