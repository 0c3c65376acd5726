"""The denoisers, by name, for images of one or three channels and complex ones."""

from itertools import product

import numpy as np
import torch

from benchmark_utils.common.device import computing_in
from benchmark_utils.common.errors import NotApplicable, Unavailable
from benchmark_utils.priors.compact import (
    compact_names,
    find_compact,
    load_by_channels,
)
from benchmark_utils.priors.complex_parts import as_complex_images, as_grey_images
from benchmark_utils.priors.published_weights import find_published, load_published
from benchmark_utils.priors.tv import tv_prox

# TV weight that denoises natural photographs best, over the noise level.
TV_WEIGHT_OVER_SIGMA = 0.7


def _compact(device):
    return load_by_channels("denoiser", device)


def _wide(device):
    return load_by_channels("wide", device)


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
    return Equivariant(load_by_channels("denoiser", device))


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


DENOISERS = {
    "compact": _compact,
    "wide": _wide,
    "equivariant": _equivariant,
    "drunet": _drunet,
    "tv": _tv,
    "bm3d": _bm3d,
}

# Numbers of channels that a denoiser or a family of networks takes; others take any.
CHANNELS = {
    "compact": (1, 3),
    "wide": (3,),
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
    precision : torch.dtype
        What its network computes in: float32, or bfloat16.
    """

    def __init__(self, function, precision=torch.float32):
        self.function, self.precision, self.n_images = function, precision, 0

    def __call__(self, x, sigma):
        is_complex = x.shape[1] == 2
        images = as_grey_images(x) if is_complex else x
        self.n_images += len(images) * getattr(self.function, "n_calls", 1)
        if is_complex:
            return as_complex_images(self._denoise(images, sigma / 2))
        return self._denoise(images, sigma)

    def _denoise(self, images, sigma):
        with computing_in(self.precision, images.device):
            return self.function(images, sigma).to(images.dtype)


def compact_of_denoiser(name):
    """The networks of this repository that a denoiser loads: a list of names."""
    tasks = {"compact": "denoiser", "equivariant": "denoiser", "wide": "wide"}
    return compact_names(tasks[name]) if name in tasks else []


def load_denoiser(name, device="cpu", shapes=(), precision=torch.float32):
    """A denoiser by name (a key of ``DENOISERS``), for images of these ``shapes``.

    Its network computes in ``precision``.

    Raises
    ------
    NotApplicable, Unavailable
        As ``check_denoiser``.
    """
    check_denoiser(name, shapes)
    return CountedDenoiser(DENOISERS[name](device), precision)


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
