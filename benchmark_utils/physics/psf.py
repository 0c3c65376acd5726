"""Blur kernels (point spread functions): read from files, and checked."""

from pathlib import Path

import numpy as np
import skimage.io
import torch

from benchmark_utils.common.errors import NotApplicable, Unavailable


def read_kernel(path):
    """A measured kernel, of sum 1: (1, 1, h, w), float32.

    A convolution puts its pixel (h // 2, w // 2) where the light comes from.

    Parameters
    ----------
    path : str or Path
        A NumPy file (.npy) or a picture (.png, .tif) of one channel, or whose channels
        are averaged. Of more than two dimensions, those of size 1 are dropped, the
        first ones first.

    Raises
    ------
    Unavailable
        The file is not there, or cannot be read.
    NotApplicable
        It is no kernel: not of two dimensions, or empty, or with negative or infinite
        values, or without light.
    """
    path = Path(path).expanduser()
    try:
        is_array = path.suffix.lower() == ".npy"
        values = (np.load if is_array else skimage.io.imread)(path)
    except FileNotFoundError as error:
        raise Unavailable(f"The kernel {path} is not there.") from error
    # Each reader of pictures has errors of its own.
    except (EOFError, OSError, ValueError, SyntaxError) as error:
        raise Unavailable(f"The kernel {path} cannot be read: {error}") from error
    if not isinstance(values, np.ndarray):
        raise NotApplicable(
            f"The kernel {path} holds several arrays: give one, as .npy."
        )
    if values.ndim == 3 and values.shape[2] in (1, 3, 4) and not is_array:
        values = values[..., :3].mean(2)
    # A kernel of one row blurs along it.
    while values.ndim > 2 and 1 in values.shape:
        values = values.squeeze(values.shape.index(1))
    if values.ndim != 2 or not values.size or values.dtype.kind not in "buif":
        raise NotApplicable(
            f"The kernel {path} is an array of shape {values.shape} and dtype "
            f"{values.dtype}: a kernel has rows and columns of real numbers."
        )
    values = values.astype(float)
    total = values.sum()
    if not np.isfinite(total) or total <= 0 or values.min() < 0:
        raise NotApplicable(
            f"The kernel {path} has values from {values.min():.4g} to "
            f"{values.max():.4g}: they must be 0 or more, and some above 0."
        )
    return torch.from_numpy(values / total).float()[None, None]


def check_kernel_fits(shape, kernel):
    """Raise ``NotApplicable`` for a kernel larger than the image: it would be cut."""
    (height, width), (rows, columns) = shape[-2:], kernel.shape[-2:]
    if height < rows or width < columns:
        raise NotApplicable(
            f"An image of {height}x{width} pixels is smaller than the kernel "
            f"({rows}x{columns}): choose a larger img_size."
        )
