from benchmark_utils.physics.data_term import data_fit
from benchmark_utils.solving.solver import IterativeSolver


class Solver(IterativeSolver):
    """What the method computes, and the paper it comes from.

    benchopt ignores files named template_*: copy this one to solvers/my_method.py.
    """

    name = "My method"
    parameters = {"n_iter": [20]}

    def iterate(self, y, physics):
        fit = data_fit(physics, y)
        x = fit.initial_guess()
        for _ in range(self.n_iter):
            x = x - fit.grad(x) / fit.lipschitz
            yield x
