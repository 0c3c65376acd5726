import deepinv as dinv
import torch

from benchmark_utils.common import NotApplicable
from benchmark_utils.physics import noise_level
from benchmark_utils.physics.noise import is_signal_dependent, variance
from benchmark_utils.solving import IterativeSolver


class Solver(IterativeSolver):
    """x = denoiser(y, sigma): the denoisers of the registry on their own problem.

    Where the noise depends on the signal, sigma is the root of the mean of its
    variances, of each image.
    """

    name = "Denoiser"
    parameters = {"denoiser": ["compact"]}

    def check(self):
        if not isinstance(self.test[0].physics, dinv.physics.Denoising):
            raise NotApplicable("A denoiser alone solves the denoising problem only.")
        self.check_denoiser(self.denoiser)

    def setup(self):
        self.denoise = self.load_denoiser(self.denoiser)

    def iterate(self, y, physics):
        if not is_signal_dependent(physics):
            yield self.denoise(y, noise_level(physics))
            return
        levels = variance(physics, y).mean((1, 2, 3)).sqrt().tolist()
        yield torch.cat(
            [self.denoise(image, level) for image, level in zip(y.split(1), levels)]
        )
