from benchmark_utils.common import one_of
from benchmark_utils.physics import data_term
from benchmark_utils.priors import decreasing
from benchmark_utils.solving import Range, RestorationPriors


class Solver(RestorationPriors):
    """FiRe: the fixed points of one or several restoration networks as a prior.

    Terris, Kamilov and Moreau (CVPR 2025). With T_n = R_n o D_n, where D_n is drawn
    anew at each iteration and all residuals are taken at the same x_k,

        x_{k+1} = prox_{lambda_k f}(x_k - sum_n gamma_n (x_k - T_n(x_k))),

    f(x) = 1/2 ||A x - y||^2. Where the T_n are orthogonal projections, lambda_k is
    constant and the gamma_n sum to less than 2, it converges to a minimiser of
    lambda f + sum_n gamma_n/2 ||x - T_n x||^2.

    noise_start : the noise that each D adds goes from it to that of ``noise``, both for
        measurements with noise 0.01, on a logarithmic scale, in the iterations that are
        not averaged; lambda_k is lambda (noise_{k+1} / noise)^2: the data term is as
        firm as the noise that the next D adds allows, as in PnP-HQS.
    average : the noise of D stays what it is in the second half of the iterations, and
        they are replaced by their running mean; only what is shown is, with
        output = "prior".
    output : "data", x_k, which ends with the data term; or "prior", the point where its
        proximal operator is taken, which ends with the networks, as in PnP-HQS.

    The authors' setting: noise_start = noise (0.05; uniform in [0, 0.1] with SCUNet,
    which is not possible here), sigma_factor = 1, strength = 1, gamma = 1 / number of
    priors, lambda_ = 20 to 100, 60 iterations (30 with several priors), shifts except
    with SR and inpainting networks, average except with a denoiser, init = "adjoint"
    for blurs.
    """

    name = "FiRe-HQS"
    parameters = RestorationPriors.parameters | {
        "noise_start": ["tuned"],
        "output": one_of("data", "prior")("data"),
    }
    search_space = RestorationPriors.search_space | {
        "noise_start": Range(0.02, 0.6, default=0.15),
    }

    def iterate(self, y, physics):
        f = data_term(physics, y)
        residuals, weight, x = self.residuals(), self.weight(f), self.start(f, y)
        first, last = self.level(f, self.noise_start), self.level(f, self.noise)
        n_averaged = self.n_iter // 2 if self.average else 0
        shown = x
        for noise, next_noise, share in decreasing(
            first, last, self.n_iter, n_averaged
        ):
            u = x - residuals(x, noise, physics)
            new = f.prox(u, weight * (next_noise / last) ** 2)
            if self.output == "data":
                x = shown = x.lerp(new, share)
            else:
                x, shown = new, shown.lerp(u, share)
            yield shown
