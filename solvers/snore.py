import numpy as np
import torch

from benchmark_utils.common import POSITIVE
from benchmark_utils.physics import data_term, denoiser_scale, residual_scale
from benchmark_utils.solving import Choice, IterativeSolver, Range


class Solver(IterativeSolver):
    """Stochastic denoising regularisation: the denoiser only sees noisy images.

    Renaud et al. (2024), "Plug-and-Play image restoration with Stochastic deNOising
    REgularization": stochastic gradient descent, with fresh noise at each iteration,

        x_{k+1} = x_k - step (A^T (A x_k - y) / ||A||^2
                              + weight (x_k - denoiser(x_k + sigma_k n_k, sigma_k)))

    and sigma_k from ``sigma_start`` to ``sigma_end``, on a logarithmic scale. They are
    for measurements with noise 0.01, and are multiplied by (noise / 0.01)^{0.6} (see
    ``denoiser_scale``); weight = reg (noise / 0.01)^{0.8}, and step is divided
    by it where it is above 1.

    step : of the gradient, over 1 / ||A||^2.
    sigma_start : first noise level, for measurements with noise 0.01.
    sigma_end : last one.
    reg : weight of the prior, for measurements with noise 0.01.
    """

    name = "SNORE"
    parameters = {
        "denoiser": ["compact"],
        "n_iter": ["tuned"],
        "step": POSITIVE(0.9),
        "sigma_start": ["tuned"],
        "sigma_end": ["tuned"],
        "reg": ["tuned"],
    }
    search_space = {
        "n_iter": Choice(60, (15, 30, 60, 120)),
        "sigma_start": Range(0.02, 0.6, default=0.1),
        "sigma_end": Range(0.002, 0.2, default=0.02),
        "reg": Range(0.003, 1.0, default=0.1, may_be_zero=True),
    }

    def check(self):
        self.check_denoiser(self.denoiser)

    def setup(self):
        self.denoise = self.load_denoiser(self.denoiser)

    def iterate(self, y, physics):
        f = data_term(physics, y)
        x = f.initial_guess()
        weight = self.reg * residual_scale(f.noise_level)
        # The gradients of the two terms have Lipschitz constants of 1 and weight.
        step = self.step / max(1, weight)
        sigmas = np.geomspace(self.sigma_start, self.sigma_end, self.n_iter)
        for sigma in (sigmas * denoiser_scale(f.noise_level)).tolist():
            noise = torch.randn(x.shape, generator=self.generator, device=x.device)
            residual = x - self.denoise(x + sigma * noise, sigma)
            gradient = f.grad(x) / f.lipschitz + weight * residual
            x = x - step * gradient
            yield x
