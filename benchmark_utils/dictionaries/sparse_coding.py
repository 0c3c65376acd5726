"""Sparse coding by FISTA: many signals at once, any linear measurements.

    min_z 1/2 ||y - A D z||^2 + lam ||z||_1                                       (1)

Signals are rows: y (B, m) holds B of them, their codes are z (B, K), and the signals
themselves are x = z D^T (B, n). The atoms are the columns of D (n, K). What measures
them, A, is one of

- None: the identity;
- a matrix (m, n), the same for all the signals of the batch;
- a boolean tensor (B, n): a mask for each signal, True where it is known.

Several operators are several calls, each with its own Lipschitz constant.
"""

from itertools import islice

import torch

from benchmark_utils.common.momentum import next_momentum
from benchmark_utils.dictionaries.checks import (
    check_atoms,
    check_codes,
    check_lam,
    check_measurements,
    warn_if_all_zero,
)
from benchmark_utils.dictionaries.lasso import vector_lasso

# The duality gap costs about one iteration: it is computed every so many of them.
GAP_PERIOD = 10


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
