import deepinv as dinv

from benchmark_utils.physics import noise_level
from benchmark_utils.solving import IterativeSolver


class Solver(IterativeSolver):
    """x = denoiser(y, sigma): the denoisers of the registry on their own problem."""

    name = "Denoiser"
    parameters = {"denoiser": ["compact"]}

    def setup(self):
        if not isinstance(self.batches[0].physics, dinv.physics.Denoising):
            raise ValueError("A denoiser alone solves the denoising problem only.")
        self.denoise = self.load_denoiser(self.denoiser)

    def iterate(self, y, physics):
        yield self.denoise(y, noise_level(physics))
