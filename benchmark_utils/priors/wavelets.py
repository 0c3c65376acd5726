"""Soft thresholding in an orthonormal wavelet basis, on the device of the image."""

from functools import cache

import numpy as np
import pywt
import torch
from torch.nn import functional as F

# Rows that one matrix product makes: with more of them the matrix, which has a band of
# non-zero entries, would hold more zeros; with fewer, more rows would be read twice.
BLOCK = 32


def pad_to_multiple(x, multiple):
    """x (..., H, W) extended by replication, down and right, to multiples."""
    height, width = x.shape[-2:]
    return F.pad(x, (0, -width % multiple, 0, -height % multiple), mode="replicate")


def soft_threshold(x, threshold, wavelet, levels, jointly=False):
    """The prox of threshold ||W x||_1 but for the coarse approximation, W orthonormal.

    ``jointly``: a coefficient is the vector of those of all the channels, as where
    they are the real and the imaginary part of a complex image.

    Parameters
    ----------
    x : tensor (B, C, H, W), H and W multiples of 2**levels.
    threshold : float, 0 or more.
    wavelet : str
        An orthogonal wavelet of PyWavelets: db8, sym4, haar...
    """
    coefficients = analysis(x, wavelet, levels)
    if jointly:
        size = torch.linalg.vector_norm(coefficients, dim=1, keepdim=True)
        excess = (size - threshold).clamp(min=0)
        shrunk = coefficients * excess / size.clamp(min=torch.finfo(size.dtype).tiny)
    else:
        shrunk = coefficients - coefficients.clamp(-threshold, threshold)
    coarse = (..., *2 * (slice(None, None, 2**levels),))
    shrunk[coarse] = coefficients[coarse]
    return synthesis(shrunk, wavelet, levels)


def analysis(x, wavelet, levels):
    """The coefficients of ``pywt.wavedec2(mode="periodization")``, interleaved.

    The result has the shape of x (..., H, W). Among its even rows and columns are the
    means of one level, which are analysed in their turn; the details have odd rows
    (horizontal), odd columns (vertical), or both (diagonal).
    """
    c = _filter_rows(_filter_rows(x, wavelet).mT.contiguous(), wavelet).mT
    if levels > 1:
        means = c[..., ::2, ::2].contiguous()
        c[..., ::2, ::2] = analysis(means, wavelet, levels - 1)
    return c


def synthesis(coefficients, wavelet, levels):
    """The image of these coefficients: the transpose of ``analysis``, its inverse."""
    c = coefficients
    if levels > 1:
        c = c.clone()
        c[..., ::2, ::2] = synthesis(c[..., ::2, ::2], wavelet, levels - 1)
    # The columns first: ``analysis`` leaves them contiguous.
    columns = _filter_rows(c.mT.contiguous(), wavelet, transposed=True)
    return _filter_rows(columns.mT.contiguous(), wavelet, transposed=True)


def _filter_rows(x, wavelet, transposed=False):
    """One level of the transform, or its transpose, of each column of x (..., H, W)."""
    n = x.shape[-2]
    block, rows = _banded_matrix(n, wavelet, transposed, x.dtype, x.device)
    parts = x.index_select(-2, rows).unflatten(-2, (-1, block.shape[1]))
    return (block @ parts).flatten(-3, -2)[..., :n, :]


@cache
@torch.inference_mode(False)  # so that it also serves where gradients are taken
def _banded_matrix(n, wavelet, transposed, dtype, device):
    """One level of the transform of n periodic samples, n even, or its transpose.

    Every block of BLOCK rows of the matrix is the same, but for a shift of its columns.

    Returns
    -------
    block : tensor (b, K)
        The non-zero columns of the first b rows.
    columns : tensor (K * ceil(n / b),)
        Which columns these are, for each block in turn.
    """
    filters = pywt.Wavelet(wavelet)
    bank = np.array([filters.dec_lo, filters.dec_hi])[:, ::-1]
    length = bank.shape[1]
    # Samples 2 i + first, 2 i + first + 1... make the coefficients 2 i and 2 i + 1.
    first = 1 - length // 2
    b = min(BLOCK, n)
    matrix = np.zeros((b + 2 * length, b + 3 * length))
    for i in range(0, len(matrix), 2):
        matrix[i : i + 2, i : i + length] = bank
    # Row and column of the coefficient 0 and of the sample 0 of a signal in its midst.
    row, column = length, length - first
    if transposed:
        start, n_columns = -(length // 2), b + length
        block = matrix[row + start : row + start + n_columns, column : column + b].T
    else:
        start, n_columns = first, b + length - 2
        left = column + first
        block = matrix[row : row + b, left : left + n_columns]
    starts = start + np.arange(0, n, b)
    columns = (starts[:, None] + np.arange(n_columns)) % n
    return (
        torch.tensor(block.copy(), dtype=dtype, device=device),
        torch.tensor(columns.flatten(), device=device),
    )
