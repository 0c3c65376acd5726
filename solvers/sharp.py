from benchmark_utils.common import POSITIVE, NotApplicable
from benchmark_utils.physics import REFERENCE_NOISE, adjoint, data_term
from benchmark_utils.solving import Iterations, IterativeSolver, Range


class Solver(IterativeSolver):
    """Stochastic deep restoration prior: a gradient step with a new D each time.

    Hu et al. (ICLR 2025), "Stochastic Deep Restoration Priors for Imaging Inverse
    Problems". With H the linear part of the degradation drawn at iteration k, and
    x_R = R(H x_k + noise),

        x_{k+1} = x_k - step (A^T (A x_k - y) / ||A||^2 + weight H^T H (x_k - x_R))

    so that the prior only speaks of what H keeps. JPEG is not linear, and refused.
    weight = reg noise / 0.01, with the noise of the measurements; ``noise`` is that of
    the degradation.
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
        "reg": Range(0.003, 1.0, default=0.1, may_be_zero=True),
        "noise": Range(0.003, 0.1, default=0.03, may_be_zero=True),
    }
    always_shown = ("prior",)
    requires_grad = True

    def check(self):
        if self.prior == "jpeg":
            raise NotApplicable("SHARP needs a linear degradation, and JPEG is not.")
        self.check_restoration(self.prior, self.networks)

    def setup(self):
        self.R = self.load_restoration(
            self.prior, self.networks, noise=(self.noise, self.noise)
        )

    def iterate(self, y, physics):
        f = data_term(physics, y)
        weight = self.reg * f.noise_level / REFERENCE_NOISE
        x = f.initial_guess()
        for _ in range(self.n_iter):
            degraded = self.R.degradation(x, self.generator)
            H = degraded.operator
            residual = x - self.R.restore(degraded, x.shape[-2:])
            prior_gradient = adjoint(H, x, H(residual))
            data_gradient = f.grad(x) / f.lipschitz
            x = x - self.step * (data_gradient + weight * prior_gradient)
            yield x
