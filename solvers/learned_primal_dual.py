from benchmark_utils.common import COUNT
from benchmark_utils.physics import check_tomography
from benchmark_utils.priors import LearnedPrimalDual
from benchmark_utils.solving import LearnedSolver


class Solver(LearnedSolver):
    """A primal-dual method as a network of ``n_iter`` layers, trained with pairs.

    Adler and Öktem (2018), "Learned Primal-Dual Reconstruction": small networks look at
    sinograms and at images in turn, and both have a memory of five.
    """

    name = "Learned primal-dual"
    parameters = {
        "n_iter": COUNT(5),
        **LearnedSolver.training(n_steps=150, lr=1e-3),
    }
    test_config = {"n_steps": 2, "n_iter": 2, "dataset": {"name": "chest"}}

    def check(self):
        check_tomography(self.name, self.test)

    def build(self):
        return LearnedPrimalDual(self.n_channels, self.n_iter)

    def iterate(self, y, physics):
        yield from self.network.iterates(y, physics)
