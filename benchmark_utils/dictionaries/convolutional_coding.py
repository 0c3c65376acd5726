"""Sparse coding of degraded images, through any linear physics.

    min_z 1/2 ||y - A sum_k d_k * z_k||^2 + lam ||z||_1                           (1)

Images are (B, C, H, W), atoms (K, C, h, w), codes (B, K, H - h + 1, W - w + 1).
"""

from functools import partial
from itertools import islice

import torch

from benchmark_utils.dictionaries.checks import (
    check_codes,
    check_lam,
    check_measurements,
    warn_if_all_zero,
)
from benchmark_utils.dictionaries.convolutional import ConvolutionalDictionary
from benchmark_utils.dictionaries.lasso import Lasso, inner
from benchmark_utils.dictionaries.sparse_coding import fista, solve
from benchmark_utils.physics.closed_forms import BlurDataTerm, DownsamplingDataTerm


class ConvolutionalLasso(Lasso):
    """M z = A (sum_k d_k * z_k), for any linear physics.

    Parameters
    ----------
    f : DataTerm
        Of the measurements: ``data_term(physics, y)``.
    atoms : tensor (K, C, h, w) or (B, K, C, h, w)
    """

    def __init__(self, f, atoms):
        if not hasattr(f.physics, "A_adjoint"):
            raise ValueError(
                f"{type(f.physics).__name__} has no adjoint (A_adjoint): sparse "
                "coding needs a linear operator."
            )
        check_measurements(f.y)
        shape = f.A_adjoint(f.y).shape
        if len(shape) != 4 or atoms.shape[-3] != shape[1]:
            raise ValueError(
                f"Atoms of shape {tuple(atoms.shape)} do not fit images of shape "
                f"{tuple(shape)}: (K, C, h, w) and (B, C, H, W) have the same C."
            )
        self.data_term = f
        self.dictionary = ConvolutionalDictionary(atoms, shape[-2:])
        if len(self.dictionary.atoms) not in (1, len(f.y)):
            raise ValueError(
                f"There are {len(atoms)} dictionaries for {len(f.y)} images."
            )
        self.energy = inner(f.y, f.y)
        self.code_shape = (
            len(f.y),
            self.dictionary.n_atoms,
            *self.dictionary.code_size,
        )
        if isinstance(f, BlurDataTerm):
            # A blur removes what random atoms have most of: the product of the norms
            # would be ten times too large.
            bound = self.dictionary.lipschitz(f.transfer)
        elif isinstance(f, DownsamplingDataTerm):
            bound = self.dictionary.lipschitz(f.transfer, f.factor)
        else:
            bound = self.dictionary.lipschitz() * float(f.lipschitz)
        self.lipschitz = float(bound) if len(bound) == 1 else bound.view(-1, 1, 1, 1)

    def correlation(self, z, out=None):
        residual = -self.data_term.grad(self.dictionary.synthesis(z))
        return self.dictionary.analysis(residual, out)


@torch.no_grad()
def convolutional_code(
    f, atoms, lam, codes=None, n_iter=200, tol=0.0, nonnegative=False
):
    """The codes (B, K, H - h + 1, W - w + 1) that minimise (1).

    ``ConvolutionalDictionary(atoms, (H, W)).synthesis`` makes images of them. The
    parameters are those of ``ConvolutionalLasso`` and ``solve``.
    """
    lasso = checked_lasso(f, atoms, lam, codes, nonnegative)
    return solve(lasso, lam, codes, n_iter, tol, nonnegative)


@torch.no_grad()
def coded_images(
    f, atoms, lam, codes=None, n_iter=200, every=10, nonnegative=False, low=0.0
):
    """Functions that make the images (B, C, H, W) of the codes, added to ``low``.

    One iteration of FISTA in ``every`` has one, and the last; it is to be called before
    the next one is asked for.
    """
    lasso = checked_lasso(f, atoms, lam, codes, nonnegative)
    iterates = islice(fista(lasso, lam, codes, nonnegative), n_iter)

    def image(z):
        return low + lasso.dictionary.synthesis(z)

    for k, z in enumerate(iterates, 1):
        if k % every == 0 or k == n_iter:
            yield partial(image, z)


def checked_lasso(f, atoms, lam, codes, nonnegative):
    check_lam(lam)
    lasso = ConvolutionalLasso(f, atoms)
    check_codes(codes, lasso)
    warn_if_all_zero(lam, float(lasso.lambda_max(nonnegative).max()))
    return lasso
