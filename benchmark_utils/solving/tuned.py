"""The values of hyper-parameters that tools/tune.py has found."""

from functools import cache
from pathlib import Path

import yaml

# What is tuned with one prior says nothing of another.
PRIOR_OPTIONS = ("prior", "priors")
TUNED_FILE = Path(__file__).resolve().parents[2] / "config" / "tuned.yml"


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
