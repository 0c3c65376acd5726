"""Restore a measurement of which there is no truth, by a solver of the benchmark."""

import copy
from pathlib import Path

import deepinv as dinv
import numpy as np
import torch
from benchopt.benchmark import Benchmark
from benchopt.utils.run_context import RunContext

from benchmark_utils.common.device import check_device
from benchmark_utils.common.errors import NotApplicable
from benchmark_utils.common.modes import standard_modes
from benchmark_utils.common.parameters import LEVEL
from benchmark_utils.data.batches import Batch, measure
from benchmark_utils.data.domain import COMPLEX_IMAGES, IMAGES, VECTORS
from benchmark_utils.data.images import center_crop
from benchmark_utils.data.own_images import images_of
from benchmark_utils.physics.noise import is_signal_dependent
from benchmark_utils.physics.own_operator import checked
from benchmark_utils.solving.nearest import defaults_of, nearest_problem

ROOT = Path(__file__).resolve().parents[2]

# The side (pixels) of the smallest image whose noise is estimated.
SMALLEST_ESTIMATED = 48


def restore(
    y,
    physics,
    solver="PnP-HQS",
    noise_level=None,
    *,
    train=None,
    device="auto",
    seed=0,
    verbose=True,
    **parameters,
):
    """An estimate of x from y = A x + noise, by a solver of the benchmark.

    Errors of the solver keep their traceback. Hyper-parameters that are not given are
    those tuned for the nearest problem, else the defaults; one printed line says which.

    Parameters
    ----------
    y : tensor or numpy array (B, ...)
        A batch of measurements, of images with values in about [0, 1].
    physics : deepinv.physics.LinearPhysics
        A, with a noise model or without. It is left as it is.
    solver : str
        As on benchopt's command line: "TV", "PnP-HQS[denoiser=tv]".
    noise_level : float or None
        Standard deviation of Gaussian noise on y. None: that of the noise model of
        ``physics``, whichever it is; without one, it is estimated from y (deepinv's
        PatchCovarianceNoiseEstimator, Chen et al., 2015).
    train : dict {name: image}, list, tensor (N, C, H, W), or folder
        Images to learn from, for solvers that do: their centres of the size of x.
    device : str
        Where to run: auto (a GPU if there is one), cpu, cuda, cuda:1.
    seed : int
        Of all random draws.
    verbose : bool
        Whether to print the line.
    parameters
        Of the solver: n_iter=20, reg=0.1...

    Returns
    -------
    tensor (B, C, H, W) or (B, n), on the device of y.

    Raises
    ------
    NotApplicable, Unavailable
        In a sentence: an argument is not what it must be, or the solver does not take
        this problem.
    """
    check_device(device)
    LEVEL.or_none().check("noise_level", noise_level)
    with standard_modes():
        measured = _measured(y)
        # What is on the CPU here goes to the solver's device with the batches.
        batch = _batch(measured.to("cpu", torch.float32), physics)
        said = _set_noise(batch, noise_level)
        instance = _instance(solver, parameters, seed)
        if instance.learns() and train is None:
            raise NotApplicable(
                f"{instance.name} learns from images: give some as train, a folder or "
                "{name: image}."
            )
        skipped, reason = instance.skip(
            train=_training_batches(train, batch, seed),
            test=[batch],
            dataset="restore",
            problem=(problem := nearest_problem(batch)),
            defaults=defaults_of(problem),
            device=device,
        )
        if skipped:
            raise NotApplicable(reason)
        if verbose:
            values = ", ".join(f"{k}={v}" for k, v in instance.values.items())
            origin = f"{values or 'nothing to tune'}: {instance.values_from}"
            print(f"{instance} on {instance.device}: {said}; {origin}.")
        instance.set_objective(
            **{
                k: getattr(instance, k) for k in ("train", "test", "dataset", "problem")
            },
            device=device,
        )
        instance.pre_run_hook(None)
        instance.run(lambda: True)
        (x_hat,) = instance.x_hat
        x_hat = x_hat() if callable(x_hat) else x_hat
        return x_hat.to(measured.device, copy=True)


def _measured(y):
    """y as a tensor of finite floats, where it is."""
    if isinstance(y, np.ndarray):
        # torch takes neither flipped arrays nor those of another order of bytes.
        y = np.ascontiguousarray(y, dtype=y.dtype.newbyteorder("="))
    measured = torch.as_tensor(y).detach()
    if measured.is_complex():
        raise NotApplicable("y is complex: give torch.view_as_real of it.")
    if not measured.is_floating_point():
        raise NotApplicable(
            f"y has whole numbers ({measured.dtype}): give floats, of images with "
            "values in about [0, 1]."
        )
    if not bool(measured.isfinite().all()):
        raise NotApplicable("y has values that are NaN or infinite.")
    return measured


def _batch(y, physics):
    """y and a copy of its physics, both checked."""
    if not isinstance(physics, dinv.physics.LinearPhysics):
        raise NotApplicable(
            f"physics is a {type(physics).__name__}: it must be a "
            "deepinv.physics.LinearPhysics."
        )
    physics = copy.deepcopy(physics).to("cpu")
    if y.ndim == 3:
        raise NotApplicable(
            f"y has the shape {tuple(y.shape)}: it must be a batch (B, C, H, W), as "
            "y[None] is."
        )
    x = physics.A_adjoint(y)
    kinds = {1: IMAGES, 2: COMPLEX_IMAGES, 3: IMAGES}
    domain = VECTORS if x.ndim == 2 else kinds.get(x.shape[1]) if x.ndim == 4 else None
    if domain is None:
        raise NotApplicable(
            f"A_adjoint of y, of shape {tuple(y.shape)}, has the shape "
            f"{tuple(x.shape)}: it must be a batch of images (B, C, H, W) of 1 or 3 "
            "channels, of 2 for complex ones, or of vectors (B, n)."
        )
    expected = tuple(physics.A(x).shape)
    if expected != tuple(y.shape):
        raise NotApplicable(
            f"y has the shape {tuple(y.shape)}, and physics.A gives {expected} of "
            f"images of shape {tuple(x.shape)}: give the physics that measured y."
        )
    checked(physics, x.shape[1:], "physics", len(x))
    names = tuple(f"image {i}" for i in range(len(y)))
    return Batch(y=y, physics=physics, names=names, domain=domain)


def _set_noise(batch, noise_level):
    """Give the physics of a batch its noise; say where it is from."""
    physics, model = batch.physics, batch.physics.noise_model
    if noise_level is not None:
        noise_level = float(noise_level)
        said = f"noise level {noise_level:.4g}, given"
    elif is_signal_dependent(physics):
        return f"{type(model).__name__} of physics"
    elif isinstance(model, dinv.physics.GaussianNoise):
        return f"noise level {float(model.sigma.max()):.4g}, of physics"
    else:
        noise_level = _estimated_noise(batch.y)
        said = f"noise level {noise_level:.4g}, estimated"
    physics.noise_model = dinv.physics.GaussianNoise(sigma=noise_level)
    return said


def _estimated_noise(y):
    """The level of the noise of a batch of images (B, C, H, W)."""
    if y.ndim != 4 or min(y.shape[-2:]) < SMALLEST_ESTIMATED:
        raise NotApplicable(
            "The noise of measurements that are no image, or a small one, cannot be "
            "estimated: give noise_level, or a noise model to physics."
        )
    # With the patches of every third pixel alone, small images have too few.
    stride = 1 if min(y.shape[-2:]) < 256 else 3
    estimator = dinv.models.PatchCovarianceNoiseEstimator
    return float(estimator.estimate_noise(y, stride=stride).square().mean().sqrt())


def _instance(solver, parameters, seed):
    """A solver of the benchmark with its parameters, ready to draw from ``seed``."""
    benchmark = Benchmark(ROOT, no_cache=True)
    chosen = (
        benchmark.check_solver_patterns([solver]) if isinstance(solver, str) else []
    )
    if len(chosen) != 1:
        raise NotApplicable(f"solver must name one solver, and not {solver!r}.")
    ((solver_class, found),) = chosen
    if unknown := parameters.keys() - solver_class.parameters.keys():
        raise NotApplicable(
            f"{solver_class.name} has no {', '.join(sorted(unknown))}: its parameters "
            f"are {', '.join(solver_class.parameters)}."
        )
    first = {
        name: values[0] if isinstance(values, list | tuple) else values
        for name, values in found.items()
    }
    instance = solver_class.get_instance(**{**first, **parameters})
    RunContext().set_run_context("objective", "restore", instance, 0, seed)
    return instance


def _training_batches(train, batch, seed):
    if train is None:
        return []
    shape = batch.signal_shape
    generator = torch.Generator().manual_seed(seed)
    batches = []
    for name, image in images_of(train, "train").items():
        x = center_crop(image.expand(shape[0], -1, -1), None, name)
        top, left = ((side - n) // 2 for side, n in zip(x.shape[1:], shape[1:]))
        if min(top, left) < 0:
            raise NotApplicable(
                f"train, {name!r} has {x.shape[1]}x{x.shape[2]} pixels, fewer than x, "
                f"{shape[1]}x{shape[2]}."
            )
        x = x[:, top : top + shape[1], left : left + shape[2]].contiguous()
        physics = copy.deepcopy(batch.physics)
        batches.append(measure(x[None], physics, generator, (name,), batch.domain))
    return batches
