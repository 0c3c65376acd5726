"""The data term f, its proximal operator, and ker A.

    f(x) = 1/2 ||A x - y||^2,   prox(z) = argmin_x gamma f(x) + 1/2 ||x - z||^2

Noise whose variance v_i differs from value to value (Poisson) makes it a weighted least
squares, f(x) = 1/2 sum_i w_i (A x - y)_i^2 with w_i = level^2 / v_i: A and y stand for
W^{1/2} A and W^{1/2} y everywhere below, and the noise has one level again.

Here, A is any linear operator, and the equations are solved by conjugate gradient.
"""

import copy
from functools import cached_property
from weakref import WeakKeyDictionary

import torch
from torch.utils.weak import WeakTensorKeyDictionary

from benchmark_utils.physics.iterative import (
    conjugate_gradient,
    largest_eigenvalue,
    spectral_projection,
)
from benchmark_utils.physics.noise import is_signal_dependent, noise_level, variance

# ||W^{1/2} A||^2 by the physics, and by the measurements that W comes from.
WEIGHTED_NORMS = WeakKeyDictionary()

# Relative to the largest singular value of A: a direction that A dampens below this
# counts as lost. With noise 0.01, inverting it would give noise 0.2 or more.
KERNEL_THRESHOLD = 0.05


class DataTerm:
    """f for one batch, through A and A^T alone.

    Parameters
    ----------
    physics : deepinv.physics.LinearPhysics
    y : tensor (B, ...), on the device of ``physics``.
    """

    # Whether A^T A has a bound that is a filter: see TomographyDataTerm.
    has_filters = False
    # Whether ``prox`` is one formula, which autograd goes through, and no iterations.
    has_closed_prox = False

    def __init__(self, physics, y):
        self.physics, self.y, self.measured = physics, y, y
        self.noise_level = noise_level(physics, y)
        # W^{1/2}; None where the noise has one level.
        self.root_weights = None
        if is_signal_dependent(physics):
            self.root_weights = self.noise_level * variance(physics, y).rsqrt()
            self.y = self.root_weights * y

    def prepare(self):
        """Compute what belongs to the operator, and is found again by its copies."""
        _ = self.lipschitz

    def A(self, x):
        return self._weighted(self.physics.A(x))

    def A_adjoint(self, y):
        return self.physics.A_adjoint(self._weighted(y))

    def gram(self, x):
        """A^T A x, with the shape of x."""
        return self.A_adjoint(self.A(x))

    def _weighted(self, y):
        return y if self.root_weights is None else self.root_weights * y

    def without(self, x):
        """The data term of what is left to explain once x is known: y - A x."""
        rest = copy.copy(self)
        rest.y = self.y - self.A(x)
        return rest

    def value(self, x):
        """f of each signal: tensor (B,)."""
        return 0.5 * (self.A(x) - self.y).flatten(1).square().sum(1)

    def grad(self, x):
        """A^T (A x - y), with the shape of x."""
        return self.A_adjoint(self.A(x) - self.y)

    @cached_property
    def lipschitz(self):
        """||A||^2, the Lipschitz constant of ``grad``.

        It is computed once for an operator, or for measurements, if they have weights.
        """
        if self.root_weights is not None:
            norms = WEIGHTED_NORMS.setdefault(self.physics, WeakTensorKeyDictionary())
            if self.measured not in norms:
                norms[self.measured] = self._norm_by_power_method()
            return norms[self.measured]
        if not hasattr(self.physics, "squared_norm"):
            self.physics.squared_norm = self._norm_by_power_method()
        return self.physics.squared_norm

    def _norm_by_power_method(self):
        start = torch.zeros_like(self.A_adjoint(self.y))
        return largest_eigenvalue(self.gram, start)

    @property
    def n_measurements(self):
        """How many values of y carry information, 1 at least: int, or (B,)."""
        return self.y[0].numel()

    def prox(self, z, gamma):
        """argmin_x gamma f(x) + 1/2 ||x - z||^2, for gamma >= 0.

        Conjugate gradient on the change x - z, from zero, until the residual is a
        share of the first one: the tolerance follows gamma, and the closer z is to
        the solution, the fewer iterations there are to do.
        """
        if gamma == 0:
            return z
        change = conjugate_gradient(
            lambda d: d + gamma * self.gram(d),
            gamma * self.A_adjoint(self.y - self.A(z)),
        )
        return z + change

    def pseudo_inverse(self, reg):
        """A^T (A A^T + reg)^{-1} y: the Tikhonov solution; A^+ y for reg = 0."""
        return conjugate_gradient(
            lambda x: self.gram(x) + reg * x, self.A_adjoint(self.y)
        )

    def initial_guess(self):
        """A first iterate: the pseudo-inverse, regularised by 1% of ||A||^2."""
        return self.pseudo_inverse(0.01 * self.lipschitz)

    @property
    def has_kernel(self):
        """Whether the measurements say nothing of some part of x, as far as is known.

        Directions dampened below KERNEL_THRESHOLD count as lost.
        """
        return True

    def project_on_range(self, x):
        """The part of x that the measurements determine.

        It is spanned by the singular vectors of A whose values are above
        KERNEL_THRESHOLD times the largest: A^+ A x where no other one is above 0.
        """
        return spectral_projection(
            lambda x: self.gram(x) / self.lipschitz, x, KERNEL_THRESHOLD
        )

    def range_and_kernel_energy(self, x):
        """Squared norms of what the measurements determine of x, and of the rest: (B,).

        <x, P x> in place of ||P x||^2: on both sides of the threshold, where the
        projection P is smooth, the errors of the first make up for each other.
        """
        seen = self.project_on_range(x)
        lost = x - seen if self.has_kernel else torch.zeros_like(x)
        return tuple((x * part).flatten(1).sum(1).clamp(min=0) for part in (seen, lost))
