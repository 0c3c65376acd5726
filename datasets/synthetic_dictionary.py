import deepinv as dinv
import torch
from benchopt import BaseDataset

from benchmark_utils.common import (
    COUNT,
    DENSITY,
    LEVEL,
    SHARE,
    Described,
    Fingerprinted,
    NotApplicable,
    ShortName,
    check_parameters,
    one_of,
)
from benchmark_utils.data import VECTORS, measure
from benchmark_utils.dictionaries import (
    MatrixPhysics,
    masks,
    normalise,
    random_dictionary,
)

OPERATORS = ("sensing", "identity", "masks")


class Dataset(Described, Fingerprinted, ShortName, BaseDataset):
    """Sparse combinations of random atoms, seen through random operators.

    Malezieux, Michel, Moreau, Kowalski (2024): y = A D z + eps, D Gaussian with atoms
    of norm 1, z Bernoulli-Gaussian, A from ``operator``:

    - sensing: ``n_operators`` Gaussian matrices of ``m`` rows, with columns of norm 1;
    - masks: each value of each signal is missing with probability ``missing``;
    - identity.

    Signals are vectors: x is (B, dim), one batch for each operator.

    operator : one of those above.
    m : measurements of each signal.
    n_operators : number of operators.
    missing : probability that a value is missing.
    n_signals : number of test signals, over all the operators.
    n_train : number of training signals.
    dim : values of a signal.
    n_atoms : number of atoms.
    density : share of the codes that are not zero.
    noise_level : standard deviation of the Gaussian noise.
    """

    name = "synthetic_dictionary"
    always_shown = ("operator",)
    parameters = {
        "operator": one_of(*OPERATORS)("sensing"),
        "m": COUNT(80),
        "n_operators": COUNT(5),
        "missing": SHARE(0.5),
        "n_signals": COUNT(10000),
        "n_train": COUNT(2000),
        "dim": COUNT(100),
        "n_atoms": COUNT(100),
        "density": DENSITY(0.1),
        "noise_level": LEVEL(0.0),
    }
    test_parameters = {
        "operator": list(OPERATORS),
        "m": [12],
        "n_operators": [2],
        "n_signals": [100],
        "n_train": [100],
        "dim": [16],
        "n_atoms": [16],
    }

    def get_data(self):
        data = {"dataset": self.name, "problem": self.operator}
        try:
            self._check()
        except NotApplicable as error:
            nothing = {"train": [], "test": [], "dictionary": None}
            return {**data, **nothing, "unavailable": str(error)}
        seed = self.get_seed(use_dataset=True, use_repetition=True)
        generator = torch.Generator().manual_seed(seed)
        dictionary = random_dictionary(self.dim, self.n_atoms, generator)
        n_batches = self.n_operators if self.operator == "sensing" else 1
        # Sizes that differ by one at most, and add up to n_signals.
        sizes = [(self.n_signals + i) // n_batches for i in range(n_batches)]
        test = [self._draw(dictionary, size, generator) for size in sizes]
        train = [self._draw(dictionary, self.n_train, generator)]
        return {**data, "train": train, "test": test, "dictionary": dictionary}

    def _check(self):
        check_parameters(self)
        if self.operator == "sensing" and self.n_signals < self.n_operators:
            raise NotApplicable(
                f"{self.n_signals} signals are too few for {self.n_operators} "
                "operators: each one needs at least a signal."
            )

    def _draw(self, dictionary, n_signals, generator):
        """``n_signals`` signals, and what one operator measures of them."""
        shape = (n_signals, self.n_atoms)
        options = {"generator": generator, "dtype": torch.float32}
        active = torch.rand(shape, **options) < self.density
        codes = active * torch.randn(shape, **options)
        x = codes @ dictionary.T
        physics = self._make_physics(n_signals, generator)
        physics.noise_model = dinv.physics.GaussianNoise(sigma=self.noise_level)
        names = tuple(f"signal {i}" for i in range(n_signals))
        return measure(x, physics, generator, names, VECTORS)

    def _make_physics(self, n_signals, generator):
        if self.operator == "identity":
            return dinv.physics.Denoising()
        if self.operator == "sensing":
            shape = (self.m, self.dim)
            matrix = torch.randn(shape, generator=generator, dtype=torch.float32)
            return MatrixPhysics(normalise(matrix))
        return masks(n_signals, self.dim, self.missing, generator)
