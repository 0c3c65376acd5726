import torch

from benchmark_utils.physics import data_term
from benchmark_utils.priors import running_mean
from benchmark_utils.solving import Range, RestorationPriors


class Solver(RestorationPriors):
    """FiRe's restoration priors in ADMM, as a denoiser is in PnP-ADMM.

    With T_n = R_n o D_n (Terris, Kamilov and Moreau, CVPR 2025), D_n drawn anew at each
    iteration and all residuals taken at the same point,

        x = prox_{lambda f}(z - u),  v = x + u,
        z = v - sum_n gamma_n (v - T_n(v)),  u = v - z

    f(x) = 1/2 ||A x - y||^2. Where T is the orthogonal projection on a subspace C and
    gamma < 1, z is a proximal operator, and it converges to a minimiser of
    lambda f + mu/2 d_C^2, mu = gamma / (1 - gamma); to one of f on C for gamma = 1.
    With D = identity, a denoiser and gamma = 1, it is PnP-ADMM.

    noise : the noise that each D adds, for measurements with noise 0.01; it is
        multiplied by (noise / 0.01)^{0.6}, and does not change over the iterations.
    average : the running mean of the last third of the z is shown.
    """

    name = "FiRe-ADMM"
    parameters = RestorationPriors.parameters
    search_space = RestorationPriors.search_space | {
        "gamma": Range(0.05, 1.9, 1.0, shared_by="priors", may_be_zero=True),
        "lambda_": Range(5.0, 2000.0, default=170.0, may_be_zero=True),
        "noise": Range(0.005, 0.2, default=0.04),
    }

    def iterate(self, y, physics):
        f = data_term(physics, y)
        residuals, weight, z = self.residuals(), self.weight(f), self.start(f, y)
        noise = self.level(f, self.noise)
        n_averaged = self.n_iter // 3 if self.average else 0
        u, shown = torch.zeros_like(z), z
        for share in running_mean(self.n_iter, n_averaged):
            x = f.prox(z - u, weight)
            v = x + u
            z = v - residuals(v, noise, physics)
            u = v - z
            shown = shown.lerp(z, share)
            yield shown
