from benchmark_utils.physics import data_term
from benchmark_utils.solving import IterativeSolver


class Solver(IterativeSolver):
    """What the iterative solvers start from: no prior, but no hole either.

    Missing pixels are the Gaussian mean of those around; other operators have their
    regularised pseudo-inverse.
    """

    name = "Initial guess"

    def iterate(self, y, physics):
        yield data_term(physics, y).initial_guess()
