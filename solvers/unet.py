from benchmark_utils.priors import ArtifactRemoval, untrained_denoiser
from benchmark_utils.solving import LearnedSolver


class Solver(LearnedSolver):
    """A U-Net, trained with pairs, that removes what a first guess has wrong.

    Jin, McCann, Froustey and Unser (2017), "Deep Convolutional Neural Network for
    Inverse Problems in Imaging". The network, its first weights and the sizes of the
    steps are those of ``Self-supervised``: this is what its losses are compared with.
    """

    name = "U-Net"
    parameters = LearnedSolver.training(n_steps=300, lr=1e-3)

    def build(self):
        return ArtifactRemoval(untrained_denoiser(self.n_channels))
