"""Files of fastMRI: k-space of volumes, in h5 files of the official layout."""

import math

import numpy as np
import torch
from deepinv.physics import MRI

from benchmark_utils.common.errors import NotApplicable, Unavailable
from benchmark_utils.common.fingerprint import listing
from benchmark_utils.common.paths import data_folder
from benchmark_utils.physics.kspace import as_channels
from benchmark_utils.physics.mri import estimated_maps

HOME = "https://fastmri.med.nyu.edu"
COILS = ("singlecoil", "multicoil")
# The test volumes of fastMRI have no truth.
FOLDERS = {"train": "train", "test": "val"}
RECONSTRUCTIONS = ("reconstruction_esc", "reconstruction_rss")
LAYOUT = (
    "a volume of fastMRI has kspace (slices, [coils,] H, W), reconstruction_esc or "
    "reconstruction_rss (slices, H, W) and the attribute max"
)


def import_h5py():
    try:
        import h5py
    except ImportError as error:
        raise Unavailable("The dataset fastmri needs: pip install h5py") from error
    return h5py


def volumes(coils, split):
    """The h5 files of a split, "train" or "test", in the order of their names.

    Raises
    ------
    Unavailable
        There is none.
    """
    folder = data_folder("fastmri")
    inside = f"{coils}_{FOLDERS[split]}"
    paths = sorted((folder / inside).glob("*.h5"))
    if not paths:
        raise Unavailable(
            f"There is no file {inside}/*.h5 in {folder}. fastMRI is not downloaded: "
            f"ask for it on {HOME}, and give the folder that holds {inside} in "
            "config_local.yml, as data_paths: {fastmri: /its/folder}."
        )
    return paths


def volumes_state(coils):
    """What tells the files that ``volumes`` finds from others."""
    try:
        folder = data_folder("fastmri")
    except Unavailable:
        return None
    return [listing(folder / f"{coils}_{split}") for split in FOLDERS.values()]


def central_slices(path, n_slices):
    """The ``n_slices`` slices in the middle of a volume: pairs (name, image).

    Images are complex (H, W): those of the k-space, over the largest value of the
    volume's reconstruction, of whose size is their central crop.

    Raises
    ------
    Unavailable
        The file cannot be read.
    NotApplicable
        It has another layout, nothing in it, or NaN; or k-space is undersampled.
    """
    h5py = import_h5py()
    try:
        file = h5py.File(path)
    except OSError as error:
        raise Unavailable(f"{path} is not an h5 file that can be read.") from error
    with file:
        kspace, size, largest = _checked(file, path)
        n_slices = min(n_slices, len(kspace))
        first = (len(kspace) - n_slices) // 2
        for index in range(first, first + n_slices):
            try:
                values = torch.from_numpy(kspace[index])
            except OSError as error:
                raise Unavailable(
                    f"{path}, slice {index} cannot be read: {error}"
                ) from error
            image = _image(values, path) / largest
            crop = [min(*sides) for sides in zip(size, image.shape)]
            yield f"{path.stem} slice {index}", _crop(image, crop)


def _checked(file, path):
    """The k-space of a file, (H, W) and the largest value of its reconstruction."""

    def refuse(reason):
        raise NotApplicable(f"{path} {reason}; {LAYOUT}.")

    h5py = import_h5py()
    kspace = file.get("kspace")
    if not isinstance(kspace, h5py.Dataset):
        refuse(f"has no array kspace (it has {', '.join(file) or 'nothing'})")
    if kspace.ndim not in (3, 4) or kspace.dtype.kind != "c":
        refuse(f"has a kspace of shape {kspace.shape} and dtype {kspace.dtype}")
    if 0 in kspace.shape:
        refuse(f"has a kspace of shape {kspace.shape}: it is empty")
    if "mask" in file:
        refuse("has a mask: its k-space is undersampled, and there is no truth")
    found = [file.get(name) for name in RECONSTRUCTIONS]
    found = [array for array in found if isinstance(array, h5py.Dataset)]
    if not found or found[0].ndim != 3:
        refuse("has no reconstruction")
    try:
        largest = float(file.attrs.get("max", np.nan))
    except (TypeError, ValueError):
        refuse(f"has an attribute max that is no number ({file.attrs['max']!r})")
    if not (math.isfinite(largest) and largest > 0):
        refuse(f"has no attribute max above 0 (it is {largest})")
    return kspace, found[0].shape[-2:], largest


def _image(kspace, path):
    """The complex image (H, W) of one slice, of its coils together."""
    if not bool(kspace.isfinite().all()):
        raise NotApplicable(f"{path} has NaN or infinite values in its kspace.")
    images = MRI.ifft(kspace.to(torch.complex64))
    if images.ndim == 2:
        return images
    try:
        maps = estimated_maps(as_channels(kspace[None].to(torch.complex64)))
    except NotApplicable as error:
        raise NotApplicable(f"{path}: {error}") from error
    return (maps[0].conj() * images).sum(0)


def _crop(image, size):
    top, left = ((n - m) // 2 for n, m in zip(image.shape, size))
    return image[top : top + size[0], left : left + size[1]]
