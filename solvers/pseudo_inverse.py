from benchmark_utils.physics import data_term
from benchmark_utils.solving import IterativeSolver, Range


class Solver(IterativeSolver):
    """x = A^T (A A^T + reg)^{-1} y: Tikhonov's regularised pseudo-inverse.

    A^+ amplifies the noise without bound where A dampens a frequency; ``reg`` limits
    it to 1 / (2 sqrt(reg)). ``reg=0`` is A^+ itself.
    """

    name = "Pseudo-inverse"
    parameters = {"reg": ["tuned"]}
    search_space = {"reg": Range(1e-5, 1.0, default=1e-3, may_be_zero=True)}

    def iterate(self, y, physics):
        yield data_term(physics, y).pseudo_inverse(self.reg)
