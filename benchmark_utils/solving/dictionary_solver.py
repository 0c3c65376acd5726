"""The base class of the solvers whose prior is a dictionary of vectors."""

from functools import partial

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
    under A D (``lam``, at most ``N_CODING`` iterations of FISTA from zero). The time of
    a point is that of the dictionary and of this coding.

    lam : weight of the l1 norm of the codes.
    n_steps : steps of learning.
    n_atoms : number of atoms; None for as many as the true dictionary has, or as a
        signal has values.
    """

    N_CODING = 100
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

    def warm_up_batches(self):
        """All of them, which are learned from together."""
        return self.batches

    def get_next(self, stop_val):
        """Fewer points than usual: coding all the signals takes longer than a step."""
        return max(stop_val + 1, round(1.5 * stop_val))

    def _iterations(self, batches):
        data = self.data(batches)
        for dictionary in self.dictionaries(data):
            self.dictionary = dictionary
            if self.patch_shape is not None:
                self.atoms = dictionary.T.unflatten(1, self.patch_shape)
            self.x_hat = [partial(self.restored, A, y) for A, y in data]
            yield True

    def restored(self, A, y):
        """The signals (B, n) of the codes of their measurements y."""
        codes = sparse_code(y, self.dictionary, self.lam, A, n_iter=self.N_CODING)
        return codes @ self.dictionary.T

    def get_result(self):
        return super().get_result() | {"dictionary": self.dictionary.cpu()}
