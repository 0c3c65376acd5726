"""A fingerprint of everything that shapes the numbers and that benchopt's cache misses.

benchopt keys its cache on the files and parameters of the objective, the solver and
the dataset. It does not see shared code, weights, tuned values, or the versions of
the libraries; nor what is or is not on this machine, though it keeps that a solver was
skipped for want of it. The objective has this fingerprint as a parameter, so that it is
part of every cache key: nothing computed before such a change is served after it.

Files outside of the repository are told by their names, sizes and times, and folders of
images by their top level alone: a file that is added deeper is not seen. (That the
images are the right ones is not for this module: each is compared with its recorded
checksum.) A download during a run changes the fingerprint of the next run, once.
"""

import hashlib
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from benchmark_utils.common.errors import Unavailable
from benchmark_utils.common.paths import data_folder
from benchmark_utils.data.images import SOURCES
from benchmark_utils.priors.published import KEY
from benchmark_utils.scoring.metrics import lpips_available

ROOT = Path(__file__).resolve().parents[2]
LIBRARIES = (
    "torch",
    "deepinv",
    "numpy",
    "PyWavelets",
    "scikit-image",
    "scikit-learn",
    "pillow",
    "scipy",
    "torchmetrics",
)
# Packages that nobody has to install.
OPTIONAL = ("bm3d",)

# They read results, and shape none.
READERS = ("results.py", "evaluation.py")


def fingerprint_of(root):
    """Two hexadecimal digests, "code-machine", of all that shapes the results."""
    return f"{_digest_of_code(root)}-{_digest_of_machine()}"


def code_of(fingerprint):
    """Its first digest, which is the same in all clones of a commit."""
    return fingerprint.partition("-")[0]


def _digest_of_code(root):
    """Of the shared code, the datasets, the weights and the tuned values.

    Markdown is for people to read, and shapes no result.
    """
    digest = hashlib.sha256()
    files = [
        path
        for folder in ("benchmark_utils", "datasets")
        for path in (root / folder).rglob("*")
        if path.is_file()
        and "__pycache__" not in path.parts
        and path.name not in READERS
        and path.suffix != ".md"
    ]
    tuned = root / "config" / "tuned.yml"
    for path in sorted(files) + [tuned] * tuned.exists():
        digest.update(path.relative_to(root).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _digest_of_machine():
    """Of the libraries, and of what may be missing."""
    versions = {library: version(library) for library in LIBRARIES}
    found = versions, torch.cuda.is_available(), availability()
    return hashlib.sha256(repr(found).encode()).hexdigest()[:12]


def availability():
    """What solvers and scores need and may lack: it decides what is skipped."""
    return {
        **{package: _installed(package) for package in OPTIONAL},
        "lpips": lpips_available(),
        **{key: _listing(key) for key in (KEY, *sorted(SOURCES))},
    }


def _installed(package):
    """The version of a package, or None where it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _listing(key):
    """(name, size, time) of what a data folder holds, or None where it is not there.

    Nothing is opened. Hidden files and the checksums that are written at first use
    count for nothing.
    """
    try:
        paths = sorted(data_folder(key).iterdir())
    except (OSError, Unavailable):
        return None
    shown = (p for p in paths if p.name[0] != "." and p.name != "SHA256SUMS")
    return [(p.name, *_size_and_time(p)) for p in shown]


def _size_and_time(path):
    try:
        status = path.stat()
    except OSError:
        # A broken link, or a file that another process has just moved.
        return None, None
    return status.st_size, status.st_mtime_ns


@cache
def fingerprint():
    """The fingerprint of this repository, computed once per process."""
    return fingerprint_of(ROOT)
