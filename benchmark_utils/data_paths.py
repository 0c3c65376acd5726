"""Where the files that do not ship with the repository are."""

from pathlib import Path

from benchopt.benchmark import Benchmark, get_running_benchmark
from benchopt.config import get_data_path

from benchmark_utils.errors import Unavailable

ROOT = Path(__file__).resolve().parents[1]


def data_folder(key):
    """The folder that data_paths of config.yml gives for ``key``, else data/``key``."""
    if get_running_benchmark() is None:
        Benchmark(ROOT)
    try:
        return get_data_path(key)
    except TypeError as error:
        raise Unavailable(
            "data_paths is empty in config.yml: give it folders, or write "
            "data_paths: {}."
        ) from error
