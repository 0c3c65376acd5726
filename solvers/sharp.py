from dataclasses import replace

from benchmark_utils.common import POSITIVE, NotApplicable
from benchmark_utils.physics import adjoint, data_term, denoiser_scale, residual_scale
from benchmark_utils.priors import family_and_task
from benchmark_utils.solving import Iterations, IterativeSolver, Range


class Solver(IterativeSolver):
    """Stochastic deep restoration prior: a gradient step with a new D each time.

    Hu et al. (2024), "Stochastic Deep Restoration Priors for Imaging Inverse
    Problems". With H the linear part of the degradation drawn at iteration k, and
    x_R = R(H x_k + noise),

        x_{k+1} = x_k - step (A^T (A x_k - y) / ||A||^2 + weight H^T H (x_k - x_R))

    so that the prior only speaks of what H keeps. JPEG is not linear, and refused.
    ``noise``, that of the degradation, is for measurements with noise 0.01, and is
    multiplied by (theirs / 0.01)^{0.6} (see ``denoiser_scale``); weight = reg
    (theirs / 0.01)^{0.8}, and step is divided by it where it is above 1.

    step : of the gradient, over 1 / ||A||^2.
    reg : weight of the prior, for measurements with noise 0.01.
    noise : that of the degradation, for measurements with noise 0.01.
    """

    name = "SHARP"
    parameters = {
        "prior": ["deblur"],
        "networks": ["compact"],
        "n_iter": ["tuned"],
        "step": POSITIVE(0.9),
        "reg": ["tuned"],
        "noise": ["tuned"],
    }
    search_space = {
        "n_iter": Iterations(60, maximum=150),
        "reg": Range(0.003, 2.0, default=0.1, may_be_zero=True),
        "noise": Range(0.002, 0.2, default=0.03, may_be_zero=True),
    }
    always_shown = ("prior",)
    requires_grad = True

    def check(self):
        if family_and_task(self.prior)[1] == "jpeg":
            raise NotApplicable("SHARP needs a linear degradation, and JPEG is not.")
        self.check_restoration(self.prior, self.networks)

    def setup(self):
        self.R = self.load_restoration(self.prior, self.networks)

    def iterate(self, y, physics):
        f = data_term(physics, y)
        noise = self.noise * denoiser_scale(f.noise_level)
        D = replace(self.R.degradation, noise=(noise, noise))
        weight = self.reg * residual_scale(f.noise_level)
        # The gradients of the two terms have Lipschitz constants of 1 and weight.
        step = self.step / max(1, weight)
        x = f.initial_guess()
        for _ in range(self.n_iter):
            degraded = D(x, self.generator)
            H = degraded.operator
            if H is None:
                raise NotApplicable(
                    f"SHARP needs a linear degradation, and that of {self.prior} is "
                    "not."
                )
            residual = x - self.R.restore(degraded, x.shape[-2:])
            prior_gradient = adjoint(H, x, H(residual))
            data_gradient = f.grad(x) / f.lipschitz
            x = x - step * (data_gradient + weight * prior_gradient)
            yield x
