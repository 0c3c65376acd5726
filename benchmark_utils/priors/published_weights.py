"""Published restoration networks: their files of weights, found, fetched and checked.

A file is read from the folder that ``data_paths: {published_weights: /folder}`` of
config_local.yml gives, else from ``data/published_weights``. Public files are
downloaded there on first use.
"""

import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pickle import UnpicklingError

import deepinv as dinv
import pooch
import torch
from huggingface_hub import hf_hub_download

from benchmark_utils.common.checksums import (
    check,
    read_checksums,
    sha256,
    write_checksum,
)
from benchmark_utils.common.errors import Unavailable
from benchmark_utils.common.paths import data_folder
from benchmark_utils.common.shared_files import incoming, locked

KEY = "published_weights"


@dataclass(frozen=True)
class Published:
    """A published file of weights.

    Attributes
    ----------
    file : str
        Its name.
    home : str
        Where a person finds it.
    fetch : callable (folder: Path), or None
        Downloads it to a folder; None if it is not public.
    read : callable (path) -> torch.nn.Module, on the CPU
    digest : str
        The start of its sha256. Where nobody gives it (""), the sha256 at first use is
        recorded in the folder's ``SHA256SUMS``.
    """

    file: str
    home: str
    fetch: Callable | None
    read: Callable
    digest: str = ""


def _into(architecture, **options):
    """Reader of a state dict, alone or under the key where its authors put it."""

    def read(path):
        weights = _dictionary_of(path)
        for key in ("params", "state_dict"):
            weights = weights.get(key, weights)
        # Without pretrained=None, deepinv downloads other weights.
        network = architecture(pretrained=None, **options)
        network.load_state_dict(weights)
        return network

    return read


def _dictionary_of(path):
    weights = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(weights, dict):
        raise NotWeights(f"{path} holds a {type(weights).__name__}.")
    return weights


def _ram(path):
    """RAM; as for deepinv, scalars that the file lacks keep their first value."""
    network = dinv.models.RAM(pretrained=None)
    missing = network.load_state_dict(_dictionary_of(path), strict=False).missing_keys
    if any(network.get_parameter(name).ndim > 1 for name in missing):
        raise NotWeights(f"{path} lacks {', '.join(missing[:3])}.")
    return network


def _torchscript(path):
    with warnings.catch_warnings():
        # LaMa exists in no newer format.
        warnings.simplefilter("ignore", FutureWarning)
        return torch.jit.load(path, map_location="cpu")


def _hugging_face(repository, file, read, digest=""):
    def fetch(folder):
        hf_hub_download(repository, file, local_dir=folder)

    home = f"https://huggingface.co/{repository}"
    return Published(file, home, fetch, read, digest)


def _github(repository, release, file, read):
    home = f"https://github.com/{repository}/releases/tag/{release}"

    def fetch(folder):
        pooch.retrieve(
            f"https://github.com/{repository}/releases/download/{release}/{file}",
            known_hash=None,  # Recorded at first use.
            path=folder,
            fname=file,
        )

    return Published(file, home, fetch, read)


def _swinir(factor):
    return _github(
        "JingyunLiang/SwinIR",
        "v0.0",
        f"001_classicalSR_DF2K_s64w8_SwinIR-M_x{factor}.pth",
        _into(
            dinv.models.SwinIR,
            img_size=64,
            window_size=8,
            upscale=factor,
            upsampler="pixelshuffle",
        ),
    )


_RESTORMER = _into(dinv.models.Restormer, LayerNorm_type="WithBias")
_FIRE = "the authors of FiRe (https://github.com/matthieutrs/fire)"

FILES = {
    "drunet": _hugging_face(
        "deepinv/drunet",
        "drunet_deepinv_color_finetune_22k.pth",
        _into(dinv.models.DRUNet),
        digest="20296845",
    ),
    "scunet": _hugging_face(
        "deepinv/scunet", "scunet_color_real_psnr.pth", _into(dinv.models.SCUNet)
    ),
    "restormer_defocus": _hugging_face(
        "deepinv/restormer", "single_image_defocus_deblurring.pth", _RESTORMER
    ),
    # Fine-tuned by the authors of FiRe.
    "restormer_gaussian": Published("restormer_gaussian.pth", _FIRE, None, _RESTORMER),
    "restormer_motion": Published("restormer_motion.pth", _FIRE, None, _RESTORMER),
    "swinir_x2": _swinir(2),
    "swinir_x3": _swinir(3),
    "ram": _hugging_face("mterris/ram", "ram.pth.tar", _ram),
    "lama": _github(
        "enesmsahin/simple-lama-inpainting", "v0.1.0", "big-lama.pt", _torchscript
    ),
}


def load_published(name, device):
    """A published network, in evaluation mode, its weights frozen.

    Parameters
    ----------
    name : str
        A key of ``FILES``.
    device : str or torch.device

    Raises
    ------
    Unavailable
        Its file is neither here nor to be downloaded, it is damaged, or it is not the
        one of the first use.
    """
    published = FILES[name]
    path = _find(published)
    list_path = path.parent / "SHA256SUMS"
    recorded = read_checksums(list_path) if list_path.exists() else {}
    expected = published.digest or recorded.get(path.name, "")
    if expected:
        check(path, expected)
    network = _build(published, path, is_known=bool(expected), device=device)
    if not expected:
        # A shared folder may be read-only: its files are used all the same.
        with suppress(OSError):
            write_checksum(list_path, path.name, sha256(path))
    for weights in network.parameters():
        weights.requires_grad_(False)
    return network.eval()


# What torch raises for files that are not what they should be. Its errors of memory,
# which are some of them too, are told apart before.
DAMAGE = (RuntimeError, ValueError, LookupError, EOFError, UnpicklingError)


class NotWeights(ValueError):
    """A file that torch reads, and that is no dictionary of weights."""


def _build(published, path, is_known, device):
    """The network of a file on a device; ``is_known``: its checksum is the right one.

    Raises
    ------
    Unavailable
        With the reason. It is the file's fault only where its checksum is not known.
    """
    try:
        return published.read(path).to(device)
    except Exception as error:
        out_of_memory = isinstance(error, MemoryError | torch.OutOfMemoryError)
        if isinstance(error, DAMAGE) and not (is_known or out_of_memory):
            raise Unavailable(
                f"{path} is damaged, or holds the weights of another network: delete "
                f"it, and get it again from {published.home}."
            ) from error
        reason = " ".join(str(error).split())[:200]
        raise Unavailable(
            f"The network of {path} could not be loaded on {device} "
            f"({type(error).__name__}: {reason}): the fault is not the file's, and a "
            "new copy of it would not help."
        ) from error


def is_here(name):
    """Whether a file of ``FILES`` is in its folder already."""
    return (data_folder(KEY) / FILES[name].file).exists()


def find_published(name):
    """The path of a file of ``FILES``, downloaded if it is not there.

    Raises
    ------
    Unavailable
        It is neither here nor to be downloaded.
    """
    return _find(FILES[name])


# Why downloads failed, by path: a process waits for each of them once.
_failed = {}


def _find(published):
    folder = data_folder(KEY)
    path = folder / published.file
    if path.is_file():
        return path
    if published.fetch is None:
        raise _missing(published, folder, "are not public")
    if path in _failed:
        raise _missing(published, folder, _failed[path])
    try:
        with locked(folder):
            # Another process may have fetched it while this one waited.
            if not path.is_file():
                with incoming(folder) as temporary:
                    published.fetch(temporary)
        path.stat()  # Fails where the download lacks it.
        return path
    except Exception as error:
        _failed[path] = f"could not be downloaded ({type(error).__name__})"
        raise _missing(published, folder, _failed[path]) from error


def _missing(published, folder, reason):
    return Unavailable(
        f"The weights {published.file} are not in {folder} and {reason}: get them from "
        f"{published.home}, and give their folder in config_local.yml, as "
        f"data_paths: {{{KEY}: /their/folder}}."
    )
