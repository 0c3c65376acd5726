"""What is global to torch, numpy and Python: set for a run, and put back."""

import random
from contextlib import ExitStack, contextmanager

import numpy as np
import torch

from benchmark_utils.common.precision import float32_by_default

# The seed of the global generators at each call of a function of the user's.
SEED = 0


@contextmanager
def restored_modes():
    """Put back what is global to torch, and the global generators, at the end."""
    dtype, numpy_state, python_state = (
        torch.get_default_dtype(),
        np.random.get_state(),  # noqa: NPY002
        random.getstate(),
    )
    # A solver turns them off (``resolved`` of device.py).
    backends = torch.backends.cuda.matmul, torch.backends.cudnn
    allowed = [backend.allow_tf32 for backend in backends]
    try:
        with ExitStack() as stack:
            stack.enter_context(torch.random.fork_rng())
            yield stack
    finally:
        torch.set_default_dtype(dtype)
        np.random.set_state(numpy_state)  # noqa: NPY002
        random.setstate(python_state)
        for backend, was_allowed in zip(backends, allowed):
            backend.allow_tf32 = was_allowed


@contextmanager
def standard_modes():
    """torch as in a fresh process, whatever the caller has set."""
    with restored_modes() as stack:
        stack.enter_context(float32_by_default())
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        for kind in ("cpu", "cuda"):
            stack.enter_context(torch.autocast(kind, enabled=False))
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))
        yield


def seed_generators():
    torch.manual_seed(SEED)
    np.random.seed(SEED)  # noqa: NPY002
    random.seed(SEED)
