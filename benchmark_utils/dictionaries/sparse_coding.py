"""Sparse coding by FISTA: many signals at once, any linear measurements.

    min_z 1/2 ||y - A D z||^2 + lam ||z||_1                                       (1)

Signals are rows: y (B, m) holds B of them, their codes are z (B, K), and the signals
themselves are x = z D^T (B, n). The atoms are the columns of D (n, K). What measures
them, A, is one of

- None: the identity;
- a matrix (m, n), the same for all the signals of the batch;
- a boolean tensor (B, n): a mask for each signal, True where it is known.

Several operators are several calls, each with its own Lipschitz constant. Images have
convolutional dictionaries: benchmark_utils/dictionaries/convolutional.py.
"""

import warnings
from abc import ABC, abstractmethod
from functools import cached_property
from itertools import islice
from math import isfinite
from numbers import Real

import torch

from benchmark_utils.common.momentum import next_momentum

# The duality gap costs about one iteration: it is computed every so many of them.
GAP_PERIOD = 10


# What FISTA needs to know of the data term


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
        self.lipschitz = largest_eigenvalue(_smaller_gram(M))

    def correlation(self, z, out=None):
        residual = torch.addmm(self.y, z, self.M.T, alpha=-1)
        return torch.mm(residual, self.M, out=out)


class GramLasso(Lasso):
    """M is a matrix (m, K) that is only needed as M^T M (K, K) and M^T y."""

    def __init__(self, y, M):
        self.gram, self.correlation_at_zero = M.T @ M, y @ M
        self.energy = inner(y, y)
        self.code_shape = (len(y), M.shape[1])
        self.lipschitz = largest_eigenvalue(_smaller_gram(M))

    def correlation(self, z, out=None):
        return torch.addmm(self.correlation_at_zero, z, self.gram, alpha=-1, out=out)


class MaskLasso(Lasso):
    """Signal i is D z_i where its mask (B, n) is True. ||M_i|| <= ||D||."""

    def __init__(self, y, D, mask):
        self.mask, self.D = mask.to(y.dtype), D
        self.y = self.mask * y
        self.energy = inner(self.y, self.y)
        self.code_shape = (len(y), D.shape[1])
        self.lipschitz = largest_eigenvalue(_smaller_gram(D))

    def correlation(self, z, out=None):
        residual = torch.addmm(self.y, z, self.D.T, alpha=-1) * self.mask
        return torch.mm(residual, self.D, out=out)


def vector_lasso(y, D, A=None, n_iter=100):
    """The data term of (1), in the form that makes ``n_iter`` iterations the cheapest.

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


def largest_eigenvalue(gram):
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


# Checks at the door


def check_lam(lam):
    if not (isinstance(lam, Real) and isfinite(lam) and lam > 0):
        raise ValueError(f"lam must be a number above 0, not {lam!r}.")


def check_atoms(atoms, dims):
    """Atoms (..., K, ...) of dimensions ``dims`` exist, are finite and are not zero."""
    if atoms.numel() == 0:
        raise ValueError(f"A dictionary of shape {tuple(atoms.shape)} has no atom.")
    norms = torch.linalg.vector_norm(atoms, dim=dims)
    if not bool(norms.isfinite().all()):
        raise ValueError("The dictionary has NaN or infinite values.")
    if zeros := int((norms == 0).sum()):
        raise ValueError(
            f"{zeros} of the {norms.numel()} atoms are zero: they have no direction "
            "to learn from, leave them out or draw them again."
        )


def check_measurements(y):
    if y.numel() == 0:
        raise ValueError("There are no measurements.")
    if not bool(y.isfinite().all()):
        raise ValueError("The measurements have NaN or infinite values.")


def check_operator(y, D, A):
    """y (B, m), D (n, K) and A fit together."""
    if y.ndim != 2 or D.ndim != 2:
        raise ValueError(
            "Signals are the rows of y (B, m) and atoms the columns of D (n, K), but "
            f"y has shape {tuple(y.shape)} and D {tuple(D.shape)}."
        )
    n = len(D)
    if A is None:
        needed = (len(y), n)
    elif A.dtype == torch.bool:
        needed = tuple(A.shape)
    else:
        needed = (len(y), len(A))
    if (A is not None and (A.ndim != 2 or A.shape[1] != n)) or y.shape != needed:
        kind = "no operator" if A is None else f"an operator {tuple(A.shape)}"
        raise ValueError(
            f"Measurements {tuple(y.shape)} and atoms of length {n} do not fit {kind}: "
            "A is a matrix (m, n), or one boolean mask (n) per signal."
        )


def warn_if_all_zero(lam, lambda_max):
    if lam >= lambda_max:
        warnings.warn(
            f"lam = {lam:.3g} is not below lambda_max = {lambda_max:.3g}: every code "
            "is zero. Choose a smaller lam.",
            stacklevel=3,
        )


# FISTA


@torch.no_grad()
def fista(lasso, lam, codes=None, nonnegative=False):
    """Yields the iterates z (B, ...) of FISTA, endlessly; clone those to be kept.

    Beck and Teboulle (2009), each signal with a momentum of its own, which restarts
    when it goes uphill (O'Donoghue and Candes, 2015, the gradient scheme).

    Parameters
    ----------
    lasso : Lasso
    lam : float
    codes : tensor (B, ...) or None
        Where to start; zero by default.
    nonnegative : bool
        Minimise over z >= 0.
    """
    z = lasso.zeros() if codes is None else codes.clone()
    # Four tensors are used over and over: allocating them costs more than filling them.
    v, z_new, scratch = z.clone(), torch.empty_like(z), torch.empty_like(z)
    step, t = lasso.step, z.new_ones(len(z), *[1] * (z.ndim - 1))
    while True:
        forward = lasso.correlation(v, out=scratch).mul_(step).add_(v)
        shrink(forward, step * lam, nonnegative, out=z_new)
        torch.sub(v, z_new, out=scratch)
        change = torch.sub(z_new, z, out=v)
        uphill = scratch.mul_(change).flatten(1).sum(1).view(t.shape) > 0
        t = torch.where(uphill, 1.0, t)
        t, momentum = next_momentum(t)
        v = change.mul_(momentum).add_(z_new)
        z, z_new = z_new, z
        yield z


def shrink(z, threshold, nonnegative=False, out=None):
    """The prox of threshold ||z||_1, over z >= 0 if asked for."""
    if nonnegative:
        return torch.sub(z, threshold, out=out).relu_()
    clipped = torch.clamp(z, -threshold, threshold, out=out)
    return torch.sub(z, clipped, out=out)


@torch.no_grad()
def solve(lasso, lam, codes=None, n_iter=1000, tol=1e-4, nonnegative=False):
    """The codes after ``n_iter`` iterations of FISTA, or when they are good enough.

    Parameters
    ----------
    tol : float
        Stop when the duality gap of every signal is below tol times its cost at zero,
        ||y||^2 / 2. With 0, all the iterations are run, and no gap computed.
    """
    iterates = fista(lasso, lam, codes, nonnegative)
    z = lasso.zeros() if codes is None else codes
    for k, z in enumerate(islice(iterates, n_iter), 1):
        if tol and k % GAP_PERIOD == 0:
            gap = lasso.gap(z, lam, nonnegative)
            if bool((gap <= tol * lasso.energy / 2).all()):
                break
    return z


@torch.no_grad()
def sparse_code(
    y, D, lam, A=None, codes=None, n_iter=1000, tol=1e-4, nonnegative=False
):
    """The codes (B, K) that minimise (1), within ``tol``.

    Parameters
    ----------
    y : tensor (B, m)
    D : tensor (n, K)
        A norm of 1 is usual, and not required.
    lam : float, above 0.
        ``share * float(lambda_max(y, D, A).max())`` for a share of the useful range.
    A : None, tensor (m, n), or boolean tensor (B, n)
    codes : tensor (B, K) or None
        Where to start.
    n_iter, tol, nonnegative
        As in ``solve``.

    Raises
    ------
    ValueError
        Shapes that do not fit, no atom, an atom that is zero or not finite, lam <= 0.
    """
    check_lam(lam)
    check_atoms(D, 0)
    check_measurements(y)
    lasso = vector_lasso(y, D, A, n_iter)
    check_codes(codes, lasso)
    warn_if_all_zero(lam, float(lasso.lambda_max(nonnegative).max()))
    return solve(lasso, lam, codes, n_iter, tol, nonnegative)


@torch.no_grad()
def lambda_max(y, D, A=None, nonnegative=False):
    """The smallest lam for which each code is zero, ||(A D)^T y||_inf: (B,)."""
    return vector_lasso(y, D, A).lambda_max(nonnegative)


def check_codes(codes, lasso):
    if codes is not None and codes.shape != lasso.code_shape:
        raise ValueError(
            f"The codes to start from have shape {tuple(codes.shape)}, where "
            f"{tuple(lasso.code_shape)} is needed."
        )
