from benchmark_utils.common import COUNT, FLAG, NotApplicable, one_of, one_or_each
from benchmark_utils.physics import Identity, data_term, data_weight
from benchmark_utils.priors import Residuals, schedule
from benchmark_utils.solving import IterativeSolver, Range


class Solver(IterativeSolver):
    """FiRe: the fixed points of one or several restoration networks as a prior.

    Terris, Kamilov and Moreau (CVPR 2025). With T_n = R_n o D_n, where D_n is drawn
    anew at each iteration and all residuals are taken at the same x_k,

        x_{k+1} = prox_{lambda_k f}(x_k - sum_n gamma_n (x_k - T_n(x_k))),

    f(x) = 1/2 ||A x - y||^2. Where the T_n are orthogonal projections, lambda_k is
    constant and the gamma_n sum to less than 2, it converges to a minimiser of
    lambda f + sum_n gamma_n/2 ||x - T_n x||^2.

    lambda_ : weight of f for measurements with noise 0.01, the authors' only level; it
        is divided by the square of the noise level, as f is in a likelihood.
    priors : tasks joined by "+", "denoiser+deblur+sr2".
    networks : "compact" (this repository's) or "published".
    gamma : one weight for all priors, or one each: 0.5 or "0.5+0.2+0.3".
    noise_start, noise : the noise that each D adds goes from one to the other, on a
        logarithmic scale, in the iterations that are not averaged; lambda_k is
        lambda_ (noise_{k+1} / noise)^2: the data term is as firm as the noise that the
        next D adds allows, as in PnP-HQS.
    sigma_factor : R is told this many times the noise that D adds, since x_k has errors
        of its own. Networks that are not told a noise level ignore it.
    strength : how much of the ranges of the D_n is used, from the mild end (blur width,
        JPEG quality, share of missing pixels); 1 is what the networks were trained on.
    degradation : "own", the one that each network was trained to undo; "measurement",
        D = A, where y has the size of x; "none", D = identity: with gamma = 1,
        plug-and-play.
    shifts : T_n(x) is computed on x shifted by up to 10% of its sides (circularly).
    average : the noise of D stays what it is in the second half of the iterations, and
        they are replaced by their running mean; only what is shown is, with
        output = "prior".
    init : "initial_guess" (regularised pseudo-inverse) or "adjoint" (A^T y).
    output : "data", x_k, which ends with the data term; or "prior", the point where its
        proximal operator is taken, which ends with the networks, as in PnP-HQS.

    The authors' setting: noise_start = noise (0.05; uniform in [0, 0.1] with SCUNet,
    which is not possible here), sigma_factor = 1, strength = 1, gamma = 1 / number of
    priors, lambda_ = 20 to 100, 60 iterations (30 with several priors), shifts except
    with SR and inpainting networks, average except with a denoiser, init = "adjoint"
    for blurs.
    """

    name = "FiRe-HQS"
    parameters = {
        "priors": ["sr2"],
        "networks": ["compact"],
        "degradation": one_of("own", "measurement", "none")("own"),
        "gamma": ["tuned"],
        "lambda_": ["tuned"],
        "noise_start": ["tuned"],
        "noise": ["tuned"],
        "sigma_factor": ["tuned"],
        "strength": ["tuned"],
        "n_iter": COUNT(30),
        "shifts": FLAG(False),
        "average": FLAG(True),
        "init": one_of("initial_guess", "adjoint")("initial_guess"),
        "output": one_of("data", "prior")("data"),
    }
    search_space = {
        "gamma": Range(0.2, 1.6, 1.2, shared_by="priors", may_be_zero=True),
        "lambda_": Range(2.0, 100.0, default=12.0, may_be_zero=True),
        "noise_start": Range(0.05, 0.3, default=0.15),
        "noise": Range(0.004, 0.06, default=0.012),
        "sigma_factor": Range(1.0, 4.0, default=2.0),
        "strength": Range(0.1, 1.0, default=0.5),
    }
    always_shown = ("priors",)

    def check(self):
        for task in self.tasks():
            self.check_restoration(task, self.networks, **self.options())
        self.gammas = one_or_each("gamma", self.gamma, len(self.tasks()))
        for gamma in self.gammas:
            self.search_space["gamma"].check("gamma", gamma)
        if self.degradation == "measurement":
            self.check_measurements()

    def check_measurements(self):
        """Networks that undo A restore its results in place: the sizes are the same."""
        if self.shifts:
            raise NotApplicable(
                "D = A does not shift with the image: set shifts=False."
            )
        for batch in self.test:
            sizes = batch.signal_shape[-2:], batch.y.shape[-2:]
            if sizes[0] != sizes[1]:
                (height, width), (h, w) = sizes
                raise NotApplicable(
                    f"D = A makes {h}x{w} pixels of {height}x{width}, which no network "
                    "here is trained to undo: set degradation=own."
                )

    def tasks(self):
        return str(self.priors).split("+")

    def options(self):
        # Another D than the network's own is made at each iteration.
        D = None if self.degradation == "own" else Identity()
        return {"degradation": D, "strength": self.strength}

    def setup(self):
        self.models = [
            self.load_restoration(task, self.networks, **self.options())
            for task in self.tasks()
        ]

    def iterate(self, y, physics):
        f = data_term(physics, y)
        residuals = Residuals(
            self.models,
            self.gammas,
            self.degradation,
            self.sigma_factor,
            self.shifts,
            self.generator,
        )
        weight = self.lambda_ * data_weight(f.noise_level)
        x = physics.A_adjoint(y) if self.init == "adjoint" else f.initial_guess()
        shown = x
        for noise, next_noise, share in schedule(
            self.noise_start, self.noise, self.n_iter, self.average
        ):
            u = x - residuals(x, noise, physics)
            new = f.prox(u, weight * (next_noise / self.noise) ** 2)
            if self.output == "data":
                x = shown = x.lerp(new, share)
            else:
                x, shown = new, shown.lerp(u, share)
            yield shown
