"""Image sets: find them, fetch them, check them, crop them.

A set is read from the folder that ``data_paths`` (common/paths.py) gives for its
source, where nothing is ever written, else from ``data/<source>``, where it is
downloaded on first use. Every file is compared with the checksum recorded in
``image_checksums.txt``: the same images for everybody, whatever copy they come from.
"""

import zipfile
from dataclasses import dataclass
from pathlib import Path

import pooch
import skimage.data
import torch
from huggingface_hub import snapshot_download

from benchmark_utils.common.checksums import check, read_checksums
from benchmark_utils.common.errors import NotApplicable, Unavailable
from benchmark_utils.common.fingerprint import Fingerprinted, data_listing
from benchmark_utils.common.paths import data_folder, is_given
from benchmark_utils.common.shared_files import incoming, locked, visible_files
from benchmark_utils.data.files import read_image

ROOT = Path(__file__).resolve().parents[2]
CHECKSUMS = Path(__file__).parent / "image_checksums.txt"


def _of_scikit_learn(name):
    # A second to import, which each start of benchopt would pay.
    from sklearn.datasets import load_sample_image

    return load_sample_image(name)


# The photographs that ship inside scikit-image and scikit-learn.
PACKAGED = {
    "astronaut": skimage.data.astronaut,
    "chelsea": skimage.data.chelsea,
    "coffee": skimage.data.coffee,
    "rocket": skimage.data.rocket,
    "motorcycle": lambda: skimage.data.stereo_motorcycle()[0],
    "china": lambda: _of_scikit_learn("china.jpg"),
    "flower": lambda: _of_scikit_learn("flower.jpg"),
}
PACKAGED_SPLITS = {
    "natural-train": ("rocket", "motorcycle", "flower"),
    "natural-test": ("astronaut", "chelsea", "china", "coffee"),
}


@dataclass(frozen=True)
class Source:
    """A public home of images.

    Attributes
    ----------
    home : str
        Where a person finds it.
    fetch : callable (folder) -> None
        Downloads it to a folder.
    """

    home: str
    fetch: callable


def _fetch_bsds500(folder):
    archive = pooch.retrieve(
        "https://github.com/BIDS/BSDS500/archive/refs/heads/master.zip",
        known_hash=None,  # GitHub's archives change; each image is checked instead.
        path=folder,
        fname="BSDS500.zip",
    )
    with zipfile.ZipFile(archive) as file:
        images = [name for name in file.namelist() if name.endswith(".jpg")]
        file.extractall(folder, images)
    Path(archive).unlink()


def _fetch_from_hugging_face(repository):
    def fetch(folder):
        snapshot_download(repository, repo_type="dataset", local_dir=folder)
        for archive in folder.rglob("*.zip"):
            with zipfile.ZipFile(archive) as file:
                file.extractall(archive.parent)

    return fetch


SOURCES = {
    "bsds500": Source("https://github.com/BIDS/BSDS500", _fetch_bsds500),
    "imagenet100": Source(
        "https://huggingface.co/datasets/mterris/miniImnet100",
        _fetch_from_hugging_face("mterris/miniImnet100"),
    ),
    "set3c": Source(
        "https://huggingface.co/datasets/deepinv/set3c",
        _fetch_from_hugging_face("deepinv/set3c"),
    ),
}


def _image_sets():
    """{set: names of its files, as in ``image_checksums.txt``}."""
    names = sorted(read_checksums(CHECKSUMS))

    def under(prefix):
        return [name for name in names if name.startswith(prefix)]

    # CBSD68 is the first 68 of the 100 BSDS images of "val", in alphabetical order;
    # BSD20 is the first 20.
    val = under("bsds500/val/")
    return {
        "bsds500-train": under("bsds500/train/"),
        "bsds500-test": under("bsds500/test/"),
        "bsds500-val": val,
        "bsd68": val[:68],
        "bsd20": val[:20],
        "imagenet100": under("imagenet100/"),
        "set3c": under("set3c/"),
    }


def image_files(image_set):
    """{file: sha256} of a set that is not in a package, in the order of their names."""
    known = read_checksums(CHECKSUMS)
    return {name: known[name] for name in _image_sets()[image_set]}


def sources_named(strings):
    """The sources of the image sets that strings name: "bsd20", "bsds500-"."""
    first_words = {name.split("-")[0] for name in strings}
    return sorted(
        {
            files[0].split("/")[0]
            for name, files in _image_sets().items()
            if name.split("-")[0] in first_words
        }
    )


class ReadsImages(Fingerprinted):
    """Mixin of the datasets that call ``load_images``.

    The images themselves are compared with their checksums; but a solver is skipped,
    and benchopt keeps it, for want of those to learn from.
    """

    def machine_state(self):
        values = [v for v in self._parameters.values() if isinstance(v, str)]
        named = sources_named(self.dependencies().strings.union(values))
        return [(key, data_listing(key)) for key in named]


def load_images(image_set, n_images=None):
    """The images of a set, in the order of their names.

    Parameters
    ----------
    image_set : str
        natural-train, natural-test, bsd20, bsd68, bsds500-{train,test,val},
        imagenet100 or set3c.
    n_images : int or None
        Only the first ones; None for all.

    Returns
    -------
    dict {name: tensor (3, H, W), float32 in [0, 1]}

    Raises
    ------
    NotApplicable
        Unknown set.
    Unavailable
        The set is neither here nor to be downloaded, or a file of it is damaged.
    """
    if image_set in PACKAGED_SPLITS:
        names = PACKAGED_SPLITS[image_set][:n_images]
        return {name: _to_tensor(PACKAGED[name]()) for name in names}
    sets = _image_sets()
    if image_set not in sets:
        known = ", ".join([*PACKAGED_SPLITS, *sets])
        raise NotApplicable(f"Unknown image set {image_set!r}. The sets are: {known}.")
    names = sets[image_set][:n_images]
    paths = _find(image_set, names) if names else {}
    return {Path(name).stem: _read(paths[name], name) for name in names}


def _find(image_set, names):
    """{name: path} of the files of one source, downloaded if they are not there."""
    key = names[0].split("/")[0]
    folder = data_folder(key)

    def files_here():
        by_name = {path.name: path for path in visible_files(folder)}
        return {n: by_name[Path(n).name] for n in names if Path(n).name in by_name}

    def first_missing():
        return next(name for name in names if name not in paths)

    paths = files_here()
    if len(paths) == len(names):
        return paths
    source = SOURCES[key]
    if is_given(key):
        raise Unavailable(
            f"{first_missing()} is not in {folder}, the folder that data_paths "
            f"gives for {key}: correct it (the images are on "
            f"{source.home}), or remove it and they are downloaded."
        )
    reason = "its download lacks some files"
    try:
        with locked(folder):
            # Another process may have fetched them while this one waited.
            paths = files_here()
            if len(paths) < len(names):
                with incoming(folder) as temporary:
                    source.fetch(temporary)
                paths = files_here()
    except Exception as error:
        reason = f"it could not be downloaded ({type(error).__name__})"
    if len(paths) < len(names):
        raise Unavailable(
            f"The image set {image_set} is not on this machine and {reason}: "
            f"{first_missing()} is missing. Get it from {source.home} and give its "
            f"folder in config_local.yml, as data_paths: {{{key}: /its/folder}}."
        )
    return paths


def _read(path, name):
    check(path, read_checksums(CHECKSUMS)[name])
    # A few of the sets' photographs are grey.
    return read_image(path).expand(3, -1, -1).contiguous()


def _to_tensor(pixels):
    return torch.tensor(pixels).permute(2, 0, 1).float().div(255).contiguous()


def center_crop(image, size, name="The image", multiple=1):
    """The centre of an image, never resized.

    Parameters
    ----------
    image : tensor (C, H, W)
    size : int or None
        Side of a square crop; None keeps the image, up to ``multiple``.
    multiple : int
        Without ``size``, the sides are cropped to a multiple of this.

    Raises
    ------
    NotApplicable
        The image is smaller than the crop.
    """
    height, width = image.shape[-2:]
    if not isinstance(size, int | None):
        raise NotApplicable(f"img_size must be a whole number or None, not {size!r}.")
    if size is None:
        crop = height - height % multiple, width - width % multiple
    else:
        crop = size, size
    if min(crop) < 1 or crop[0] > height or crop[1] > width:
        raise NotApplicable(
            f"{name} has {height}x{width} pixels, too few for a crop of "
            f"{crop[0]}x{crop[1]}: choose a smaller img_size."
        )
    top, left = (height - crop[0]) // 2, (width - crop[1]) // 2
    return image[..., top : top + crop[0], left : left + crop[1]].contiguous()
