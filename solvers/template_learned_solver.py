from benchmark_utils.priors import ArtifactRemoval, untrained_denoiser
from benchmark_utils.solving import LearnedSolver


class Solver(LearnedSolver):
    """What the network is, what it is trained for, and the paper it comes from.

    benchopt ignores files named template_*: copy this one to solvers/my_network.py.
    """

    name = "My network"
    parameters = LearnedSolver.training(n_steps=150, lr=1e-3)

    def build(self):
        return ArtifactRemoval(untrained_denoiser(self.n_channels))

    def loss(self, network, batch):
        return (network(batch.y, batch.physics) - batch.x).square().mean()
