from benchmark_utils.common import COUNT
from benchmark_utils.physics import data_term
from benchmark_utils.solving import IterativeSolver, Range


class Solver(IterativeSolver):
    """Plug-and-play proximal gradient descent, at a fixed noise level.

    Venkatakrishnan et al. (2013) for the idea, Kamilov et al. (2017) for this form:

        x_{k+1} = denoiser(x_k - step A^T (A x_k - y) / ||A||^2, sigma)
    """

    name = "PnP-PGD"
    parameters = {
        "denoiser": ["compact"],
        "n_iter": COUNT(20),
        "sigma": ["tuned"],
        "step": ["tuned"],
    }
    # Gradient descent itself diverges with a step of 2.
    search_space = {
        "sigma": Range(0.003, 0.2, default=0.03),
        "step": Range(0.3, 1.9, default=1.0),
    }

    def check(self):
        self.check_denoiser(self.denoiser)

    def setup(self):
        self.denoise = self.load_denoiser(self.denoiser)

    def iterate(self, y, physics):
        f = data_term(physics, y)
        step = self.step / f.lipschitz
        x = f.initial_guess()
        for _ in range(self.n_iter):
            x = self.denoise(x - step * f.grad(x), self.sigma)
            yield x
