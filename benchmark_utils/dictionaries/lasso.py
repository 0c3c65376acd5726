"""The data terms of sparse coding: 1/2 ||y - M z||^2, for each kind of M.

For vectors, M = A D: the atoms of a dictionary D, and what measures them, the A of
``sparse_coding``. ``vector_lasso`` chooses the class. Signals and codes are rows.
"""

from abc import ABC, abstractmethod
from functools import cached_property

import torch

from benchmark_utils.dictionaries.checks import check_operator


class Lasso(ABC):
    """1/2 ||y - M z||^2 for a batch of signals. Subclasses say what M is.

    Attributes
    ----------
    lipschitz : float, or tensor (B, 1, ...)
        At least ||M||^2, for all the signals or for each.
    energy : tensor (B,)
        ||y||^2.
    code_shape : tuple (B, ...)
    """

    @abstractmethod
    def correlation(self, z, out=None):
        """M^T (y - M z), minus the gradient: the shape of z. In ``out``, if given."""

    @cached_property
    def correlation_at_zero(self):
        return self.correlation(self.zeros())

    @property
    def step(self):
        tiny = torch.finfo(self.energy.dtype).tiny
        if torch.is_tensor(self.lipschitz):
            return 1 / self.lipschitz.clamp(min=tiny)
        return 1 / max(self.lipschitz, tiny)

    def zeros(self):
        return self.energy.new_zeros(self.code_shape)

    def lambda_max(self, nonnegative=False):
        """The smallest lam for which the code of each signal is zero: (B,)."""
        return largest(self.correlation_at_zero, nonnegative)

    def residual_energy(self, z, correlation):
        """||y - M z||^2 of each signal: (B,). ``correlation`` is that of z."""
        explained = inner(z, self.correlation_at_zero + correlation)
        return (self.energy - explained).clamp(min=0)

    def value(self, z, lam):
        """1/2 ||y - M z||^2 + lam ||z||_1 of each signal: (B,)."""
        residual = self.residual_energy(z, self.correlation(z))
        return residual / 2 + lam * z.flatten(1).abs().sum(1)

    def gap(self, z, lam, nonnegative=False):
        """Duality gap of each signal, at least its cost minus the least cost: (B,).

        The dual point is the residual r = y - M z times s, the scale that maximises
        the dual among those where |M^T s r| <= lam (Fercoq, Gramfort, Salmon, 2015).
        """
        correlation = self.correlation(z)
        residual = self.residual_energy(z, correlation)
        aligned = inner(z, correlation)
        tiny = torch.finfo(z.dtype).tiny
        feasible = lam / largest(correlation, nonnegative).clamp(min=tiny)
        scale = (1 + aligned / residual.clamp(min=tiny)).clamp(min=0).minimum(feasible)
        l1 = lam * z.flatten(1).abs().sum(1)
        return ((1 - scale) ** 2 * residual / 2 + l1 - scale * aligned).clamp(min=0)


class MatrixLasso(Lasso):
    """M is a matrix (m, K), applied and transposed at each iteration."""

    def __init__(self, y, M):
        self.y, self.M = y, M
        self.energy = inner(y, y)
        self.code_shape = (len(y), M.shape[1])
        self.lipschitz = spectral_radius(_smaller_gram(M))

    def correlation(self, z, out=None):
        residual = torch.addmm(self.y, z, self.M.T, alpha=-1)
        return torch.mm(residual, self.M, out=out)


class GramLasso(Lasso):
    """M is a matrix (m, K) that is only needed as M^T M (K, K) and M^T y."""

    def __init__(self, y, M):
        self.gram, self.correlation_at_zero = M.T @ M, y @ M
        self.energy = inner(y, y)
        self.code_shape = (len(y), M.shape[1])
        self.lipschitz = spectral_radius(_smaller_gram(M))

    def correlation(self, z, out=None):
        return torch.addmm(self.correlation_at_zero, z, self.gram, alpha=-1, out=out)


class MaskLasso(Lasso):
    """Signal i is D z_i where its mask (B, n) is True. ||M_i|| <= ||D||."""

    def __init__(self, y, D, mask):
        self.mask, self.D = mask.to(y.dtype), D
        self.y = self.mask * y
        self.energy = inner(self.y, self.y)
        self.code_shape = (len(y), D.shape[1])
        self.lipschitz = spectral_radius(_smaller_gram(D))

    def correlation(self, z, out=None):
        residual = torch.addmm(self.y, z, self.D.T, alpha=-1) * self.mask
        return torch.mm(residual, self.D, out=out)


def vector_lasso(y, D, A=None, n_iter=100):
    """1/2 ||y - A D z||^2, in the form that makes ``n_iter`` iterations the cheapest.

    Raises
    ------
    ValueError
        Shapes that do not fit together.
    """
    check_operator(y, D, A)
    if A is not None and A.dtype == torch.bool:
        return MaskLasso(y, D, A)
    M = D if A is None else A @ D
    (m, K), B = M.shape, len(y)
    with_gram = K * m * (K + B) + n_iter * B * K * K
    return GramLasso(y, M) if with_gram < n_iter * 2 * B * m * K else MatrixLasso(y, M)


def spectral_radius(gram):
    """Of a semi-definite matrix (n, n), as a float, never below by a rounding error."""
    eigenvalues = torch.linalg.eigvalsh(gram.detach())
    return max(float(eigenvalues[-1]), 0.0) * (1 + 1e-5)


def _smaller_gram(M):
    """M M^T or M^T M, whichever is smaller: they have the same largest eigenvalue."""
    return M @ M.T if len(M) < M.shape[1] else M.T @ M


def inner(a, b):
    """<a, b> of each signal: (B,)."""
    return torch.linalg.vecdot(a.flatten(1), b.flatten(1))


def largest(correlation, nonnegative):
    """The largest of |M^T r|, or of M^T r where codes are not negative: (B,)."""
    correlation = correlation.flatten(1)
    return (
        correlation.amax(1).clamp(min=0) if nonnegative else correlation.abs().amax(1)
    )
