import torch

from benchmark_utils.physics import data_term, denoiser_scale
from benchmark_utils.solving import Iterations, IterativeSolver, Range


class Solver(IterativeSolver):
    """Plug-and-play ADMM, at a fixed noise level.

    Venkatakrishnan, Bouman and Wohlberg (2013), "Plug-and-Play Priors for Model Based
    Reconstruction":

        x = prox_{f / alpha}(z - u),  z = denoiser(x + u, sigma),  u = u + x - z

    with alpha = reg noise^2 / sigma^2. ``sigma`` is for measurements with noise 0.01,
    and is multiplied by (noise / 0.01)^{0.6} (see ``denoiser_scale``).

    sigma : the noise level that the denoiser is told, for measurements with noise 0.01.
    reg : weight of the prior.
    """

    name = "PnP-ADMM"
    parameters = {
        "denoiser": ["compact"],
        "n_iter": ["tuned"],
        "sigma": ["tuned"],
        "reg": ["tuned"],
    }
    search_space = {
        "n_iter": Iterations(12, maximum=40),
        "sigma": Range(0.005, 0.2, default=0.05),
        "reg": Range(0.02, 5.0, default=0.5),
    }

    def check(self):
        self.check_denoiser(self.denoiser)

    def setup(self):
        self.denoise = self.load_denoiser(self.denoiser)

    def iterate(self, y, physics):
        f = data_term(physics, y)
        sigma = self.sigma * denoiser_scale(f.noise_level)
        gamma = sigma**2 / (self.reg * f.noise_level**2)
        z = f.initial_guess()
        u = torch.zeros_like(z)
        for _ in range(self.n_iter):
            x = f.prox(z - u, gamma)
            z = self.denoise(x + u, sigma)
            u = u + x - z
            yield z
