from benchmark_utils.physics import data_term, denoiser_scale
from benchmark_utils.solving import Iterations, IterativeSolver, Range


class Solver(IterativeSolver):
    """Plug-and-play proximal gradient descent, with a relaxed denoiser.

    Venkatakrishnan et al. (2013) for the idea, Kamilov et al. (2017) for this form,
    Hurault et al. (2024), "Convergent plug-and-play with proximal denoiser and
    unconstrained regularization parameter", for the relaxation:

        z_k = x_k - step A^T (A x_k - y) / ||A||^2
        x_{k+1} = (1 - gamma) z_k + gamma denoiser(z_k, sigma)

    gamma sigma^2 = reg step noise^2 / ||A||^2 is what the prior of the objective
    1/2 ||A x - y||^2 / noise^2 + reg g(x) removes after such a step. With gamma = 1, a
    network is asked for too low a sigma to be a contraction where A sees nothing, and
    the iterates diverge after some tens of iterations. ``sigma`` is for measurements
    with noise 0.01, is multiplied by (noise / 0.01)^{0.6} (see ``denoiser_scale``), and
    is raised where gamma would be above 1.

    sigma : the noise level that the denoiser is told, for measurements with noise 0.01.
    reg : weight of the prior.
    step : of the gradient, over 1 / ||A||^2.
    """

    name = "PnP-PGD"
    parameters = {
        "denoiser": ["compact"],
        "n_iter": ["tuned"],
        "sigma": ["tuned"],
        "reg": ["tuned"],
        "step": ["tuned"],
    }
    # By default, gamma = 1 at noise 0.01, as where nothing is relaxed. Gradient descent
    # itself diverges with a step of 2.
    search_space = {
        "n_iter": Iterations(20, maximum=40),
        "sigma": Range(0.003, 0.2, default=0.03),
        "reg": Range(0.05, 20.0, default=9.0),
        "step": Range(0.3, 1.9, default=1.0, limits=(0, 1.99)),
    }

    def check(self):
        self.check_denoiser(self.denoiser)

    def setup(self):
        self.denoise = self.load_denoiser(self.denoiser)

    def iterate(self, y, physics):
        f = data_term(physics, y)
        step = self.step / f.lipschitz
        removed = (self.reg * step) ** 0.5 * f.noise_level
        sigma = max(self.sigma * denoiser_scale(f.noise_level), removed)
        gamma = (removed / sigma) ** 2
        x = f.initial_guess()
        for _ in range(self.n_iter):
            z = x - step * f.grad(x)
            x = z.lerp(self.denoise(z, sigma), gamma)
            yield x
