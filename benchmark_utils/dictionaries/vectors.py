"""Dictionaries of vectors: what measures them, and how good they are.

A dictionary is a matrix D (n, K), its atoms the columns. Its ``data`` are a list of
pairs (A, y): one operator A and its measurements y (N_g, m), one row per signal. A is
None, a matrix or masks, as in ``sparse_coding``. Its cost is

    sum_g min_Z 1/2 ||y_g - A_g D Z||^2 + lam ||Z||_1                             (1)
"""

import deepinv as dinv
import torch
from scipy.optimize import linear_sum_assignment

from benchmark_utils.dictionaries.checks import check_atoms
from benchmark_utils.dictionaries.lasso import vector_lasso
from benchmark_utils.dictionaries.sparse_coding import solve


class MatrixPhysics(dinv.physics.LinearPhysics):
    """y = A x for signals in rows, x (B, n), and a matrix A (m, n)."""

    def __init__(self, matrix, **kwargs):
        super().__init__(img_size=matrix.shape[1:], **kwargs)
        self.register_buffer("matrix", matrix)

    def A(self, x, **kwargs):
        return x @ self.matrix.T

    def A_adjoint(self, y, **kwargs):
        return y @ self.matrix

    def A_dagger(self, y, **kwargs):
        return y @ torch.linalg.pinv(self.matrix).T


def masks(n_signals, dim, missing, generator):
    """The physics where each value is missing with probability ``missing``."""
    draws = torch.rand((n_signals, dim), generator=generator, dtype=torch.float32)
    mask = (draws >= missing).float()
    return dinv.physics.Inpainting(img_size=(dim,), mask=mask)


def operator_of(physics, y):
    """The A of ``sparse_coding`` for a physics of vector signals: None or a tensor.

    Raises
    ------
    ValueError
        A physics that is neither the identity, nor a mask, nor a matrix.
    """
    if isinstance(physics, MatrixPhysics):
        return physics.matrix
    if isinstance(physics, dinv.physics.Inpainting):
        return (physics.mask != 0).expand_as(y)
    if isinstance(physics, dinv.physics.Denoising):
        return None
    raise ValueError(
        f"{type(physics).__name__} is neither a matrix (MatrixPhysics), nor a mask "
        "(Inpainting), nor the identity (Denoising): no vector dictionary is learned "
        "from it."
    )


# What makes a dictionary


def normalise(atoms, dims=0):
    """The same atoms with a norm of 1 over the dimensions ``dims``."""
    check_atoms(atoms, dims)
    return atoms / torch.linalg.vector_norm(atoms, dim=dims, keepdim=True)


def random_dictionary(n, n_atoms, generator):
    """Gaussian atoms of norm 1: (n, n_atoms), on the device of ``generator``."""
    return normalise(randn((n, n_atoms), generator))


def randn(shape, generator):
    """Standard Gaussian values, on the device of ``generator``."""
    return torch.randn(
        shape, generator=generator, device=generator.device, dtype=torch.float32
    )


# How good a dictionary is


def recovery_score(D_true, D):
    """Mean |cosine| between the true atoms and those assigned to them, in [0, 1].

    The assignment is the best one-to-one (Hungarian algorithm). 1 up to order and
    signs; for n = K = 100, a random dictionary scores about 0.25.
    """
    if D_true.shape[0] != D.shape[0]:
        raise ValueError(
            f"Dictionaries {tuple(D_true.shape)} and {tuple(D.shape)} have atoms of "
            "different lengths."
        )
    cosines = (normalise(D_true).T @ normalise(D)).abs().cpu().numpy()
    rows, columns = linear_sum_assignment(cosines, maximize=True)
    return float(cosines[rows, columns].sum() / D_true.shape[1])


def kernel_norm(D, operators):
    """Mean norm of the part of each atom that no operator sees, in [0, 1].

    ||P d_k|| averaged over k, P the projector on the kernel of all the A stacked.
    """
    basis = _row_space(operators)
    if basis is None:
        return 0.0
    D = normalise(D).double()
    basis = basis.to(D.device)
    return float((D - basis @ (basis.T @ D)).norm(dim=0).mean())


def oracle_score(operators):
    """sqrt(rank / n), the rank that of all the A stacked: the score without a prior.

    The mean |cosine| between random atoms and the part of them that is measured.
    """
    basis = _row_space(operators)
    return 1.0 if basis is None else (basis.shape[1] / basis.shape[0]) ** 0.5


def _row_space(operators):
    """Orthonormal basis (n, rank) of what the operators see; None for all of R^n."""
    if any(A is None for A in operators):
        return None
    rows = [
        A.any(0).double().diag() if A.dtype == torch.bool else A.double()
        for A in operators
    ]
    _, values, basis = torch.linalg.svd(torch.cat(rows).cpu(), full_matrices=False)
    return basis[values > 1e-6 * values[0]].T


@torch.no_grad()
def learning_cost(data, D, lam, n_iter=500, tol=1e-4):
    """The cost (1) of D divided by the number of signals, whoever learned it."""
    total = sum(
        float(lasso.value(solve(lasso, lam, None, n_iter, tol), lam).sum())
        for lasso in (vector_lasso(y, D, A, n_iter) for A, y in data)
    )
    return total / sum(len(y) for _, y in data)
