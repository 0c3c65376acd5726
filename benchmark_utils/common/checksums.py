"""Files are what they were: sha256 lists in the format of the sha256sum command."""

import hashlib
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path

from benchmark_utils.common.errors import Unavailable
from benchmark_utils.common.shared_files import locked, write_whole

# What ``files_read`` fills; None outside of it.
_files_read = ContextVar("files_read", default=None)


@contextmanager
def files_read():
    """{file name: sha256} of the files whose checksum is computed inside."""
    token = _files_read.set({})
    try:
        yield _files_read.get()
    finally:
        _files_read.reset(token)


def sha256(path):
    """Hexadecimal sha256 of a file."""
    with Path(path).open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if (found := _files_read.get()) is not None:
        found[Path(path).name] = digest
    return digest


@cache
def read_checksums(path):
    """{file name: sha256} from a list with one ``digest  name`` per line."""
    return _read(path)


def _read(path):
    pairs = (line.split(maxsplit=1) for line in path.read_text().splitlines())
    return {name: digest for digest, name in pairs}


def write_checksum(path, name, digest):
    """Add a file to a list, or replace its line; other processes may do it too."""
    with locked(path.parent):
        # What this process has read before may be old.
        known = _read(path) if path.exists() else {}
        lines = [f"{d}  {n}\n" for n, d in sorted({**known, name: digest}.items())]
        write_whole(path, "".join(lines))
    read_checksums.cache_clear()


def check(path, expected):
    """Raise ``Unavailable`` unless the sha256 of ``path`` starts with ``expected``."""
    if not sha256(path).startswith(expected):
        raise Unavailable(
            f"{path} is not the file that this benchmark knows: its checksum is wrong, "
            "so it is damaged or another version. Replace it by the original: git "
            "checkout for a file of this repository, your own copy for one of a folder "
            "of data_paths; delete one that was downloaded, and it is fetched again."
        )
