"""An operator of the user's: a function of a Python file, which makes the physics.

    problem=/my/file.py             calls make_physics(shape, generator) of this file
    problem='/my/file.py:blur'      calls blur(shape, generator)

The function returns a deepinv ``LinearPhysics`` for images of ``shape`` (C, H, W), on
the CPU; y may have any shape. What is random in it is drawn from ``generator``.
"""

import math
import sys
import warnings
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import deepinv as dinv
import torch

from benchmark_utils.common.errors import NotApplicable
from benchmark_utils.physics.noise import levels_of, variance
from benchmark_utils.physics.psf import check_kernel_fits

FUNCTION = "make_physics"

# Relative difference of <A x, v> and <x, A^T v>; that of FFTs in 32 bits is 1e-6.
ADJOINT_TOLERANCE = 1e-3
# Of A of 0 to A of white noise: above what rounding makes.
OFFSET_TOLERANCE = 1e-5
# Of ||A||: beyond, what solvers make of measurements of another unit is worse by dBs.
USUAL_NORMS = (0.1, 2.0)


def split_name(problem):
    """The file and the function that a problem names, or (None, None)."""
    if not isinstance(problem, str):
        return None, None
    file, _, function = problem.rpartition(":")
    if not file.endswith(".py"):
        file, function = problem, FUNCTION
    return (Path(file).expanduser(), function) if file.endswith(".py") else (None, None)


def load_function(problem):
    """The function that a problem names.

    Raises
    ------
    NotApplicable
        There is no such file, or no such function in it.
    """
    file, name = split_name(problem)
    if not file.is_file():
        raise NotApplicable(f"problem={problem}: there is no file {file}.")
    status = file.stat()
    module = _module(file.resolve(), status.st_mtime_ns, status.st_size)
    function = getattr(module, name, None)
    # A class of the user's may be made from (shape, generator), and no other one is.
    is_deepinv_s = getattr(function, "__module__", "").startswith("deepinv.")
    if not callable(function) or (isinstance(function, type) and is_deepinv_s):
        raise NotApplicable(
            f"problem={problem}: {file} has no function {name or FUNCTION}"
            "(shape, generator)."
        )
    return function


@cache
def _module(file, time, size):
    name = f"operator_of_{file.stem}"
    spec = spec_from_file_location(name, file)
    module = sys.modules[name] = module_from_spec(spec)
    # What is beside the file is found, and shadows nothing that is installed.
    sys.path.append(str(file.parent))
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(file.parent))
    return module


def in_single_precision(physics):
    """The tensors of ``physics`` in 32 bits, as images and measurements are."""
    single = {torch.float64: torch.float32, torch.complex128: torch.complex64}
    return physics._apply(
        lambda tensor: tensor.to(single.get(tensor.dtype, tensor.dtype))
    )


def checked(physics, shape, label, n_images=1):
    """``physics``, a linear operator for ``n_images`` images of ``shape`` (C, H, W).

    In place, its tensors become those of 32 bits, and a mask of fewer dimensions, as
    (H, W), is given those that it lacks.

    Raises
    ------
    NotApplicable
        It is no deepinv ``LinearPhysics``, it is made for images of another size, it
        measures nothing, y is complex, A of 0 is not 0, A_adjoint is not the adjoint of
        A, or its kernel is larger than the image.
    """
    shape = tuple(shape)
    if not isinstance(physics, dinv.physics.LinearPhysics):
        raise NotApplicable(
            f"{label} gives a {type(physics).__name__}: it must give a "
            "deepinv.physics.LinearPhysics."
        )
    in_single_precision(physics)
    made_for = getattr(physics, "img_size", None)
    made_for = tuple(made_for) if isinstance(made_for, tuple | list) else ()
    if made_for and made_for != shape[-len(made_for) :]:
        raise NotApplicable(
            f"{label} gives an operator with img_size={made_for} for images of shape "
            f"{shape}: make it for the shape that the function is given."
        )
    if isinstance(physics, dinv.physics.Inpainting) and physics.mask is not None:
        missing = 1 + len(shape) - physics.mask.ndim
        physics.mask = physics.mask[(None,) * missing]
    if torch.is_tensor(getattr(physics, "filter", None)):
        check_kernel_fits(shape, physics.filter)
    _check_adjoint(physics, (n_images, *shape), label)
    return physics


def checked_noise(physics, label):
    """The noise model of ``physics``, which has a data term.

    Raises
    ------
    NotApplicable
        It has none: it is of another kind, has several levels or one that means
        nothing, or is of counts.
    """
    model = physics.noise_model
    levels = levels_of(model).items()
    several = [name for name, level in levels if torch.as_tensor(level).numel() > 1]
    if several:
        raise NotApplicable(
            f"{label} gives a noise with several values of {several[0]}: data terms "
            "are for one, the same for all images."
        )
    for name, level in levels:
        # 0 is no noise; that of Poisson's law has a scale.
        least = "0 or more" if name == "sigma" else "above 0"
        level = float(level)
        if not (0 <= level < math.inf) or (level == 0 and name != "sigma"):
            raise NotApplicable(
                f"{label} gives a noise with {name}={level:g}: it must be a number, "
                f"{least}."
            )
    if not getattr(model, "normalize", True):
        raise NotApplicable(
            f"{label} gives a PoissonNoise of counts: set normalize=True, which has y "
            "on the scale of A x."
        )
    # Raises for a kind that it does not know.
    variance(physics, torch.zeros(1))
    return model


@torch.no_grad()
def _check_adjoint(physics, shape, label):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(shape, generator=generator)
    Ax = physics.A(x)
    if not torch.is_tensor(Ax) or Ax.ndim < 2:
        what = (
            f"tensors of shape {tuple(Ax.shape)}"
            if torch.is_tensor(Ax)
            else (f"a {type(Ax).__name__}")
        )
        raise NotApplicable(
            f"{label} gives an operator whose measurements are {what}: they must be "
            "one tensor (B, ...). Several are concatenated."
        )
    if not bool(Ax.any()):
        raise NotApplicable(
            f"{label} gives an operator that measures nothing: A of any image is 0. "
            "Is its mask empty?"
        )
    _check_norm(physics, x, Ax, label)
    offset = float(physics.A(torch.zeros(shape)).abs().max())
    if not offset <= OFFSET_TOLERANCE * float(Ax.abs().max()):
        raise NotApplicable(
            f"{label} gives an operator that is not linear: A of 0 has values up to "
            f"{offset:.3g}. Subtract them from y, and leave them out of A."
        )
    if Ax.is_complex():
        raise NotApplicable(
            f"{label} gives an operator whose measurements are complex: give their "
            "real and imaginary parts (torch.view_as_real)."
        )
    # Near A x, where <A x, v> is far from zero, and in all the directions.
    v = torch.randn(Ax.shape, generator=generator, dtype=Ax.dtype)
    v = Ax + v * Ax.norm() / v.norm()
    Av = physics.A_adjoint(v)
    if Av.shape != x.shape:
        raise NotApplicable(
            f"{label} gives an operator whose A_adjoint has the shape "
            f"{tuple(Av.shape)} for images of shape {shape}."
        )
    left, right = torch.sum(Ax * v), torch.sum(x * Av)
    if (left - right).abs() > ADJOINT_TOLERANCE * Ax.norm() * v.norm():
        raise NotApplicable(
            f"{label} gives an operator whose A_adjoint is not the adjoint of A: "
            f"<A x, v> is {left:.6g}, and <x, A^T v> is {right:.6g}. A must be linear; "
            "deepinv.physics.adjoint_function makes the adjoint of any such A."
        )


def _check_norm(physics, x, Ax, label):
    """Warn of an operator of another norm than 1, by two images."""
    ones = torch.ones_like(x)
    pairs = (Ax, x), (physics.A(ones), ones)
    norm = max(float(image.norm() / seen.norm()) for image, seen in pairs)
    low, high = USUAL_NORMS
    if not low <= norm <= high:
        warnings.warn(
            f"{label} gives an operator with ||A|| of about {norm:.3g}: the values of "
            "solvers are for operators with 1. Divide A, y and the noise level by it.",
            stacklevel=2,
        )
