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
    shared_by : str or None
        A parameter that names several things, joined by "+": there is one value for
        each, and ``default`` is divided among them.
    """

    low: float
    high: float
    default: float
    shared_by: str | None = None

    def n_values(self, parameters):
        """How many values there are to tune, for the parameters of a solver."""
        if self.shared_by is None:
            return 1
        return len(str(parameters[self.shared_by]).split("+"))

    def value(self, tuned, parameters):
        """The tuned value; the default where there is none, or not one for each."""
        n = self.n_values(parameters)
        default = self.default if n == 1 else [round(self.default / n, 4)] * n
        if tuned is None or (len(tuned) if isinstance(tuned, list) else 1) != n:
            return default
        return tuned


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
