"""Hyper-parameters: their search space, and the values found by tools/tune.py."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

TUNED_FILE = Path(__file__).resolve().parents[1] / "config" / "tuned.yml"


@dataclass(frozen=True)
class Range:
    """Where to look for one hyper-parameter.

    Attributes
    ----------
    low, high : float
        Bounds, searched on a logarithmic scale.
    default : float
        Used where nothing was tuned.
    """

    low: float
    high: float
    default: float


@cache
def read_tuned():
    """{dataset: {problem: {solver: {"parameters": {...}, "score": dB, ...}}}}."""
    if not TUNED_FILE.exists():
        return {}
    return yaml.safe_load(TUNED_FILE.read_text())


def solver_key(name, parameters, search_space):
    """How tuned.yml names a solver: its name and its options that are not numbers."""
    options = [
        f"{key}={value}"
        for key, value in sorted(parameters.items())
        if key not in search_space and isinstance(value, str | bool)
    ]
    return f"{name}[{','.join(options)}]" if options else name


def tuned_parameters(dataset, problem, key):
    """The values tuned for a solver on a problem: {} where there are none.

    Where nothing was tuned for this dataset, the values of the first one that was are
    borrowed; likewise for the options of a solver (another denoiser, say).
    """
    tuned = read_tuned()
    name = key.split("[")[0]
    for source in [dataset, *tuned]:
        solvers = tuned.get(source, {}).get(problem, {})
        for candidate in [key, *solvers]:
            if candidate in solvers and candidate.split("[")[0] == name:
                return solvers[candidate]["parameters"]
    return {}
