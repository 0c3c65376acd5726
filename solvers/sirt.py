import torch

from benchmark_utils.common import COUNT
from benchmark_utils.physics import check_tomography
from benchmark_utils.solving import IterativeSolver


class Solver(IterativeSolver):
    """Simultaneous iterative reconstruction, of non-negative images.

    Gilbert (1972), in the form of Gregor and Benson (2008): with R and C the inverses
    of the sums of the rows and of the columns of A,

        x_{k+1} = max(0, x_k + C A^T R (y - A x_k)),   x_0 = 0.

    Stopping early is the prior.
    """

    name = "SIRT"
    parameters = {"n_iter": COUNT(100)}
    test_config = {"dataset": {"name": "chest"}}

    def check(self):
        check_tomography(self.name, self.test)

    def iterate(self, y, physics):
        x = torch.zeros_like(physics.A_adjoint(y))
        # Rays that miss the image, and pixels that no ray sees, stay as they are.
        rows = inverse(physics.A(torch.ones_like(x)))
        columns = inverse(physics.A_adjoint(torch.ones_like(y)))
        for _ in range(self.n_iter):
            step = physics.A_adjoint(rows * (y - physics.A(x)))
            x = (x + columns * step).clamp(min=0)
            yield x


def inverse(sums):
    return torch.where(sums > 0, 1 / sums, 0.0)
