"""A GPU that is not there: tensors that say they are on it, and compute on the CPU.

An operation of a tensor there and one of the CPU fails, as does a generator of the
other device, or ``numpy()``: a walk of the solvers finds what a GPU would refuse. The
values are those of the CPU, to the last digit. ``pending()`` says whether a GPU might
still compute: some operation was not waited for. What is not seen: CUDA's own kernels,
mismatches inside of C++ or of one of torch's functions that is written in Python, and
sparse matrices, which cannot say where they are, and are taken on both devices.
"""

from contextlib import contextmanager
from types import FunctionType

import pytest
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves, tree_map

CUDA = torch.device("cuda:0")
# They take tensors of both devices on a real GPU.
CROSSING = {
    "copy_",
    "__deepcopy__",
    "expand_as",
    "__getitem__",
    "__setitem__",
    "__set__",
}
# Unwrapped, the tensors would no longer be those of the graph.
OF_THE_GRAPH = {"backward", "grad", "register_hook", "requires_grad_"}
# Their values are asked for: Python waits until they are computed.
WAITING = {"__bool__", "__float__", "__int__", "__index__", "item", "tolist", "cpu"}
# They compute nothing.
ATTRIBUTES = {
    "__get__",
    "__set__",
    "__len__",
    "dim",
    "size",
    "is_complex",
    "is_floating_point",
}

_computing = [False]


def pending():
    """Whether the GPU computes, or might."""
    return _computing[0]


def synchronise(*args):
    _computing[0] = False


class OnGpu(torch.Tensor):
    """A tensor of the CPU that says that it is on a GPU; the mode does the rest."""

    __torch_function__ = torch._C._disabled_torch_function_impl
    device = property(lambda self: CUDA)
    is_cuda = property(lambda self: True)
    is_cpu = property(lambda self: False)


class FakeGenerator(torch.Generator):
    """A generator of the CPU that says where it was asked to be."""

    def __new__(cls, device="cpu"):
        self = super().__new__(cls)
        self.place = torch.device(device)
        return self

    def __init__(self, *args, **kwargs):
        pass

    @property
    def device(self):
        return CUDA if self.place.type == "cuda" else self.place

    def manual_seed(self, seed):
        super().manual_seed(seed)
        return self

    def __deepcopy__(self, memo):
        twin = FakeGenerator(self.place)
        twin.set_state(self.get_state())
        return twin


def is_gpu(device):
    return device is not None and torch.device(device).type == "cuda"


def here(value):
    """The tensor of the CPU behind a tensor."""
    return value.as_subclass(torch.Tensor) if isinstance(value, OnGpu) else value


def there(value):
    """A tensor, seen on the GPU."""
    if not is_dense(value) or isinstance(value, OnGpu):
        return value
    return value.as_subclass(OnGpu)


def is_dense(value):
    return torch.is_tensor(value) and value.layout == torch.strided


class FakeCuda(TorchFunctionMode):
    """Runs each operation on the CPU, once the devices are checked."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        name = getattr(func, "__name__", str(func))
        tensors = [t for t in tree_leaves((args, kwargs)) if is_dense(t)]
        on_gpu = any(isinstance(t, OnGpu) for t in tensors)
        if on_gpu and name not in ATTRIBUTES:
            _computing[0] = name not in WAITING
        if name in ("numpy", "__array__") and on_gpu:
            raise TypeError("can't convert cuda:0 device type tensor to numpy")
        if name == "to":
            return self.moved(*args, **kwargs)
        if name == "cpu":
            return here(args[0])
        if name == "_has_compatible_shallow_copy_type":
            return False  # A module that moves makes new parameters.

        if name not in CROSSING and on_gpu:
            others = [t for t in tensors if not isinstance(t, OnGpu) and t.ndim]
            if others:
                raise RuntimeError(
                    f"{name}: expected all tensors to be on the same device, but "
                    f"found one of shape {tuple(others[0].shape)} on the CPU"
                )
        if kwargs.get("device") is not None:
            on_gpu = is_gpu(kwargs["device"])
            kwargs["device"] = "cpu"
        generator = kwargs.get("generator")
        if isinstance(generator, FakeGenerator) and is_gpu(generator.device) != on_gpu:
            raise RuntimeError(f"{name}: a generator on {generator.device}")
        if isinstance(func, FunctionType) and name not in OF_THE_GRAPH:
            args, kwargs = tree_map(here, (args, kwargs))
        result = func(*args, **kwargs)
        return tree_map(there, result) if on_gpu else result

    @staticmethod
    def moved(tensor, *args, **kwargs):
        """``tensor.to(...)``."""
        args = list(args)
        device = kwargs.pop("device", None)
        if args and torch.is_tensor(args[0]):
            device, args[0] = args[0].device, args[0].dtype
        elif args and (args[0] is None or isinstance(args[0], str | torch.device)):
            device = args.pop(0)
        on_gpu = isinstance(tensor, OnGpu) if device is None else is_gpu(device)
        changes_place = on_gpu != isinstance(tensor, OnGpu)
        result = here(tensor).to("cpu", *args, **kwargs)
        if not is_dense(result):
            return result
        if result.data_ptr() == tensor.data_ptr():
            if not changes_place:
                return tensor
            result = result.clone()  # Another device is another memory.
        return there(result) if on_gpu else result


def vjp(operator, x):
    """torch.func.vjp, whose own tensors would forget where they are."""
    x = x.clone().detach().requires_grad_()
    y = operator(x)
    return y, lambda v: torch.autograd.grad(y, x, v)


@contextmanager
def fake_cuda():
    """Inside, ``device="cuda"`` is taken everywhere."""
    with pytest.MonkeyPatch.context() as patch, FakeCuda():
        patch.setattr(torch, "Generator", FakeGenerator)
        patch.setattr(torch.cuda, "synchronize", synchronise)
        patch.setattr(torch.cuda, "get_device_name", lambda *args: "fake")
        fork_rng = torch.random.fork_rng
        patch.setattr(torch.random, "fork_rng", lambda devices=(): fork_rng([]))
        patch.setattr(torch.func, "vjp", vjp)
        yield
