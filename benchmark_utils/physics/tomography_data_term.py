"""The data term of tomography: conjugate gradient with a preconditioner.

A^T A is near to a circular convolution (``Matrices.transfer``). Its inverse makes
conjugate gradient several times faster (Fessler and Booth, 1999, "Conjugate-gradient
preconditioning methods for shift-variant PET image reconstruction").
"""

import copy
import math

import torch

from benchmark_utils.physics.iterative import conjugate_gradient, spectral_projection
from benchmark_utils.physics.least_squares import KERNEL_THRESHOLD, DataTerm

# Residuals that are left, relative to the first ones: the error may be larger. A prox
# ends a few iterations after its start z, which is near: closer to the minimiser no
# PSNR changes by 0.1 dB.
PROX_TOLERANCE = 0.03
GUESS_TOLERANCE = 0.01
TOLERANCE = 1e-4

# Of the polynomial that stands for the projection on the range: the PSNRs of both parts
# are within 0.05 dB of those of a degree five times higher.
PROJECTION_DEGREE = 200


class TomographyDataTerm(DataTerm):
    """f where A^T A is near to a circular convolution of the image.

    A primal-dual method takes A itself into its dual (Chambolle and Pock, 2011), where
    the weights of the measurements are in closed form: f(x) = max_v <A x, v> - f*(v),
    here with A without weights.
    """

    has_filters = True

    def __init__(self, physics, y):
        super().__init__(physics, y)
        self.transfer = physics.matrices.transfer.to(y)
        self.mean_weight = 1.0
        if self.root_weights is not None:
            self.mean_weight = float(self.root_weights.square().mean())

    def prox(self, z, gamma):
        if gamma == 0:
            return z
        change = self._solve(
            gamma, 1.0, gamma * self.A_adjoint(self.y - self.A(z)), PROX_TOLERANCE
        )
        return z + change

    def pseudo_inverse(self, reg):
        return self._solve(1.0, reg, self.A_adjoint(self.y), TOLERANCE)

    def initial_guess(self):
        """The pseudo-inverse, regularised by 1% of ||A||^2, without any weights."""
        plain = copy.copy(self)
        plain.y, plain.root_weights, plain.mean_weight = self.measured, None, 1.0
        right = plain.A_adjoint(plain.y)
        return plain._solve(1.0, 0.01, right, GUESS_TOLERANCE)

    def _solve(self, data, identity, right, tolerance):
        """(data A^T A + identity)^{-1} right, with one iteration at least."""

        def operator(x):
            return data * self.A_adjoint(self.A(x)) + identity * x

        filter = 1 / (data * self.mean_weight * self.transfer + identity)
        return conjugate_gradient(
            operator,
            right,
            tol=tolerance,
            precondition=lambda v: filtered(v, filter),
        )

    def zero_dual(self):
        return torch.zeros_like(self.y)

    def dual_adjoint(self, v):
        """A^T v, without weights."""
        return self.physics.A_adjoint(v)

    def dual_prox(self, v, x, step):
        """The proximal operator of step f* at v + step A x."""
        weights = 1.0 if self.root_weights is None else self.root_weights.square()
        residual = self.physics.A(x) - self.measured
        return (v + step * residual) / (1 + step / weights)

    def inverse_filter(self, x, data, gradients):
        """(data H + gradients G)^{-1} x, with filters H >= A^T A and G >= grad^T grad.

        The finite differences of G wrap around.
        """
        height, width = x.shape[-2:]
        rows = torch.fft.fftfreq(height, device=x.device, dtype=x.dtype)[:, None]
        columns = torch.fft.rfftfreq(width, device=x.device, dtype=x.dtype)
        slopes = sum(2 - 2 * torch.cos(2 * math.pi * f) for f in (rows, columns))
        bound = self.physics.matrices.bound * self.transfer
        return filtered(x, 1 / (data * bound + gradients * slopes))

    def project_on_range(self, x):
        return spectral_projection(
            lambda v: self.A_adjoint(self.A(v)) / self.lipschitz,
            x,
            KERNEL_THRESHOLD,
            PROJECTION_DEGREE,
        )


def filtered(x, transfer):
    """x (B, C, H, W) convolved, circularly, with a filter: (H, W // 2 + 1)."""
    return torch.fft.irfft2(transfer * torch.fft.rfft2(x), s=x.shape[-2:])
