"""Where the files that do not ship with the repository are."""

from pathlib import Path

from benchopt.benchmark import Benchmark, get_running_benchmark
from benchopt.config import get_data_path

from benchmark_utils.common.errors import Unavailable

ROOT = Path(__file__).resolve().parents[2]


def is_given(key):
    """Whether data_paths of config.yml gives a folder for ``key``."""
    benchmark = get_running_benchmark() or Benchmark(ROOT)
    paths = benchmark.get_setting("data_paths")
    if paths is None:
        raise Unavailable(
            "data_paths is empty in config.yml: give it folders, or write "
            "data_paths: {}."
        )
    return paths.get(key) is not None


def data_folder(key):
    """The folder that data_paths of config.yml gives for ``key``, else data/``key``."""
    is_given(key)  # Refuses an empty data_paths, where benchopt would crash.
    return get_data_path(key)
