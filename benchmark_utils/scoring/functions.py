"""A function of the user's as a solver."""

import copy
import sys
from contextlib import redirect_stdout
from pathlib import Path

import torch

from benchmark_utils.common.modes import restored_modes, seed_generators
from benchmark_utils.solving.iterates import as_estimate, explained, kind_of
from benchmark_utils.solving.solver import IterativeSolver


def solver_from_function(function, solver_name, differentiates=False, failures=None):
    """A one-shot solver class that calls ``function(y, physics)``.

    A torch module is copied to the device, in eval mode. The list ``failures`` receives
    the exceptions. What the function prints is seen, whatever is hidden of the run.
    """
    failures, stdout = [] if failures is None else failures, sys.stdout

    class Solver(IterativeSolver):
        name = solver_name
        _module_filename = Path(__file__)
        requires_grad = differentiates

        def setup(self):
            # Not in iterate, where it would be timed.
            self._shapes = {}
            for batch in self.batches:
                shape = len(batch.y), *batch.signal_shape
                self._shapes.setdefault(batch.y.shape, set()).add(shape)
            self._function = function
            if isinstance(function, torch.nn.Module):
                self._function = copy.deepcopy(function).to(self.device).eval()

        def iterate(self, y, physics):
            try:
                with restored_modes(), redirect_stdout(stdout):
                    seed_generators()
                    result = explained(self, lambda: self._function(y, physics))
                shape, *others = self._shapes[y.shape]
                if others:  # This alone is timed, where sizes share a shape of y.
                    shape = tuple(physics.A_adjoint(y).shape)
                x_hat = checked_result(result, y, shape)
            except Exception as error:
                failures.append(error)
                raise
            yield x_hat

    return Solver


def checked_result(result, y, shape):
    """What a function returned, as a tensor of ``shape`` on the device of y.

    Raises
    ------
    TypeError
        It is no tensor or array of floats.
    ValueError
        Its shape is another, or its values look like 0..255.
    """
    returned = f"the function returned {kind_of(result)}"
    try:
        x_hat = as_estimate(result, y)
    except TypeError:
        raise TypeError(
            f"{returned}, and not a tensor of floats of the shape {tuple(shape)}, in "
            "[0, 1] for images"
        ) from None
    if x_hat.shape != shape:
        raise ValueError(
            f"{returned} of shape {tuple(x_hat.shape)} where the images have shape "
            f"{tuple(shape)}: a solver yields one reconstruction per image, of its size"
        )
    if x_hat.ndim == 4 and looks_like_bytes(x_hat):
        raise ValueError(
            f"{returned} with values from {float(x_hat.min()):.4g} to "
            f"{float(x_hat.max()):.4g}, which looks like 0..255: results are in [0, 1]"
        )
    return x_hat


def looks_like_bytes(x_hat):
    """Whether images are on a scale where white is 255, and not merely diverging."""
    if x_hat.is_complex() or not bool(x_hat.isfinite().all()):
        return False
    low, high, mean = (float(v) for v in (x_hat.min(), x_hat.max(), x_hat.mean()))
    # A method may ring below black and above white by a third.
    return low > -85 and 10 < high < 340 and mean > 5
