"""Files that several processes fetch or write: a lock, temporary names, then a move."""

import os
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock

# Hidden: what lists a folder leaves it out.
LOCK = ".lock"
INCOMING = ".incoming-"


@contextmanager
def locked(folder):
    """One process at a time is inside, for a folder; it is made if it is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / LOCK)
    # Some shared disks have no locks; files are still written whole.
    with suppress(NotImplementedError):
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextmanager
def incoming(folder):
    """A temporary folder, whose files go to ``folder`` at the end, if nothing fails.

    To be used inside of ``locked``: nobody sees half a file. Hidden files are notes of
    who downloaded, and are dropped.
    """
    with tempfile.TemporaryDirectory(dir=folder, prefix=INCOMING) as name:
        temporary = Path(name)
        yield temporary
        for path in visible_files(temporary):
            target = folder / path.relative_to(temporary)
            target.parent.mkdir(parents=True, exist_ok=True)
            path.replace(target)


def visible_files(folder):
    """The files under a folder, at any depth, but for what is hidden."""
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]


def write_whole(path, text):
    """Write a file in one step: who reads it meanwhile reads the old one or the new."""
    with tempfile.NamedTemporaryFile(
        "w", dir=path.parent, prefix=INCOMING, delete=False
    ) as file:
        temporary = Path(file.name)
        file.write(text)
    try:
        # A temporary file is for its owner alone; others share this one.
        mask = os.umask(0)
        os.umask(mask)
        temporary.chmod(0o666 & ~mask)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
