"""What ``iterate`` must do, and what its iterates become.

Errors here are bugs of a solver: they say what ``iterate`` must do, and keep their
traceback.
"""

from collections.abc import Iterator
from functools import partial

import numpy as np
import torch

# How torch begins when it cannot differentiate what was computed without gradients.
NO_GRADIENT = (
    "element 0 of tensors does not require grad",
    "Inference tensors cannot be saved for backward",
)


def checked_iterates(solver, y, physics):
    """The iterates of ``solver.iterate(y, physics)``, each one by ``as_estimate``.

    A function that it yields in place of one is a function here too.

    Raises
    ------
    TypeError
        ``iterate`` does not yield tensors, or differentiates without saying so.
    """
    iterates = explained(solver, lambda: solver.iterate(y, physics))
    if not isinstance(iterates, Iterator):
        raise TypeError(
            f"iterate of {solver.name} gives {kind_of(iterates)}, and must be a "
            "generator: it yields its iterates (yield x), one at least, each a tensor "
            "of the shape of x."
        )
    return _checked(solver, iterates, y)


def _checked(solver, iterates, y):
    def estimate(x):
        try:
            return as_estimate(x, y)
        except TypeError as error:
            raise TypeError(f"iterate of {solver.name} yields {error}") from None

    while True:
        try:
            x = explained(solver, lambda: next(iterates))
        except StopIteration as end:
            if end.value is not None:
                raise TypeError(
                    f"iterate of {solver.name} returns {kind_of(end.value)} at its "
                    "end, which is lost: it must yield its last iterate (yield x)."
                ) from None
            return
        if callable(x):
            yield partial(lambda make: estimate(explained(solver, make)), x)
        else:
            yield estimate(x)


def as_estimate(x, like):
    """An estimate as a tensor of 32-bit floats, on the device of ``like``.

    Parameters
    ----------
    x : tensor or numpy array, of floats of any precision
        Complex values stay complex.
    like : tensor

    Raises
    ------
    TypeError
        It is something else. The sentence begins with what ``x`` is.
    """
    if isinstance(x, np.ndarray) and x.dtype.kind in "fc":
        # torch does not take the strides and byte orders that numpy has.
        x = torch.from_numpy(x.astype(np.complex64 if x.dtype.kind == "c" else "f4"))
    if not torch.is_tensor(x) or not (x.is_floating_point() or x.is_complex()):
        raise TypeError(
            f"{kind_of(x)}, and must yield its iterates as tensors of floats of the "
            "shape of x, in [0, 1] for images."
        )
    dtype = torch.complex64 if x.is_complex() else torch.float32
    return x.detach().to(like.device, dtype)


def kind_of(value):
    """What a value is, in words: a tensor of float64, None."""
    if value is None:
        return "None"
    if torch.is_tensor(value):
        return f"a tensor of {str(value.dtype).removeprefix('torch.')}"
    if isinstance(value, np.ndarray):
        return f"a numpy array of {value.dtype}"
    return f"a {type(value).__name__}"


def explained(solver, step):
    """``step()`` of a solver; where torch has no gradient, what to write is said."""
    try:
        return step()
    except RuntimeError as error:
        if solver.requires_grad or not str(error).startswith(NO_GRADIENT):
            raise
        raise TypeError(
            f"iterate of {solver.name} differentiates, and runs without gradients: "
            "write requires_grad = True in its class, or evaluate(..., "
            "requires_grad=True) for a function."
        ) from error
