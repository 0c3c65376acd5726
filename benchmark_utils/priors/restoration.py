"""The networks that are priors: denoisers, and restoration models T = R o D."""

from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional as F

from benchmark_utils.common.checksums import (
    check,
    read_checksums,
    sha256,
    write_checksum,
)
from benchmark_utils.common.errors import NotApplicable, Unavailable
from benchmark_utils.common.fingerprint import content_digest, data_listing
from benchmark_utils.physics.degradations import DEGRADATIONS
from benchmark_utils.physics.holes import fill_holes
from benchmark_utils.priors.networks import CompactUNet
from benchmark_utils.priors.published import (
    ENLARGING,
    KEY,
    PUBLISHED_RESTORERS,
    find_published,
    load_published,
    published_file,
)
from benchmark_utils.priors.tv import tv_prox

WEIGHTS = Path(__file__).parent / "weights"
WEIGHTS_CHECKSUMS = WEIGHTS / "SHA256SUMS"

# TV weight that denoises natural photographs best, over the noise level.
TV_WEIGHT_OVER_SIGMA = 0.7


def load_compact(name, device):
    """A network of this repository: ``compact_{name}`` in the weights folder.

    It computes in float32; its file holds float16.

    Raises
    ------
    Unavailable
        The file is missing, or its checksum is not the recorded one.
    """
    path = find_compact(name)
    network = CompactUNet.from_weights(load_file(path)).eval().requires_grad_(False)
    return network.to(device, memory_format=torch.channels_last)


def find_compact(name):
    """The file of a network of this repository.

    ``Unavailable`` if it is missing, or if its checksum is not the recorded one.
    """
    path = WEIGHTS / f"compact_{name}.safetensors"
    expected = read_checksums(WEIGHTS_CHECKSUMS).get(path.name)
    if expected is None or not path.exists():
        raise Unavailable(
            f"The weights {path.name} are not in {WEIGHTS}: restore them from the "
            f"repository, or make them with python training/train.py {name}."
        )
    check(path, expected)
    return path


def compact_of_denoiser(name):
    """The networks of this repository that a denoiser loads: a list of names."""
    return ["denoiser"] if name in ("compact", "equivariant") else []


def networks_named(parameters):
    """What the parameters of a solver say that it loads.

    They are denoiser, prior, priors ("denoiser+sr2") and networks.

    Returns
    -------
    list of the names of compact networks; whether published networks are loaded too.
    None, where no parameter is one of the first three.
    """
    if parameters.keys().isdisjoint(("denoiser", "prior", "priors")):
        return None
    options = [str(parameters.get(key, "")) for key in ("prior", "priors")]
    tasks = [task for option in options for task in option.split("+") if task]
    names = compact_of_denoiser(parameters.get("denoiser"))
    published = parameters.get("denoiser") == "drunet"
    if parameters.get("networks", "compact") == "compact":
        return names + tasks, published
    return names, published or bool(tasks)


def compact_state(names):
    """What tells the weights of compact networks: their content and their checksums."""
    paths = [WEIGHTS / f"compact_{name}.safetensors" for name in names]
    recorded = {}
    if WEIGHTS_CHECKSUMS.exists():
        recorded = read_checksums(WEIGHTS_CHECKSUMS)
    return [(p.name, content_digest(p), recorded.get(p.name)) for p in paths]


def published_state():
    """What tells the published weights that are on this machine; none is opened."""
    return data_listing(KEY)


def save_compact_weights(network, name):
    """Write the weights of a compact network, and their checksum to the list.

    They are rounded to float16, which halves the repository's largest files and moves
    no PSNR by more than 0.001 dB (see the weights' card).
    """
    path = WEIGHTS / f"compact_{name}.safetensors"
    WEIGHTS.mkdir(exist_ok=True)
    weights = {
        key: value.half().contiguous() for key, value in network.state_dict().items()
    }
    save_file(weights, path)
    write_checksum(WEIGHTS_CHECKSUMS, path.name, sha256(path))


def _compact(device):
    return load_compact("denoiser", device)


class Equivariant:
    """The mean of a denoiser over the rotations and reflections of a square.

    Terris, Moreau, Pustelnik and Tachella (CVPR 2024), "Equivariant plug-and-play image
    reconstruction": a photograph turned is a photograph, and so denoises the same way.
    """

    SYMMETRIES = tuple(product(range(4), (False, True)))

    def __init__(self, network):
        self.network, self.n_calls = network, len(self.SYMMETRIES)

    def __call__(self, x, sigma):
        total = sum(self._turned(x, sigma, *how) for how in self.SYMMETRIES)
        return total / self.n_calls

    def _turned(self, x, sigma, quarters, mirrored):
        x = x.rot90(quarters, (-2, -1))
        restored = self.network(x.flip(-1) if mirrored else x, sigma)
        restored = restored.flip(-1) if mirrored else restored
        return restored.rot90(-quarters, (-2, -1))


def _equivariant(device):
    return Equivariant(load_compact("denoiser", device))


def _drunet(device):
    return load_published("drunet", device)


def _tv(device):
    def denoise(x, sigma):
        return tv_prox(x, TV_WEIGHT_OVER_SIGMA * sigma)

    denoise.n_calls = 0
    return denoise


def import_bm3d():
    try:
        from bm3d import bm3d_rgb
    except ImportError as error:
        raise Unavailable("The denoiser bm3d needs: pip install bm3d") from error
    return bm3d_rgb


def _bm3d(device):
    bm3d_rgb = import_bm3d()

    def denoise(x, sigma):
        images = x.permute(0, 2, 3, 1).cpu().double().numpy()
        restored = np.stack([bm3d_rgb(image, sigma) for image in images])
        return torch.from_numpy(restored).permute(0, 3, 1, 2).to(x)

    denoise.n_calls = 0
    return denoise


def on_image_grid(degraded, size):
    """The inputs of a compact network: an image (B, C, *size) and its noise level.

    Small images are enlarged (bicubic), holes are filled, and the noise level of a
    hole is 1: nothing is known there.
    """
    y, sigma = degraded.y, degraded.sigma
    if degraded.factor > 1:
        y = F.interpolate(
            y, scale_factor=degraded.factor, mode="bicubic", antialias=True
        )
        y = y[..., : size[0], : size[1]]
    if degraded.mask is not None:
        y = fill_holes(y, degraded.mask)
        sigma = torch.where(degraded.mask > 0, sigma.view(-1, 1, 1, 1), 1.0)
    return y, sigma


DENOISERS = {
    "compact": _compact,
    "equivariant": _equivariant,
    "drunet": _drunet,
    "tv": _tv,
    "bm3d": _bm3d,
}

# Numbers of channels that a denoiser or a family of networks takes; others take any.
CHANNELS = {
    "compact": (1, 3),
    "equivariant": (1, 3),
    "drunet": (3,),
    "bm3d": (3,),
    "published": (3,),
}


def check_images(shapes, name, degradation=None):
    """Raise ``NotApplicable`` for images that a denoiser or a prior does not take.

    Parameters
    ----------
    shapes : sequence of (C, H, W)
    name : str
        The denoiser, or the family of the networks.
    degradation : Degradation or None
        What the images will go through.
    """
    smallest = getattr(degradation, "smallest_side", 1)
    for channels, height, width in shapes:
        taken = CHANNELS.get(name, (channels,))
        if channels not in taken:
            numbers = " or ".join(map(str, taken))
            raise NotApplicable(
                f"{name!r} takes images of {numbers} channels, and these have "
                f"{channels}: take another denoiser, or other networks."
            )
        if min(height, width) < smallest:
            raise NotApplicable(
                f"{type(degradation).__name__} takes images of {smallest} pixels or "
                f"more on each side, and these have {height}x{width}: choose a larger "
                "img_size, or another prior."
            )


class CountedDenoiser:
    """A denoiser D(x, sigma) that counts the images its network was given.

    The real and the imaginary part of a complex image are two grey images to it.

    Parameters
    ----------
    function : callable (x (B, C, H, W), sigma: float) -> (B, C, H, W)
        Its ``n_calls`` is how many times it calls a network, where it is not once; 0
        for those that have none.
    """

    def __init__(self, function):
        self.function, self.n_images = function, 0

    def __call__(self, x, sigma):
        images = x.flatten(0, 1)[:, None] if x.shape[1] == 2 else x
        self.n_images += len(images) * getattr(self.function, "n_calls", 1)
        return self.function(images, sigma).view(x.shape)


def load_denoiser(name, device="cpu", shapes=()):
    """A denoiser by name (a key of ``DENOISERS``), for images of these ``shapes``.

    Raises
    ------
    NotApplicable, Unavailable
        As ``check_denoiser``.
    """
    check_denoiser(name, shapes)
    return CountedDenoiser(DENOISERS[name](device))


def check_denoiser(name, shapes=()):
    """See, without loading it, that a denoiser can be had for images (C, H, W).

    Raises
    ------
    NotApplicable
        Unknown name, or images that it does not take.
    Unavailable
        The package or the weights that it needs are not here.
    """
    if name not in DENOISERS:
        raise NotApplicable(
            f"Unknown denoiser {name!r}. The denoisers are: {', '.join(DENOISERS)}."
        )
    check_images(shapes, name)
    for network in compact_of_denoiser(name):
        find_compact(network)
    if name == "bm3d":
        import_bm3d()
    elif name == "drunet":
        find_published("drunet")


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
    """

    def __init__(self, restorer, degradation):
        self.restorer, self.degradation, self.n_images = restorer, degradation, 0

    def __call__(self, x, generator):
        """T(x) for images x (B, C, H, W)."""
        return self.restore(self.degradation(x, generator), x.shape[-2:])

    def restore(self, degraded, size):
        """R alone, on images that are already degraded: (B, C, *size)."""
        is_complex = degraded.y.shape[1] == 2
        self.n_images += len(degraded.y) * (2 if is_complex else 1)
        if is_complex:
            parts = self.restorer(as_grey_images(degraded), size)
            restored = parts[:, 0].unflatten(0, (-1, 2))
        else:
            restored = self.restorer(degraded, size)
        if restored.shape[-2:] != tuple(size):
            raise NotApplicable(
                f"The network gives {tuple(restored.shape[-2:])} pixels where "
                f"{tuple(size)} are asked for: it needs its own degradation."
            )
        return restored

    def distance(self, x, generator):
        """||x - T(x)||^2 over the number of values of x: (B,).

        The squared distance d_C(x)^2 to the fixed points where T is a projection.
        """
        return (x - self(x, generator)).flatten(1).square().mean(1)


def _compact_restorer(task):
    def load(device):
        network = load_compact(task, device)
        return lambda degraded, size: network(*on_image_grid(degraded, size))

    return load


# family: {task: loader (device) -> restorer (Degraded, size) -> images}
RESTORERS = {
    "compact": {task: _compact_restorer(task) for task in DEGRADATIONS},
    "published": PUBLISHED_RESTORERS,
}


def load_restoration(
    task,
    networks="compact",
    device="cpu",
    degradation=None,
    strength=1.0,
    shapes=(),
    **ranges,
):
    """The restoration model of a task.

    Parameters
    ----------
    task : str
        denoiser, deblur, motion, jpeg, sr2, sr3 or inpaint.
    networks : str
        "compact" (shipped with the repository) or "published".
    degradation : callable or None
        D; None for the degradation of the task.
    strength : float in [0, 1]
        How much of the task's ranges is used, from their mild end.
    shapes : sequence of (C, H, W)
        Those of the images that it is for.
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
    return RestorationModel(RESTORERS[networks][task](device), degradation)


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
    else:
        find_compact(task)
    return degradation


def as_grey_images(degraded):
    """Degraded complex images (B, 2, H, W) as grey ones (2 B, 1, H, W)."""

    def twice(values):
        return None if values is None else values.repeat_interleave(2, dim=0)

    return replace(
        degraded,
        y=degraded.y.flatten(0, 1)[:, None],
        sigma=twice(degraded.sigma),
        mask=twice(degraded.mask),
    )
