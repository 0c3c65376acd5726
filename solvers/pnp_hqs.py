import numpy as np

from benchmark_utils.physics import data_term, denoiser_scale
from benchmark_utils.solving import Choice, IterativeSolver, Range


class Solver(IterativeSolver):
    """Plug-and-play half-quadratic splitting with a decreasing noise level (DPIR).

    Zhang et al. (2021), "Plug-and-Play Image Restoration with Deep Denoiser Prior":

        x_{k+1} = prox_{f / alpha_k}(z_k),   alpha_k = reg sigma^2 / sigma_k^2
        z_{k+1} = denoiser(x_{k+1}, sigma_k)

    with sigma_k from ``sigma_start``, for measurements with noise 0.01 (otherwise it is
    multiplied by (sigma / 0.01)^{0.6}, see ``denoiser_scale``), to ``end_ratio`` sigma,
    evenly on a logarithmic scale; the paper: 49/255, 1, reg = 0.23, 8 steps.

    sigma_start : first noise level of the denoiser, for measurements with noise 0.01.
    end_ratio : its last noise level, over that of the measurements.
    reg : weight of the prior.
    """

    name = "PnP-HQS"
    parameters = {
        "denoiser": ["compact"],
        "n_iter": ["tuned"],
        "sigma_start": ["tuned"],
        "end_ratio": ["tuned"],
        "reg": ["tuned"],
    }
    search_space = {
        "n_iter": Choice(8, (8, 15, 30)),
        "sigma_start": Range(0.03, 0.6, default=49 / 255),
        "end_ratio": Range(0.2, 8.0, default=1.0),
        "reg": Range(0.02, 5.0, default=0.23),
    }

    def check(self):
        self.check_denoiser(self.denoiser)

    def setup(self):
        self.denoise = self.load_denoiser(self.denoiser)

    def iterate(self, y, physics):
        f = data_term(physics, y)
        z = f.initial_guess()
        start = self.sigma_start * denoiser_scale(f.noise_level)
        end = self.end_ratio * f.noise_level
        for sigma in np.geomspace(start, end, self.n_iter).tolist():
            x = f.prox(z, sigma**2 / (self.reg * f.noise_level**2))
            z = self.denoise(x, sigma)
            yield z
