from benchmark_utils.common import COUNT, one_of
from benchmark_utils.priors import UnrolledHQS, load_for_channels, untrained_denoiser
from benchmark_utils.solving import LearnedSolver


class Solver(LearnedSolver):
    """Plug-and-play HQS as a network of ``n_iter`` layers, trained with pairs.

    Zhang, Van Gool and Timofte (2020), "Deep Unfolding Network for Image
    Super-Resolution": the denoiser, the noise levels and the weights of the data term
    are learned together.

    denoiser : "compact", which starts as plug-and-play; or "scratch", random weights.
    n_iter : layers.
    """

    name = "Unrolled"
    parameters = {
        "denoiser": one_of("compact", "scratch")("compact"),
        "n_iter": COUNT(6),
        **LearnedSolver.training(n_steps=150, lr=1e-4),
    }
    test_config = {"n_steps": 2, "n_iter": 2}
    LEVELS_LR = 1e-2

    def check(self):
        if self.denoiser == "compact":
            self.check_denoiser("compact")

    def build(self):
        if self.denoiser == "compact":
            network = load_for_channels("denoiser", self.n_channels, self.device)
        else:
            network = untrained_denoiser(self.n_channels)
        return UnrolledHQS(network, self.n_iter)

    def groups(self, network):
        levels = [network.log_sigma, network.log_reg]
        weights = list(network.denoiser.parameters())
        return [
            {"params": weights, "lr": self.lr},
            {"params": levels, "lr": self.LEVELS_LR},
        ]

    def iterate(self, y, physics):
        yield from self.network.iterates(y, physics)
