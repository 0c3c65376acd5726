"""The networks of this repository: their files of weights, and what they are given."""

from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional as F

from benchmark_utils.common.checksums import (
    check,
    read_checksums,
    sha256,
    write_checksum,
)
from benchmark_utils.common.errors import Unavailable
from benchmark_utils.physics.holes import fill_holes
from benchmark_utils.priors.networks import CompactUNet, EDMUNet

WEIGHTS = Path(__file__).parent / "weights"

WEIGHTS_CHECKSUMS = WEIGHTS / "SHA256SUMS"

TASKS = ("denoiser", "deblur", "motion", "jpeg", "sr2", "sr3", "inpaint")

# Tasks whose grey images have a network of their own; others go through as three equal
# channels.
GREY = {"denoiser": "grey"}


def load_compact(name, device):
    """A network of this repository: ``compact_{name}`` in the weights folder.

    It computes in float32; its file holds float16.

    Raises
    ------
    Unavailable
        The file is missing, or its checksum is not the recorded one.
    """
    path = find_compact(name)
    architecture = EDMUNet if name == "wide" else CompactUNet
    network = architecture.from_weights(load_file(path)).eval().requires_grad_(False)
    return network.to(device, memory_format=torch.channels_last)


def load_for_channels(task, channels, device):
    """The network of a task for images of so many channels, to be trained further.

    Complex images, of two channels, are two grey ones. Raises ``Unavailable`` as
    ``load_compact``.
    """
    name = compact_names(task)[0 if channels == 3 else -1]
    return load_compact(name, device)


def load_by_channels(task, device):
    """The networks of a task as one: (x, sigma) -> images; grey ones may have theirs.

    Raises ``Unavailable`` as ``load_compact``.
    """
    colour, *grey = (load_compact(name, device) for name in compact_names(task))

    def restore(x, sigma):
        network = grey[0] if grey and x.shape[1] == 1 else colour
        return network(x, sigma)

    return restore


def compact_names(*tasks):
    """The networks that tasks load: for colour images, then for grey ones if any."""
    return [n for task in tasks for n in (task, GREY.get(task)) if n is not None]


def used_by(names, channels):
    """Of these networks, those that images of any of these ``channels`` go through."""
    unused = set()
    if 3 not in channels:
        unused |= GREY.keys()
    if channels <= {3}:
        unused |= set(GREY.values())
    return [name for name in names if name not in unused]


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
