from deepinv.optim.linear import conjugate_gradient

from benchmark_utils.common import COUNT, NotApplicable
from benchmark_utils.physics import (
    REFERENCE_NOISE,
    Degraded,
    Downscaling,
    adjoint,
    data_term,
)
from benchmark_utils.priors import family_and_task
from benchmark_utils.solving import Iterations, IterativeSolver, Range


class Solver(IterativeSolver):
    """Deep restoration prior: a super-resolution network inside a scaled prox.

    Hu et al. (ICLR 2024), "A Restoration Network as an Implicit Prior", with H the
    bicubic downscaling, without noise, that R undoes:

        s = x_k - tau (x_k - R(H x_k))
        x_{k+1} = argmin_x 1/2 ||H (x - s)||^2 + weight/2 ||A x - y||^2

    The last step is ``n_cg`` iterations of conjugate gradient from s, as the authors
    do: H has a kernel, and stopping early keeps s there. They take 3, for blurs; but
    the minimiser keeps the local means of s, so that what y adds to known pixels goes
    off the missing ones around, and the third iteration comes near it. ``noise`` is the
    noise level that R is told, to choose how much it smooths, whatever that of the
    measurements. weight = (0.01 / noise of y)^5 / reg: any above 0.4 is as good on
    motion blur with noise 0.01, and the best one is near 0.015 at 0.05, for nothing
    else than a small weight keeps the noise out of what H loses.

    The details that H loses come from y alone where A keeps them, with their noise: on
    the denoising problem, x stays close to y.

    n_cg : iterations of conjugate gradient.
    tau : step towards R(H x).
    reg : inverse of the weight of the data term, for noise 0.01.
    noise : the noise level that R is told.
    """

    name = "DRP"
    parameters = {
        "prior": ["sr2"],
        "networks": ["compact"],
        "n_iter": ["tuned"],
        "n_cg": COUNT(2),
        "tau": ["tuned"],
        "reg": ["tuned"],
        "noise": ["tuned"],
    }
    search_space = {
        "n_iter": Iterations(30, maximum=60),
        "tau": Range(0.03, 1.5, default=0.3, limits=(0, 1.99)),
        "reg": Range(0.001, 10.0, default=0.05),
        "noise": Range(0.001, 0.3, default=0.03, may_be_zero=True),
    }
    requires_grad = True

    def check(self):
        _, self.task = family_and_task(self.prior)
        if not self.task.startswith("sr"):
            raise NotApplicable(
                f"DRP takes an SR prior (sr2 or sr3), not {self.prior}."
            )
        self.check_restoration(self.prior, self.networks)

    def setup(self):
        self.R = self.load_restoration(self.prior, self.networks)
        self.factor = int(self.task[2:])
        self.H = Downscaling(self.factor).downscale

    def iterate(self, y, physics):
        f = data_term(physics, y)
        weight = (REFERENCE_NOISE / f.noise_level) ** 5 / self.reg
        x = f.initial_guess()

        def normal_operator(z):
            data = f.A_adjoint(f.A(z))
            return adjoint(self.H, z, self.H(z)) + weight * data

        for _ in range(self.n_iter):
            small = self.H(x)
            sigma = small.new_full((len(small),), self.noise)
            restored = self.R.restore(
                Degraded(small, sigma, factor=self.factor), x.shape[-2:]
            )
            s = x - self.tau * (x - restored)
            target = adjoint(self.H, s, self.H(s)) + weight * f.A_adjoint(f.y)
            x = conjugate_gradient(
                normal_operator, target, init=s, max_iter=self.n_cg, tol=0.0
            )
            yield x
