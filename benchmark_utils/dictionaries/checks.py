"""What sparse coding and learning refuse, each in a sentence."""

import warnings
from math import isfinite
from numbers import Real

import torch


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


def check_codes(codes, lasso):
    if codes is not None and codes.shape != lasso.code_shape:
        raise ValueError(
            f"The codes to start from have shape {tuple(codes.shape)}, where "
            f"{tuple(lasso.code_shape)} is needed."
        )


def warn_if_all_zero(lam, lambda_max):
    if lam >= lambda_max:
        warnings.warn(
            f"lam = {lam:.3g} is not below lambda_max = {lambda_max:.3g}: every code "
            "is zero. Choose a smaller lam.",
            stacklevel=3,
        )
