from benchmark_utils.common import COUNT
from benchmark_utils.physics import Identity, data_term, data_weight
from benchmark_utils.solving import IterativeSolver, Range


class Solver(IterativeSolver):
    """A restoration network in place of the denoiser of plug-and-play.

        x_{k+1} = prox_{lambda_ f}(R(x_k))

    R never sees the degradation that it was trained to undo, so that it restores what
    needs no restoration: the baseline that FiRe improves on (Terris et al., 2025).
    ``noise`` is the noise level that R is told; ``lambda_`` is for measurements with
    noise 0.01, and is divided by the square of the noise level.
    """

    name = "Restoration-PnP"
    parameters = {
        "prior": ["sr2"],
        "networks": ["compact"],
        "lambda_": ["tuned"],
        "noise": ["tuned"],
        "n_iter": COUNT(30),
    }
    search_space = {
        "lambda_": Range(1.0, 1000.0, default=50.0, may_be_zero=True),
        "noise": Range(0.003, 0.15, default=0.03, may_be_zero=True),
    }
    always_shown = ("prior",)

    def check(self):
        self.check_restoration(
            self.prior, self.networks, degradation=Identity(self.noise)
        )

    def setup(self):
        self.R = self.load_restoration(
            self.prior, self.networks, degradation=Identity(self.noise)
        )

    def iterate(self, y, physics):
        f = data_term(physics, y)
        weight = self.lambda_ * data_weight(f.noise_level)
        x = f.initial_guess()
        for _ in range(self.n_iter):
            x = f.prox(self.R(x, self.generator), weight)
            yield x
