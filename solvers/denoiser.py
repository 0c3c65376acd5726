import deepinv as dinv

from benchmark_utils.common import NotApplicable
from benchmark_utils.physics import noise_level
from benchmark_utils.solving import IterativeSolver


class Solver(IterativeSolver):
    """x = denoiser(y, sigma): the denoisers of the registry on their own problem."""

    name = "Denoiser"
    parameters = {"denoiser": ["compact"]}

    def check(self):
        if not isinstance(self.test[0].physics, dinv.physics.Denoising):
            raise NotApplicable("A denoiser alone solves the denoising problem only.")
        self.check_denoiser(self.denoiser)

    def setup(self):
        self.denoise = self.load_denoiser(self.denoiser)

    def iterate(self, y, physics):
        yield self.denoise(y, noise_level(physics, y))
