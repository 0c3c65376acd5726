from benchmark_utils.physics import unweighted_data_term
from benchmark_utils.solving import IterativeSolver


class Solver(IterativeSolver):
    """x = A^T y / ||A||^2: what is seen, put back where it was seen.

    In MRI it is zero filling: what was not measured of k-space is 0. Noise that depends
    on the signal changes nothing.
    """

    name = "Adjoint"

    def iterate(self, y, physics):
        f = unweighted_data_term(physics, y)
        yield f.A_adjoint(f.y) / f.lipschitz
