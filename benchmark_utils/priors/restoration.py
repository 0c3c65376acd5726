"""Restoration models T = R o D, whose fixed points are priors."""

from dataclasses import replace

import torch

from benchmark_utils.common.device import computing_in
from benchmark_utils.common.errors import NotApplicable
from benchmark_utils.physics.degradations import DEGRADATIONS
from benchmark_utils.priors.compact import (
    TASKS,
    compact_names,
    find_compact,
    load_by_channels,
    on_image_grid,
)
from benchmark_utils.priors.complex_parts import as_complex_images, as_grey_images
from benchmark_utils.priors.denoisers import check_images
from benchmark_utils.priors.published import (
    ENLARGING,
    PUBLISHED_RESTORERS,
    published_file,
)
from benchmark_utils.priors.published_weights import find_published


class RestorationModel:
    """T(x) = R(D(x)), whose fixed points are the favourite images of the prior.

    Terris, Kamilov and Moreau (2025). It counts the images that the network was given.
    D degrades complex images (B, 2, H, W) as a whole, and R restores their real and
    their imaginary part as two grey images.

    Parameters
    ----------
    restorer : callable (Degraded, size: (H, W)) -> tensor (B, C, H, W)
        R, trained to undo D.
    degradation : callable (x, generator) -> Degraded
        D, with fresh parameters at each call (benchmark_utils/physics/degradations.py).
    precision : torch.dtype
        What the network computes in: float32, or bfloat16.
    """

    def __init__(self, restorer, degradation, precision=torch.float32):
        self.restorer, self.degradation = restorer, degradation
        self.precision, self.n_images = precision, 0

    def __call__(self, x, generator):
        """T(x) for images x (B, C, H, W)."""
        return self.restore(self.degradation(x, generator), x.shape[-2:])

    def restore(self, degraded, size):
        """R alone, on images that are already degraded: (B, C, *size)."""
        is_complex = degraded.y.shape[1] == 2
        self.n_images += len(degraded.y) * (2 if is_complex else 1)
        if is_complex:
            restored = as_complex_images(self._restore(parts_of(degraded), size))
        else:
            restored = self._restore(degraded, size)
        if restored.shape[-2:] != tuple(size):
            raise NotApplicable(
                f"The network gives {tuple(restored.shape[-2:])} pixels where "
                f"{tuple(size)} are asked for: it needs its own degradation."
            )
        return restored

    def _restore(self, degraded, size):
        with computing_in(self.precision, degraded.y.device):
            return self.restorer(degraded, size).to(degraded.y.dtype)

    def distance(self, x, generator):
        """||x - T(x)||^2 over the number of values of x: (B,).

        The squared distance d_C(x)^2 to the fixed points where T is a projection.
        """
        return (x - self(x, generator)).flatten(1).square().mean(1)


def _compact_restorer(task):
    def load(device):
        network = load_by_channels(task, device)
        return lambda degraded, size: network(*on_image_grid(degraded, size))

    return load


# family: {task: loader (device) -> restorer (Degraded, size) -> images}
RESTORERS = {
    "compact": {task: _compact_restorer(task) for task in TASKS},
    "published": PUBLISHED_RESTORERS,
}


def family_and_task(prior, networks="compact"):
    """("published", "sr2") of "published:sr2"; "sr2" alone is of ``networks``."""
    family, _, task = str(prior).rpartition(":")
    return family or networks, task


def load_restoration(
    task,
    networks="compact",
    device="cpu",
    degradation=None,
    strength=1.0,
    shapes=(),
    precision=torch.float32,
    **ranges,
):
    """The restoration model of a task.

    Parameters
    ----------
    task : str
        denoiser, deblur, motion, jpeg, sr2, sr3 or inpaint; "published:sr2" says the
        family too.
    networks : str
        The family of a task without one: "compact" (shipped with the repository) or
        "published".
    degradation : callable or None
        D; None for the degradation of the task.
    strength : float in [0, 1]
        How much of the task's ranges is used, from their mild end.
    shapes : sequence of (C, H, W)
        Those of the images that it is for.
    precision : torch.dtype
        What the network computes in.
    **ranges
        Replace ranges of the task's degradation: ``noise=(0.02, 0.02)``, say.

    Raises
    ------
    NotApplicable, Unavailable
        As ``check_restoration``; or the weights are damaged.
    """
    degradation = check_restoration(
        task, networks, degradation, strength, shapes, **ranges
    )
    family, task = family_and_task(task, networks)
    restorer = RESTORERS[family][task](device)
    return RestorationModel(restorer, degradation, precision)


def check_restoration(
    task, networks="compact", degradation=None, strength=1.0, shapes=(), **ranges
):
    """The degradation of a restoration model that can be had, without loading it.

    The parameters are those of ``load_restoration``.

    Raises
    ------
    NotApplicable
        Unknown task or family, ``strength`` out of its range, or a network that does
        not take this ``degradation`` or these images.
    Unavailable
        The weights are not here.
    """
    if not 0 <= strength <= 1:
        raise NotApplicable(f"strength must be between 0 and 1, not {strength!r}.")
    networks, task = family_and_task(task, networks)
    if networks not in RESTORERS:
        raise NotApplicable(
            f"Unknown networks {networks!r}. They are: {', '.join(RESTORERS)}."
        )
    if task not in RESTORERS[networks]:
        raise NotApplicable(
            f"Unknown prior {task!r}. The priors are: {', '.join(RESTORERS[networks])}."
        )
    if networks == "published" and task in ENLARGING and degradation is not None:
        raise NotApplicable(
            f"The published network of {task} enlarges what it is given: it needs its "
            "own degradation. Those of networks=compact do not."
        )
    if degradation is None:
        degradation = replace(DEGRADATIONS[task].weakened(strength), **ranges)
    check_images(shapes, networks, degradation)
    if networks == "published":
        find_published(published_file(task))
    elif networks == "compact":
        for name in compact_names(task):
            find_compact(name)
    return degradation


def parts_of(degraded):
    """Degraded complex images (B, 2, H, W) as grey ones (2 B, 1, H, W)."""

    def twice(values):
        return None if values is None else values.repeat_interleave(2, dim=0)

    return replace(
        degraded,
        y=as_grey_images(degraded.y),
        sigma=twice(degraded.sigma / 2),
        mask=twice(degraded.mask),
    )
