"""Restore a measurement of which there is no truth, by a solver of the benchmark."""

import copy
import warnings
from pathlib import Path

import torch
from benchopt.benchmark import Benchmark
from benchopt.utils.run_context import RunContext

from benchmark_utils.common.device import check_device
from benchmark_utils.common.errors import NotApplicable
from benchmark_utils.common.modes import standard_modes
from benchmark_utils.common.parameters import LEVEL, whole
from benchmark_utils.data.batches import measure
from benchmark_utils.data.own_images import images_of
from benchmark_utils.solving.by_name import solvers_by_name
from benchmark_utils.solving.measurements import as_measurements, batch_of
from benchmark_utils.solving.nearest import defaults_of, nearest_problem

ROOT = Path(__file__).resolve().parents[2]

# The mean square of an image that is worth a PSNR of -20 dB, whatever the truth is.
DIVERGED = 100


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
        ``physics``, whichever it is; without one, it is estimated from y where this is
        an image without holes (deepinv's PatchCovarianceNoiseEstimator, Chen et al.,
        2015).
    train : dict {name: image}, list, tensor (N, C, H, W), or folder
        Images to learn from, for solvers that do: their centres of the size of x. Grey
        ones are repeated for x in colours, and are the real part of complex x.
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
    tensor (B, C, H, W) or (B, n), on the device of y. A warning says that the solver
    diverged, where it did.

    Raises
    ------
    NotApplicable, Unavailable
        In a sentence: an argument is not what it must be, or the solver does not take
        this problem.
    """
    LEVEL.or_none().check("noise_level", noise_level)
    whole(0).check("seed", seed)
    with standard_modes():
        check_device(device)
        measured = as_measurements(y, physics)
        # What is on the CPU here goes to the solver's device with the batches.
        batch, said = batch_of(measured.to("cpu", torch.float32), physics, noise_level)
        instance = _instance(solver, parameters, seed)
        if instance.learns() and train is None:
            raise NotApplicable(
                f"{instance.name} learns from images: give some as train, a folder or "
                "{name: image}."
            )
        skipped, reason = instance.skip(
            train=training_batches(train, batch, seed),
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
            origin = (
                f"{values}: {instance.values_from}" if values else "nothing to tune"
            )
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
        squares = x_hat.square().flatten(1).mean(1)
        # Vectors have no range.
        is_large = batch.domain.is_image and bool((squares > DIVERGED).any())
        if is_large or not bool(x_hat.isfinite().all()):
            warnings.warn(
                f"{instance} diverged: its result has values that are no image.",
                RuntimeWarning,
                stacklevel=2,
            )
        return x_hat.to(measured.device, copy=True)


def _instance(solver, parameters, seed):
    """A solver of the benchmark with its parameters, ready to draw from ``seed``."""
    benchmark = Benchmark(ROOT, no_cache=True)
    chosen = solvers_by_name(benchmark, [solver]) if isinstance(solver, str) else []
    if len(chosen) != 1:
        raise NotApplicable(f"solver must name one solver, and not {solver!r}.")
    ((solver_class, found),) = chosen
    for name, values in found.items():
        if isinstance(values, list | tuple) and len(values) > 1:
            raise NotApplicable(
                f"{solver!r} gives several values of {name}: restore takes one."
            )
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


def _as_signal(image, batch, name):
    """The centre of an image (C, H, W), of the shape of the signals of a batch."""
    channels, height, width = batch.signal_shape
    top, left = (image.shape[1] - height) // 2, (image.shape[2] - width) // 2
    if min(top, left) < 0:
        raise NotApplicable(
            f"train, {name!r} has {image.shape[1]}x{image.shape[2]} pixels, fewer than "
            f"x, {height}x{width}."
        )
    image = image[:, top : top + height, left : left + width].contiguous()
    if batch.domain.kind == "complex" and len(image) == 1:
        return torch.cat([image, torch.zeros_like(image)])
    if len(image) not in (1, channels):
        raise NotApplicable(
            f"train, {name!r} has {len(image)} channels, and x has {channels}: give "
            "grey images."
        )
    return image.expand(channels, -1, -1)


def training_batches(train, batch, seed):
    """Batches of images to learn from, measured as ``batch`` is; [] for None."""
    if train is None:
        return []
    if not batch.domain.is_image:
        raise NotApplicable("train is of images to learn from, and x are vectors.")
    generator = torch.Generator().manual_seed(seed)
    batches = []
    for name, image in images_of(train, "train").items():
        x = _as_signal(image, batch, name)
        physics = copy.deepcopy(batch.physics)
        batches.append(measure(x[None], physics, generator, (name,), batch.domain))
    return batches
