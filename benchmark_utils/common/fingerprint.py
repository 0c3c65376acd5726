"""Fingerprints of what shapes a result and that benchopt's cache does not see.

benchopt keys its cache on the files and parameters of the objective, the solver and
the dataset. It sees neither the code that they import, nor weights, tuned values, or
the versions of the libraries; nor what is or is not on this machine, though it keeps
that a solver was skipped for want of it. ``Fingerprinted`` puts all of these in the
key of each of the three, and no more: a change leaves cached what it does not touch.

Markdown is for people to read, and counts for nothing. Files that are named are told by
their content; what is in folders, by names, sizes and times. A download during a run
changes the fingerprint of the next one, once.
"""

import hashlib
import json
import os
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from itertools import islice
from pathlib import Path

from benchopt.benchmark import get_running_benchmark

from benchmark_utils.common.checksums import sha256
from benchmark_utils.common.dependencies import ROOT, dependencies, existing
from benchmark_utils.common.errors import Unavailable
from benchmark_utils.common.paths import data_folder
from benchmark_utils.common.shared_files import write_whole

# Packages that are not called as they are imported.
DISTRIBUTIONS = {
    "PIL": "pillow",
    "pywt": "PyWavelets",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "yaml": "PyYAML",
}

# Files of this many bytes are hashed once, as long as they keep their size and time.
LARGE = 1_000_000

# Of a folder with more files than this, the first ones are looked at.
MAX_LISTED = 20_000

# Folders that are counted by those who read them, one source at a time.
OWN_DATA = ROOT / "data"


class Fingerprinted:
    """Mixin of the objective, the datasets and the solvers.

    A subclass says in ``repository_state`` and ``machine_state`` what shapes its
    results beside the code that it imports, the files that this code names, and the
    files or folders that its own parameters name.
    """

    _fingerprint = None

    def repository_state(self):
        """What is the same in all clones of a commit: anything that has a repr."""

    def machine_state(self):
        """What depends on the machine."""

    def dependencies(self):
        """Those of its file, and of the files of code that its parameters name."""
        found = _dependencies(self._module_filename)
        for path in self.code_files():
            found = found | dependencies(path)
        return found

    def code_files(self):
        """The files of the user's code that the parameters name."""
        return []

    def fingerprint(self):
        """Two hexadecimal digests, "code-machine"; computed once."""
        if self._fingerprint is None:
            found = self.dependencies()
            folder = Path(self._module_filename).resolve().parent
            code = digest(
                digests_of(found.code | dict.fromkeys(found.data), folder),
                self.repository_state(),
            )
            machine = digest(
                {name: installed(name) for name in sorted(found.packages)},
                [listing(folder) for folder in sorted(found.folders)],
                [content(path) for path in paths_in(self._parameters.values())],
                self.machine_state(),
            )
            self._fingerprint = f"{code}-{machine}"
        return self._fingerprint

    def code_digest(self):
        """The digest that is the same in all clones of a commit."""
        return self.fingerprint().partition("-")[0]

    # benchopt pickles this state with the parameters, to send an instance to a worker,
    # and hashes it with them, for its cache. A worker keeps what it is sent: its
    # results are found again under the key that they were asked for.

    def _get_state(self):
        return {"fingerprint": self.fingerprint()}

    def __setstate__(self, state):
        self._fingerprint = state["fingerprint"]


# Read once: what runs is what was imported.
_dependencies = cache(dependencies)


def digest(*values):
    return hashlib.sha256(repr(values).encode()).hexdigest()[:12]


def digests_of(files, folder):
    """Sorted pairs (name, sha256) of files, named from this repository or a folder.

    ``files`` is {path: Source, or None where the content was not read}.
    """

    def name_of(path):
        for base in (ROOT, folder):
            if path.is_relative_to(base):
                return path.relative_to(base).as_posix()
        return path.name

    return sorted(
        (name_of(path), source.digest if source else content_digest(path))
        for path, source in files.items()
    )


def code_of_run(objective, dataset, code):
    """The digest that results carry: of a dataset and a solver, under an objective.

    ``code`` is the solver's ``code_digest``.
    """
    of_others = [
        getattr(part, "_file_hash", "")
        if not isinstance(part, Fingerprinted)
        else part.code_digest()
        for part in (objective, dataset)
    ]
    return digest(*of_others, code)


def digest_of_repository(root=ROOT):
    """Of all its code, weights and tuned values; the same in all clones of a commit."""
    folders = "benchmark_utils", "datasets", "solvers"
    paths = [p for folder in folders for p in (root / folder).rglob("*") if _counts(p)]
    paths += [root / "objective.py", root / "config" / "tuned.yml"]
    return digest(
        [(p.relative_to(root).as_posix(), content_digest(p)) for p in sorted(paths)]
    )


def _counts(path):
    hidden = path.name.startswith(".") or "__pycache__" in path.parts
    return path.is_file() and not hidden and path.suffix != ".md"


# Packages


@cache
def installed(package):
    """The version of a package, or None where it is not installed."""
    try:
        return version(DISTRIBUTIONS.get(package, package))
    except (PackageNotFoundError, ValueError):
        return None


# Files and folders


def paths_in(values):
    """The paths that parameters name, alone or in lists, and that are there."""
    found = []
    for value in values:
        if isinstance(value, list | tuple):
            found += paths_in(value)
        elif isinstance(value, str | Path) and value and "\n" not in str(value):
            there = existing(value)
            if there is not None and there != OWN_DATA:
                found.append(there)
    return found


def content(path):
    """What tells a file or a folder."""
    return listing(path) if path.is_dir() else content_digest(path)


def listing(folder):
    """(name, size, time) of all the files in a folder, or None if it is not there."""

    def walk(folder):
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError:
            return
        for entry in entries:
            if entry.name[0] == "." or entry.name.endswith(".md"):
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from walk(entry.path)
            else:
                yield (os.path.relpath(entry.path, top), *_size_and_time(entry))

    top = folder
    return list(islice(walk(folder), MAX_LISTED)) if folder.is_dir() else None


def data_listing(key):
    """(name, size, time) of what a data folder holds, or None where there is nothing.

    Nothing is opened, and no deeper folder: for data whose checksums are known. Hidden
    files and the checksums that are written at first use count for nothing.
    """
    try:
        paths = sorted(data_folder(key).iterdir())
    except (OSError, Unavailable):
        return None
    shown = (p for p in paths if p.name[0] != "." and p.name != "SHA256SUMS")
    # A download that failed leaves an empty folder.
    return [(p.name, *_size_and_time(p)) for p in shown] or None


def _size_and_time(path):
    try:
        status = path.stat()
    except OSError:
        # A broken link, or a file that another process has just moved.
        return None, None
    return status.st_size, status.st_mtime_ns


def content_digest(path):
    """The sha256 of a file, or None where it cannot be read.

    That of a large file is kept with its size and time in the cache folder.
    """
    try:
        status = path.stat()
        if status.st_size < LARGE:
            return sha256(path)
        memory, key = _memory(), str(path)
        known = memory.get(key)
        state = [status.st_size, status.st_mtime_ns]
        if isinstance(known, list) and known[:-1] == state:
            return known[-1]
        memory[key] = [*state, sha256(path)]
    except (OSError, ValueError):
        return None
    _keep(memory)
    return memory[key][-1]


def _memory_file():
    """Where digests are kept, or None where nothing is to be cached."""
    benchmark = get_running_benchmark()
    folder = None if benchmark is None else benchmark.get_cache_location()
    return None if folder is None else Path(folder) / "digests.json"


def _memory():
    """{path: [size, time, sha256]}; empty where the file is missing or damaged."""
    path = _memory_file()
    if path is None:
        return {}
    try:
        memory = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return memory if isinstance(memory, dict) else {}


def _keep(memory):
    """Write the digests at once, so that no other process reads half of them."""
    path = _memory_file()
    if path is None:
        return
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps(memory))
