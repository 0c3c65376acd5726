"""A fingerprint of everything that shapes the numbers and that benchopt's cache misses.

benchopt keys its cache on the files and parameters of the objective, the solver and
the dataset. It does not see shared code, weights, tuned values, or the versions of
the libraries. The objective has this fingerprint as a parameter, so that it is part
of every cache key: nothing computed before such a change is ever served after it.
(Images need no place here: each one is compared with its recorded checksum.)
"""

import hashlib
from functools import cache
from importlib.metadata import version
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[1]
LIBRARIES = (
    "torch",
    "deepinv",
    "numpy",
    "PyWavelets",
    "scikit-image",
    "scikit-learn",
    "pillow",
)


# They read results, and shape none.
READERS = ("results.py", "evaluation.py")


def fingerprint_of(root):
    """Hexadecimal digest of the code and data under ``root`` that shape the results.

    Markdown is for people to read, and shapes none.
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
    for library in LIBRARIES:
        digest.update(f"{library} {version(library)}".encode())
    digest.update(f"cuda {torch.cuda.is_available()}".encode())
    return digest.hexdigest()[:12]


@cache
def fingerprint():
    """The fingerprint of this repository, computed once per process."""
    return fingerprint_of(ROOT)
