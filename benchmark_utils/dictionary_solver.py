"""The base class of the solvers whose prior is a dictionary of vectors."""

import torch

from benchmark_utils.dictionaries import operator_of
from benchmark_utils.solver import IterativeSolver
from benchmark_utils.sparse_coding import sparse_code


class DictionarySolver(IterativeSolver):
    """A solver is its ``learn``, which sees all the operators together.

    What a solver defines, beside ``setup`` and ``fit`` (see ``IterativeSolver``)
    --------------------------------------------------------------------------
    learn(data)
        A generator that yields successive dictionaries (n, K), from a list of pairs
        (A, y), one per operator (benchmark_utils/dictionaries.py).

    It finds the true dictionary as ``self.true_dictionary``, for its shape; only an
    oracle uses its values. Signals are x = D z, with z the codes of y under A D
    (``lam``, ``N_CODING`` iterations of FISTA); their computation is not timed.
    """

    N_CODING = 100
    test_config = {"dataset": {"name": "synthetic_dictionary", "n_signals": 200}}

    def check_signals(self):
        if self.true_dictionary is None:
            raise ValueError(
                f"{self.name} needs signals with a dictionary: take "
                "synthetic_dictionary."
            )

    def data(self, batches):
        return [(operator_of(batch.physics, batch.y), batch.y) for batch in batches]

    def warm_up(self):
        self.pre_run_hook(None)
        with torch.inference_mode(not self.requires_grad):
            next(self.learn(self.data(self.batches)), None)

    def run(self, callback):
        with torch.inference_mode(not self.requires_grad):
            for dictionary in self.learn(self.data(self.batches)):
                self.dictionary = dictionary
                self._synchronise()
                if not callback():
                    return
        self._is_last = True
        callback()

    def get_result(self):
        with torch.inference_mode(not self.requires_grad):
            self.x_hat = [
                sparse_code(y, self.dictionary, self.lam, A, n_iter=self.N_CODING)
                @ self.dictionary.T
                for A, y in self.data(self.batches)
            ]
        return super().get_result() | {"dictionary": self.dictionary.cpu()}
