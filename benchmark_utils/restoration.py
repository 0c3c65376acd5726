"""The denoisers that plug-and-play methods use, by name, and their weights."""

from pathlib import Path

import deepinv as dinv
import numpy as np
import torch
from huggingface_hub import hf_hub_download
from safetensors.torch import load_file, save_file

from benchmark_utils.checksums import check, read_checksums, sha256, write_checksum
from benchmark_utils.errors import Unavailable
from benchmark_utils.networks import CompactUNet
from benchmark_utils.tv import tv_prox

WEIGHTS = Path(__file__).parent / "weights"
WEIGHTS_CHECKSUMS = WEIGHTS / "SHA256SUMS"

DRUNET_REPO, DRUNET_FILE = "deepinv/drunet", "drunet_deepinv_color_finetune_22k.pth"
DRUNET_SHA256_START = "20296845"

# TV weight that denoises natural photographs best, over the noise level.
TV_WEIGHT_OVER_SIGMA = 0.7


def load_compact(name, device):
    """A network of this repository: ``compact_{name}`` in the weights folder.

    Raises
    ------
    Unavailable
        The file is missing, or its checksum is not the recorded one.
    """
    path = WEIGHTS / f"compact_{name}.safetensors"
    expected = read_checksums(WEIGHTS_CHECKSUMS).get(path.name)
    if expected is None or not path.exists():
        raise Unavailable(
            f"The weights {path.name} are not in {WEIGHTS}: restore them from the "
            f"repository, or make them with python training/train.py {name}."
        )
    check(path, expected)
    network = CompactUNet()
    network.load_state_dict(load_file(path))
    network = network.eval().requires_grad_(False)
    return network.to(device, memory_format=torch.channels_last)


def save_compact_weights(network, name):
    """Write the weights of a compact network, and their checksum to the list."""
    path = WEIGHTS / f"compact_{name}.safetensors"
    WEIGHTS.mkdir(exist_ok=True)
    weights = {key: value.contiguous() for key, value in network.state_dict().items()}
    save_file(weights, path)
    write_checksum(WEIGHTS_CHECKSUMS, path.name, sha256(path))


def _compact(device):
    return load_compact("denoiser", device)


def _drunet(device):
    try:
        path = hf_hub_download(DRUNET_REPO, DRUNET_FILE)
    except Exception as error:
        raise Unavailable(
            f"DRUNet's weights could not be fetched ({type(error).__name__}): with a "
            f"network connection, run hf download {DRUNET_REPO} "
            f"{DRUNET_FILE} once; they stay in the Hugging Face cache."
        ) from error
    check(path, DRUNET_SHA256_START)
    network = dinv.models.DRUNet(pretrained=path, device=device).eval()
    return network.requires_grad_(False)


def _tv(device):
    return lambda x, sigma: tv_prox(x, TV_WEIGHT_OVER_SIGMA * sigma)


def _bm3d(device):
    try:
        from bm3d import bm3d_rgb
    except ImportError as error:
        raise Unavailable("The denoiser bm3d needs: pip install bm3d") from error

    def denoise(x, sigma):
        images = x.permute(0, 2, 3, 1).cpu().double().numpy()
        restored = np.stack([bm3d_rgb(image, sigma) for image in images])
        return torch.from_numpy(restored).permute(0, 3, 1, 2).to(x)

    return denoise


DENOISERS = {"compact": _compact, "drunet": _drunet, "tv": _tv, "bm3d": _bm3d}


class CountedDenoiser:
    """A denoiser D(x, sigma) that counts the images it was given.

    Parameters
    ----------
    function : callable (x (B, C, H, W), sigma: float) -> (B, C, H, W)
    """

    def __init__(self, function):
        self.function, self.n_images = function, 0

    def __call__(self, x, sigma):
        self.n_images += len(x)
        return self.function(x, sigma)


def load_denoiser(name, device="cpu"):
    """A denoiser by name: a key of ``DENOISERS``.

    Raises
    ------
    ValueError
        Unknown name.
    Unavailable
        The weights or the package it needs are not here.
    """
    if name not in DENOISERS:
        raise ValueError(
            f"Unknown denoiser {name!r}. The denoisers are: {', '.join(DENOISERS)}."
        )
    return CountedDenoiser(DENOISERS[name](device))
