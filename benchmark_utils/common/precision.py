"""Numbers are drawn and computed in 32 bits, whatever torch's default is."""

from contextlib import contextmanager

import torch


@contextmanager
def float32_by_default():
    """torch's default dtype is float32 inside; also a decorator.

    deepinv makes tensors without saying their dtype. Drawn in 64 bits, a mask or a
    noise is another one for the same seed.
    """
    dtype = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        yield
    finally:
        torch.set_default_dtype(dtype)
