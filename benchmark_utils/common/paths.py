"""Where the files that do not ship with the repository are.

data_paths gives folders by their key: those of the environment variable
BENCHOPT_DATA_PATHS, else of config_local.yml, which git ignores, else of config.yml.
"""

import os
from pathlib import Path

import yaml
from benchopt.benchmark import Benchmark, get_running_benchmark
from benchopt.config import get_data_path

from benchmark_utils.common.errors import Unavailable

ROOT = Path(__file__).resolve().parents[2]
VARIABLE = "BENCHOPT_DATA_PATHS"
LOCAL_FILE = "config_local.yml"


def given_folder(key):
    """The folder that data_paths gives for ``key``, as it is written, or None.

    A slip there stops who asks for this key, and nobody else.

    Raises
    ------
    Unavailable
        data_paths is no dictionary, or what it gives for ``key`` is no folder's name.
    """
    for where, paths in _sources():
        if not isinstance(paths, dict):
            found = "empty" if paths is None else repr(paths)
            raise Unavailable(
                f"{where} is {found}: it must give folders by their name, as "
                f"data_paths: {{{key}: /its/folder}}, or be {{}}."
            )
        path = paths.get(key)
        if path is None:
            continue
        if not isinstance(path, str) or not path.strip():
            raise Unavailable(
                f"{where} gives {path!r} for {key}: it must be a folder, as "
                f"data_paths: {{{key}: /its/folder}}."
            )
        return path
    return None


def _sources():
    """What gives folders, with what sentences call it: the first one counts."""
    benchmark = get_running_benchmark() or Benchmark(ROOT)
    if VARIABLE in os.environ:
        # As in YAML: {set3c: /my/set3c}. benchopt would hand over its text.
        yield VARIABLE, _parsed(os.environ[VARIABLE])
    shared = benchmark.get_config_file()
    for file in (shared.with_name(LOCAL_FILE), shared):
        settings = _parsed(file.read_text()) if file.is_file() else {}
        if not isinstance(settings, dict):
            raise Unavailable(f"{file.name} must be settings, as data_paths: {{}}.")
        if "data_paths" in settings:
            yield f"data_paths of {file.name}", settings["data_paths"]


def _parsed(text):
    try:
        return yaml.safe_load(text) or {}
    except yaml.YAMLError:
        return text


def is_given(key):
    """Whether data_paths gives a folder for ``key``."""
    return given_folder(key) is not None


def data_folder(key):
    """The folder that data_paths gives for ``key``, else data/``key``."""
    path = given_folder(key)
    home = get_data_path()
    if path is None:
        return home / key
    return (home / Path(os.path.expandvars(path)).expanduser()).resolve()


def cache_folder(name):
    """Where this benchmark keeps what is slow to make: __cache__/``name``.

    The variable BENCHMARK_CACHE, where it is set, moves __cache__.
    """
    return Path(os.environ.get("BENCHMARK_CACHE") or ROOT / "__cache__") / name
