"""Hyper-parameters: their search space, and the values found by tools/tune.py."""

import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from benchmark_utils.common.errors import NotApplicable

# What is tuned with one prior says nothing of another.
PRIOR_OPTIONS = ("prior", "priors")
TUNED_FILE = Path(__file__).resolve().parents[2] / "config" / "tuned.yml"


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
    may_be_zero : bool
        Whether 0 has a meaning, though it is never tried.
    """

    low: float
    high: float
    default: float
    shared_by: str | None = None
    may_be_zero: bool = False

    def check(self, name, value):
        """Raise ``NotApplicable`` unless it is a number of the right sign."""
        bound = ", 0 or more" if self.may_be_zero else " above 0"
        number = isinstance(value, int | float) and math.isfinite(value)
        if not number or value < 0 or (value == 0 and not self.may_be_zero):
            raise NotApplicable(f"{name} must be a number{bound}, not {value!r}.")

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
    # The loader in C, where there is one, is ten times faster.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load(TUNED_FILE.read_text(), loader)


def tuned_state(solver_name):
    """All the values tuned for a solver, in the order in which they are borrowed."""
    return [
        (dataset, problem, key, entry["parameters"])
        for dataset, problems in read_tuned().items()
        for problem, entries in problems.items()
        for key, entry in entries.items()
        if parse_key(key)[0] == solver_name
    ]


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
    borrowed; where nothing was for these options (another denoiser, say), those of the
    solver that shares most of them, with the same prior.
    """
    tuned = read_tuned()
    name, options = parse_key(key)
    for source in [dataset, *tuned]:
        nearest, most_shared = {}, -1
        for candidate, entry in tuned.get(source, {}).get(problem, {}).items():
            its_name, its_options = parse_key(candidate)
            shared = len(options & its_options)
            if (
                its_name == name
                and prior_of(its_options) == prior_of(options)
                and shared > most_shared
            ):
                nearest, most_shared = entry["parameters"], shared
        if nearest:
            return nearest
    return {}


def parse_key(key):
    """The name and the set of "option=value" of a key of tuned.yml."""
    name, _, options = key.removesuffix("]").partition("[")
    return name, set(options.split(",")) if options else set()


def prior_of(options):
    return {option for option in options if option.split("=")[0] in PRIOR_OPTIONS}
