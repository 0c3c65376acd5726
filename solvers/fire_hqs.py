from dataclasses import replace
from itertools import pairwise

import numpy as np
import torch

from benchmark_utils.physics import Identity, Measurement, data_term, data_weight
from benchmark_utils.solving import IterativeSolver, Range

OPTIONS = {
    "degradation": ("own", "measurement", "none"),
    "init": ("initial_guess", "adjoint"),
    "output": ("data", "prior"),
}


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
        "degradation": ["own"],
        "gamma": ["tuned"],
        "lambda_": ["tuned"],
        "noise_start": ["tuned"],
        "noise": ["tuned"],
        "sigma_factor": ["tuned"],
        "strength": ["tuned"],
        "n_iter": [30],
        "shifts": [False],
        "average": [True],
        "init": ["initial_guess"],
        "output": ["data"],
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

    def setup(self):
        self.check_options()
        tasks = str(self.priors).split("+")
        # Another D than the network's own is made at each iteration.
        D = None if self.degradation == "own" else Identity()
        self.models = [
            self.load_restoration(
                task, self.networks, degradation=D, strength=self.strength
            )
            for task in tasks
        ]
        self.gammas = numbers(self.gamma, len(tasks))
        for gamma in self.gammas:
            self.search_space["gamma"].check("gamma", gamma)

    def check_options(self):
        for option, known in OPTIONS.items():
            if getattr(self, option) not in known:
                raise ValueError(
                    f"{option} must be one of {', '.join(known)}, not "
                    f"{getattr(self, option)!r}."
                )
        if self.shifts and self.degradation == "measurement":
            raise ValueError("D = A does not shift with the image: set shifts=False.")
        if self.degradation == "measurement":
            self.check_measurements()

    def check_measurements(self):
        """Networks that undo A restore its results in place: the sizes are the same."""
        for batch in self.batches:
            (_, height, width), (h, w) = batch.image_shape, batch.y.shape[-2:]
            if (h, w) != (height, width):
                raise ValueError(
                    f"D = A makes {h}x{w} pixels of {height}x{width}, which no network "
                    "here is trained to undo: set degradation=own."
                )

    def iterate(self, y, physics):
        f = data_term(physics, y)
        x = f.A_adjoint(y) if self.init == "adjoint" else f.initial_guess()
        weight = self.lambda_ * data_weight(physics)
        shown = x
        n_averaged = self.n_iter // 2 if self.average else 0
        first_averaged = self.n_iter - n_averaged
        levels = np.geomspace(self.noise_start, self.noise, first_averaged).tolist()
        levels += (n_averaged + 1) * [self.noise]  # One more for the last data term.
        for k, (noise, next_noise) in enumerate(pairwise(levels)):
            shift = self.draw_shift(x) if self.shifts else (0, 0)
            u = x
            for gamma, T in zip(self.gammas, self.models):
                if gamma != 0:
                    D = self.degradation_of(T, noise, physics)
                    u = u - gamma * (x - self.restored(T, D, x, shift))
            new = f.prox(u, weight * (next_noise / self.noise) ** 2)
            averaged = self.average and k > first_averaged
            share = 1 / (k - first_averaged + 1) if averaged else 1
            if self.output == "data":
                x = shown = x.lerp(new, share)
            else:
                x, shown = new, shown.lerp(u, share)
            yield shown

    def restored(self, T, D, x, shift):
        """R(D(x)), both on the shifted image."""
        degraded = D(x.roll(shift, (-2, -1)), self.generator)
        told = replace(degraded, sigma=self.sigma_factor * degraded.sigma)
        back = tuple(-s for s in shift)
        return T.restore(told, x.shape[-2:]).roll(back, (-2, -1))

    def degradation_of(self, T, noise, physics):
        if self.degradation == "measurement":
            return Measurement(physics)
        if self.degradation == "none":
            return Identity(noise)
        return replace(T.degradation, noise=(noise, noise))

    def draw_shift(self, x):
        """Rows and columns, each uniform in +-10% of the sides of x."""
        draws = torch.rand(2, generator=self.generator, device=self.device).tolist()
        return tuple(
            int((2 * u - 1) * 0.1 * side) for u, side in zip(draws, x.shape[-2:])
        )


def numbers(value, n):
    """``n`` numbers from one for all, a list, or text: 0.5, [0.5, 0.2], "0.5+0.2"."""
    if isinstance(value, str):
        try:
            value = [float(v) for v in value.split("+")]
        except ValueError:
            raise ValueError(
                f"gamma must be numbers, as 0.5 or 0.5+0.2, not {value!r}."
            ) from None
    values = list(value) if isinstance(value, list | tuple) else [value] * n
    if len(values) != n:
        raise ValueError(f"{n} priors need {n} values of gamma, not {len(values)}.")
    return values
