"""The values of hyper-parameters that tools/tune.py has found, and whose they are.

An entry of config/tuned.yml belongs to a dataset, to a problem with its strengths that
are not the default ("inpainting[missing=0.7]"), and to a solver with its options.
"""

import math
from functools import cache
from numbers import Real
from pathlib import Path

import yaml

# What is tuned with one prior says nothing of another.
PRIOR_OPTIONS = ("prior", "priors")
# Hyper-parameters are in units that follow the level of the noise.
NOISE_LEVELS = ("noise_level", "gain")
TUNED_FILE = Path(__file__).resolve().parents[2] / "config" / "tuned.yml"


@cache
def read_tuned():
    """{dataset: {problem: {solver: {"parameters": {...}, "score": dB, ...}}}}."""
    if not TUNED_FILE.exists():
        return {}
    # The loader in C, where there is one, is ten times faster.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load(TUNED_FILE.read_text(), loader) or {}


def solver_key(solver):
    """How tuned.yml names a solver: its name, and all of it that is not tuned.

    Text, True and False are always there; other values where they are not the default;
    hyper-parameters where they are given.
    """
    options = [
        f"{name}={text_of(value)}"
        for name, value in sorted(solver._parameters.items())
        if (
            value != "tuned"
            if name in solver.search_space
            else isinstance(value, str | bool) or value != solver.parameters[name][0]
        )
    ]
    return f"{solver.name}[{','.join(options)}]" if options else solver.name


def text_of(value):
    """A value as keys have it: 1.0 and 1 are one, and lists have no comma."""
    if isinstance(value, list | tuple):
        return "+".join(map(text_of, value))
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    return f"{value:g}" if is_number else str(value)


def parse_key(key):
    """The name and the set of "option=value" of a key of tuned.yml."""
    name, _, options = key.removesuffix("]").partition("[")
    return name, set(options.split(",")) if options else set()


def tuned_parameters(dataset, problem, key, networks=None, defaults=None):
    """The values that a solver uses on a problem, and where they are from.

    Where nothing was tuned for this dataset, the values of the first one that was are
    borrowed; where nothing was for these options (another denoiser, say), those of the
    solver that shares most of them, with the same prior; then those of the nearest
    strengths. Values tuned with other networks are borrowed too. The level of the noise
    counts where several entries differ by nothing else.

    Parameters
    ----------
    dataset, problem, key : str
        As tuned.yml has them.
    networks : dict {file: checksum}
        The weights that the solver loads.
    defaults : dict {strength: value}
        Those that names of this problem leave out.

    Returns
    -------
    dict {hyper-parameter: value}, {} where there is nothing to borrow.
    str: "tuned", "default", or "borrowed from <dataset> <problem>".
    """
    for source in [dataset, *(other for other in read_tuned() if other != dataset)]:
        candidates = nearest_options(source, parse_key(problem)[0], key)
        if candidates:
            break
    else:
        return {}, "default"
    defaults = defaults or {}
    its_problem, its_key, entry = min(
        candidates, key=lambda c: apart(problem, c[0], defaults)
    )
    differences = []
    if its_key != key:
        differences.append(its_key)
    if (networks or {}) != entry.get("networks", {}):
        differences.append("other networks")
    is_own = source == dataset and not apart(problem, its_problem, defaults)[0]
    if is_own and not differences:
        return entry["parameters"], "tuned"
    return entry["parameters"], ", ".join(
        [f"borrowed from {source} {its_problem}", *differences]
    )


def tuned_state(key):
    """All the entries that a solver can use, in the order in which they are borrowed.

    No other entry changes what it does, on any dataset and problem.
    """
    problems = {
        (dataset, parse_key(problem)[0]): None
        for dataset, problems in read_tuned().items()
        for problem in problems
    }
    return [
        (dataset, problem, its_key, entry["parameters"], entry.get("networks"))
        for dataset, name in problems
        for problem, its_key, entry in nearest_options(dataset, name, key)
    ]


def nearest_options(dataset, problem_name, key):
    """The entries of a dataset for a problem of any strengths, with the same prior.

    Those whose options differ least, as [(problem, key, entry)].
    """
    name, options = parse_key(key)
    found = []
    for problem, entries in read_tuned().get(dataset, {}).items():
        if parse_key(problem)[0] != problem_name:
            continue
        for its_key, entry in entries.items():
            its_name, its_options = parse_key(its_key)
            if its_name == name and prior_of(its_options) == prior_of(options):
                found.append((len(options ^ its_options), (problem, its_key, entry)))
    least = min((differ for differ, _ in found), default=None)
    return [candidate for differ, candidate in found if differ == least]


def prior_of(options):
    return {option for option in options if option.split("=")[0] in PRIOR_OPTIONS}


def apart(problem, other, defaults):
    """How far two strengths of a problem are: in all but the noise, and in its level.

    The sums of the differences of the logarithms; of 1 for what is no number.
    """
    ours, theirs = (
        dict(option.split("=", 1) for option in parse_key(key)[1])
        for key in (problem, other)
    )
    totals = [0.0, 0.0]
    for strength in ours.keys() | theirs.keys():
        default = defaults.get(strength)
        pair = ours.get(strength, default), theirs.get(strength, default)
        totals[strength in NOISE_LEVELS] += _apart(*pair)
    return tuple(totals)


def _apart(value, other):
    try:
        return abs(math.log(float(value) / float(other)))
    except (TypeError, ValueError, ZeroDivisionError):
        return float(str(value) != str(other))
