"""The base class of the solvers whose prior is a dictionary of vectors."""

import torch

from benchmark_utils.dictionaries.sparse_coding import sparse_code
from benchmark_utils.dictionaries.vectors import operator_of, random_dictionary
from benchmark_utils.solving.solver import IterativeSolver


class DictionarySolver(IterativeSolver):
    """A solver is its ``dictionaries``, which sees all the operators together.

    What a solver defines, beside ``setup`` and ``learn`` (see ``IterativeSolver``)
    --------------------------------------------------------------------------
    dictionaries(data)
        A generator that yields successive dictionaries (n, K), from a list of pairs
        (A, y), one per operator (benchmark_utils/dictionaries/vectors.py).

    It starts from ``first_dictionary()``. Signals are x = D z, with z the codes of y
    under A D (``lam``, ``N_CODING`` iterations of FISTA from those of the point before,
    and ``N_FIRST`` at first); their computation is not timed.
    """

    N_FIRST, N_CODING = 100, 20
    domains = ("vector",)
    test_config = {"dataset": {"name": "synthetic_dictionary", "n_signals": 200}}

    def first_dictionary(self):
        """Random atoms, ``n_atoms`` of them; as many as the true ones by default.

        Where these are not known, as many as a signal has values.
        """
        batch = self.batches[0]
        dim = batch.physics.A_adjoint(batch.y[:1]).shape[1]
        n_atoms = self.n_atoms
        if n_atoms is None:
            n_atoms = dim if self.n_true_atoms is None else self.n_true_atoms
        return random_dictionary(dim, n_atoms, self.generator)

    def data(self, batches):
        return [(operator_of(batch.physics, batch.y), batch.y) for batch in batches]

    def warm_up(self):
        self.pre_run_hook(None)
        copies = [batch.to(self.device) for batch in self.batches]
        with torch.inference_mode(not self.requires_grad):
            next(self.dictionaries(self.data(copies)), None)

    def run(self, callback):
        with torch.inference_mode(not self.requires_grad):
            for dictionary in self.dictionaries(self.data(self.batches)):
                self.dictionary = dictionary
                if self.patch_shape is not None:
                    self.atoms = dictionary.T.unflatten(1, self.patch_shape)
                self._synchronise()
                if not callback():
                    return
        self._is_last = True
        callback()

    def get_next(self, stop_val):
        """Fewer points than usual: coding all the signals takes longer than a step."""
        return max(stop_val + 1, round(1.3 * stop_val))

    def code(self, i, A, y):
        """The codes of the batch ``i``, which are kept."""
        codes = self._codes[i]
        n_iter = self.N_FIRST if codes is None or self._is_last else self.N_CODING
        self._codes[i] = sparse_code(y, self.dictionary, self.lam, A, codes, n_iter)
        return self._codes[i]

    def _reset(self):
        super()._reset()
        self._codes = [None] * len(self.batches)

    def get_result(self):
        with torch.inference_mode(not self.requires_grad):
            self.x_hat = [
                self.code(i, A, y) @ self.dictionary.T
                for i, (A, y) in enumerate(self.data(self.batches))
            ]
        return super().get_result() | {"dictionary": self.dictionary.cpu()}
