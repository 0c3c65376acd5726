"""The images of a folder of the user's."""

import re
from pathlib import Path

import numpy as np
from PIL import Image

from benchmark_utils.common.errors import NotApplicable, Unavailable
from benchmark_utils.data.checked import as_image
from benchmark_utils.data.files import read_image


def existing_folder(parameter, value):
    """The folder that a parameter names, which is there.

    Raises
    ------
    NotApplicable
        There is nothing of this name, or it is no folder.
    """
    if not str(value).strip():
        raise NotApplicable(f"{parameter} is empty: give the folder of the images.")
    path = Path(str(value)).expanduser()
    if path.is_dir():
        return path
    wrong = "is a file, not a folder" if path.exists() else "is not there"
    raise NotApplicable(f"{parameter}={value} {wrong}: give the folder of the images.")


def read_folder(folder, pattern="*", convert=as_image):
    """{name: image} of the files of a folder, in natural order: img2 before img10.

    A file that cannot be read is named in a printed sentence, and left out; those that
    are no images by their suffix, in one. Hidden files are not looked at.

    Parameters
    ----------
    folder : Path
    pattern : str
        Which files, as ``Path.glob`` takes it: "*.png", "**/*" with deeper folders.
    convert : callable (image, name) -> tensor
        What to make of what is read; ``as_image`` gives (C, H, W), float32 in [0, 1].

    Returns
    -------
    dict {name of the file in the folder: tensor}

    Raises
    ------
    NotApplicable
        The pattern is none, or there is no image.
    """
    try:
        paths = [p for p in folder.glob(pattern) if p.is_file()]
    except (NotImplementedError, TypeError, ValueError) as error:
        raise NotApplicable(
            f"pattern must be one of files in the folder, as '*.png', not {pattern!r}."
        ) from error
    names = (path.relative_to(folder).as_posix() for path in paths)
    images, others = {}, []
    for name in sorted(names, key=_natural_order):
        if any(part.startswith(".") for part in name.split("/")):
            continue
        if not _may_be_an_image(name):
            others.append(name)
            continue
        try:
            images[name] = convert(_read(folder / name), str(folder / name))
        except (NotApplicable, Unavailable) as error:
            print(f"Left out: {error}")
    if others:
        shown = ", ".join(others[:5]) + (", ..." if len(others) > 5 else "")
        print(f"Left out: {len(others)} files of {folder} that are no images: {shown}")
    if not images:
        raise NotApplicable(
            f"{folder} has no image that can be read, of those that pattern={pattern} "
            "names: PNG, JPEG, TIFF, WebP, BMP or NumPy's .npy."
        )
    return images


def _natural_order(name):
    # Texts and numbers take turns.
    parts = re.split(r"(\d+)", name.lower())
    return [int(p) if i % 2 else p for i, p in enumerate(parts)], name


def _may_be_an_image(name):
    suffix = Path(name).suffix.lower()
    return suffix == ".npy" or suffix in Image.registered_extensions()


def _read(path):
    if path.suffix.lower() != ".npy":
        return read_image(path)
    try:
        return np.load(path, allow_pickle=False)
    # EOFError is that of an empty file.
    except (EOFError, MemoryError, OSError, ValueError) as error:
        raise Unavailable(f"{path} is no array that can be read: {error}") from error
