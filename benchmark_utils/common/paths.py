"""Where the files that do not ship with the repository are."""

from pathlib import Path

from benchopt.benchmark import Benchmark, get_running_benchmark
from benchopt.config import get_data_path

from benchmark_utils.common.errors import Unavailable

ROOT = Path(__file__).resolve().parents[2]


def is_given(key):
    """Whether data_paths of config.yml gives a folder for ``key``.

    A slip there stops who asks for this key, and nobody else.

    Raises
    ------
    Unavailable
        data_paths is no dictionary, or what it gives for ``key`` is no folder's name.
    """
    benchmark = get_running_benchmark() or Benchmark(ROOT)
    paths = benchmark.get_setting("data_paths")
    if paths is None:
        raise Unavailable(
            "data_paths is empty in config.yml: give it folders, or write "
            "data_paths: {}."
        )
    if not isinstance(paths, dict):
        raise Unavailable(
            f"data_paths of config.yml is {paths!r}: it must give folders by their "
            f"name, as data_paths: {{{key}: /its/folder}}, or be {{}}."
        )
    path = paths.get(key)
    if path is None:
        return False
    if not isinstance(path, str) or not path.strip():
        raise Unavailable(
            f"data_paths of config.yml gives {path!r} for {key}: it must be a folder, "
            f"as data_paths: {{{key}: /its/folder}}."
        )
    return True


def data_folder(key):
    """The folder that data_paths of config.yml gives for ``key``, else data/``key``."""
    is_given(key)  # Says what is wrong, where benchopt would crash.
    return get_data_path(key)


def cache_folder():
    """Where benchopt keeps what is made once, or None where nothing is to be kept."""
    benchmark = get_running_benchmark() or Benchmark(ROOT)
    folder = benchmark.get_cache_location()
    return None if folder is None else Path(folder)
