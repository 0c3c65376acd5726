"""The base class of the solvers whose prior is one or several restoration networks."""

import deepinv as dinv

from benchmark_utils.common.errors import NotApplicable
from benchmark_utils.common.parameters import FLAG, one_of, one_or_each
from benchmark_utils.physics.degradations import Identity
from benchmark_utils.physics.noise import denoiser_scale, residual_scale
from benchmark_utils.physics.tomography import Tomography
from benchmark_utils.priors.fire import Residuals
from benchmark_utils.solving.search import Choice, Range
from benchmark_utils.solving.solver import IterativeSolver

OF_NO_IMAGE = (dinv.physics.MRI, dinv.physics.MultiCoilMRI, Tomography)


def hides_colours(physics):
    """Whether pixels are missing in some of their colours alone."""
    if not isinstance(physics, dinv.physics.Inpainting):
        return False
    return bool((physics.mask != physics.mask[:, :1]).any())


class RestorationPriors(IterativeSolver):
    """FiRe: the fixed points of the T_n = R_n o D_n as a prior.

    Terris, Kamilov and Moreau (CVPR 2025). What solvers define is ``iterate``, from
    ``residuals()``, ``level(f, noise)``, ``weight(f)`` and ``start(f)``.

    priors : tasks joined by "+", "denoiser+deblur+sr2", each of ``networks``, or of
        the family before it: "denoiser+published:sr2".
    networks : "compact" (this repository's) or "published".
    degradation : "own", the one that each network was trained to undo; "measurement",
        D = A, where y has the size of x; "none", D = identity: with gamma = 1,
        plug-and-play.
    gamma : one weight for all priors, or one each: 0.5 or "0.5+0.2+0.3".
    lambda_ : weight of f for measurements with noise 0.01, the authors' only level; it
        is divided by (noise / 0.01)^{0.8} (see ``residual_scale``).
    noise : the noise that each D adds (at last, where it decreases), for
        measurements with noise 0.01; it is multiplied by (noise / 0.01)^{0.6}.
    sigma_factor : R is told this many times the noise that D adds, since x_k has errors
        of its own. Networks that are not told a noise level ignore it.
    strength : how much of the ranges of the D_n is used, from the mild end (blur width,
        JPEG quality, share of missing pixels); 1 is what the networks were trained on.
    shifts : T_n(x) is computed on x shifted by up to 10% of its sides (circularly).
    average : the last iterations are averaged.
    init : what comes first, "initial_guess" (regularised pseudo-inverse) or "adjoint"
        (A^T y).
    """

    parameters = {
        "priors": ["sr2"],
        "networks": ["compact"],
        "degradation": one_of("own", "measurement", "none")("own"),
        "gamma": ["tuned"],
        "lambda_": ["tuned"],
        "noise": ["tuned"],
        "sigma_factor": ["tuned"],
        "strength": ["tuned"],
        "n_iter": ["tuned"],
        "shifts": FLAG(False),
        "average": FLAG(True),
        "init": one_of("initial_guess", "adjoint")("initial_guess"),
    }
    search_space = {
        "gamma": Range(0.05, 1.9, 1.2, shared_by="priors", may_be_zero=True),
        "lambda_": Range(1.0, 200.0, default=12.0, may_be_zero=True),
        "noise": Range(0.002, 0.1, default=0.012),
        "sigma_factor": Range(0.5, 8.0, default=2.0),
        "strength": Range(0.02, 1.0, default=0.5, limits=(0, 1)),
        "n_iter": Choice(30, (8, 15, 30, 60)),
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
        """Networks that undo A restore its results in place: these are images too."""
        if self.shifts:
            raise NotApplicable(
                "D = A does not shift with the image: set shifts=False."
            )
        for batch in self.test:
            if isinstance(batch.physics, OF_NO_IMAGE):
                raise NotApplicable(
                    "D = A makes no image, but k-space or a sinogram, which no network "
                    "here is trained to undo: set degradation=own."
                )
            if hides_colours(batch.physics):
                raise NotApplicable(
                    "D = A hides other pixels of each colour, which no network here is "
                    "trained to undo: set degradation=own."
                )
            if batch.signal_shape != tuple(batch.y.shape[1:]):
                raise NotApplicable(
                    f"D = A makes {tuple(batch.y.shape[1:])} of images of shape "
                    f"{batch.signal_shape}, which no network here is trained to undo: "
                    "set degradation=own."
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

    def residuals(self):
        """residuals(x, noise, physics): sum_n gamma_n (x - T_n(x))."""
        return Residuals(
            self.models,
            self.gammas,
            self.degradation,
            self.sigma_factor,
            self.shifts,
            self.generator,
        )

    def level(self, f, noise):
        """``noise``, which is for 0.01, for the measurements of the data term ``f``."""
        return noise * denoiser_scale(f.noise_level)

    def weight(self, f):
        """lambda, for the noise of the measurements of ``f``."""
        return self.lambda_ / residual_scale(f.noise_level)

    def start(self, f, y):
        """The first iterate."""
        return f.physics.A_adjoint(y) if self.init == "adjoint" else f.initial_guess()
