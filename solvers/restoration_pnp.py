from benchmark_utils.physics import Identity, data_term, denoiser_scale
from benchmark_utils.solving import Iterations, IterativeSolver, Range


class Solver(IterativeSolver):
    """A restoration network in place of the denoiser of plug-and-play.

        x_{k+1} = prox_{f / alpha}(R(x_k)),   alpha = reg noise^2 / sigma^2

    R never sees the degradation that it was trained to undo, so that it restores what
    needs no restoration: the baseline that FiRe improves on (Terris et al., 2025).
    R is told the noise level ``sigma``, which is for measurements with noise 0.01, and
    is multiplied by (noise / 0.01)^{0.6} (see ``denoiser_scale``).

    sigma : the noise level that R is told, for measurements with noise 0.01.
    reg : weight of the prior.
    """

    name = "Restoration-PnP"
    parameters = {
        "prior": ["sr2"],
        "networks": ["compact"],
        "sigma": ["tuned"],
        "reg": ["tuned"],
        "n_iter": ["tuned"],
    }
    search_space = {
        "sigma": Range(0.003, 0.3, default=0.03),
        "reg": Range(0.02, 300.0, default=0.18),
        "n_iter": Iterations(30, maximum=60),
    }
    always_shown = ("prior",)

    def check(self):
        self.check_restoration(self.prior, self.networks, degradation=Identity())

    def setup(self):
        self.R = self.load_restoration(
            self.prior, self.networks, degradation=Identity()
        )

    def iterate(self, y, physics):
        f = data_term(physics, y)
        sigma = self.sigma * denoiser_scale(f.noise_level)
        weight = sigma**2 / (self.reg * f.noise_level**2)
        x = f.initial_guess()
        for _ in range(self.n_iter):
            given = Identity(sigma)(x, self.generator)
            x = f.prox(self.R.restore(given, x.shape[-2:]), weight)
            yield x
