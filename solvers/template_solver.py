from benchmark_utils.common import COUNT
from benchmark_utils.physics import data_term
from benchmark_utils.solving import IterativeSolver


class Solver(IterativeSolver):
    """What the method computes, and the paper it comes from.

    benchopt ignores files named template_*: copy this one to solvers/my_method.py.
    """

    name = "My method"
    parameters = {"n_iter": COUNT(20)}

    def iterate(self, y, physics):
        f = data_term(physics, y)
        x = f.initial_guess()
        for _ in range(self.n_iter):
            x = x - f.grad(x) / f.lipschitz
            yield x
