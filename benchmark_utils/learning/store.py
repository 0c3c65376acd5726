"""Trained weights, kept from one run to the next: learned/KEY in the cache folder.

The key tells all that shapes them (benchmark_utils/solving/learned_solver.py). Each
entry is a file of weights and a record of how they were made; whoever asks for a key
while another process trains it waits, and gets what that one made.
"""

import json
import shutil
from contextlib import ExitStack

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from benchmark_utils.common.checksums import sha256
from benchmark_utils.common.paths import cache_folder
from benchmark_utils.common.shared_files import incoming, locked

WEIGHTS, RECORD, CHECKPOINT = "weights.safetensors", "record.json", ".checkpoint.pt"


def store_folder():
    return cache_folder("learned")


def trained_weights(key, train):
    """The weights of ``key``, from the store or from ``train``.

    Where the store cannot be written, a sentence says so and the weights serve once.

    Parameters
    ----------
    key : str, that a folder can be called.
    train : callable (checkpoint) -> ({name: tensor}, dict)
        Gives weights and their record (numbers, strings, lists); ``checkpoint`` is a
        path to resume from, or None.

    Returns
    -------
    weights, record, and whether they were there already.
    """
    folder = store_folder() / key
    found = _read(folder)
    with ExitStack() as stack:
        if found is None:
            try:
                stack.enter_context(locked(folder))
                # Another process may have trained while this one waited.
                found = _read(folder)
            except OSError as error:
                _say_unwritable(error)
                folder = None
        if found is not None:
            return *found, True
        checkpoint = None if folder is None else folder / CHECKPOINT
        weights, record = train(checkpoint)
        if folder is not None:
            try:
                _write(folder, weights, record)
                checkpoint.unlink(missing_ok=True)
            except (OSError, SafetensorError) as error:
                _say_unwritable(error)
    return weights, record, False


def _say_unwritable(error):
    print(
        f"Trained weights cannot be kept in {store_folder()} "
        f"({type(error).__name__}): each run trains anew. Set BENCHMARK_CACHE to a "
        "folder that can be written."
    )


def _write(folder, weights, record):
    weights = {name: w.detach().cpu().contiguous() for name, w in weights.items()}
    with incoming(folder) as temporary:
        save_file(weights, temporary / WEIGHTS)
        record = {**record, "sha256": sha256(temporary / WEIGHTS)}
        (temporary / RECORD).write_text(json.dumps(record, indent=1))


def _read(folder):
    """Weights and record, or None where they are not there, or not whole."""
    try:
        record = json.loads((folder / RECORD).read_text())
        if sha256(folder / WEIGHTS) != record["sha256"]:
            return None
        return load_file(folder / WEIGHTS), record
    except (OSError, ValueError, KeyError, TypeError, SafetensorError):
        return None


def entries():
    """{key: record} of what the store holds; the record has its size, ``bytes``."""
    found = {}
    for path in sorted(store_folder().glob(f"*/{RECORD}")):
        try:
            size = (path.parent / WEIGHTS).stat().st_size
            found[path.parent.name] = json.loads(path.read_text()) | {"bytes": size}
        except (OSError, ValueError):
            continue
    return found


def clear(keys=None):
    """Remove some entries; by default all, and what interrupted trainings left."""
    folders = store_folder().glob("*/") if keys is None else map(_folder_of, keys)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def _folder_of(key):
    return store_folder() / key
