"""Which published results the present code would give again, row by row.

A row of benchopt carries the digest of what its objective, dataset and solver import,
of the weights they load, and of all the tuned values that its solver may use, on any
dataset: benchopt's cache asks for no less. A row of results/ keeps the last of these
apart, and only those of its problem, which are all that it may borrow from.
"""

import ast
import re
from functools import cache
from pathlib import Path

from benchopt.benchmark import Benchmark

from benchmark_utils.common.dependencies import ROOT
from benchmark_utils.common.fingerprint import Fingerprinted, code_of_run, digest
from benchmark_utils.scoring.results import code_of
from benchmark_utils.solving import tuned


def recorded_code(row):
    """The digest of the code that made a row of benchopt, or "unknown"."""
    return code_of(row.get("final_results")) or "unknown"


def code_now(row):
    """The digest that a row of benchopt would carry today; None if its code is gone."""
    parts = []
    for kind in ("obj", "dataset", "solver"):
        file = Path(row["file_objective" if kind == "obj" else f"file_{kind}"]).name
        for found in _classes()[kind]:
            if found._module_filename.name == file:
                values = {name: row[f"p_{kind}_{name}"] for name in found.parameters}
                parts.append(found.get_instance(**values))
                break
        else:
            return None
    objective, dataset, solver = parts
    return code_of_run(objective, dataset, solver.code_digest())


@cache
def digests_now(dataset_name, solver_name):
    """Of a row with these names: of its code and weights, and of the tuned values.

    Returns
    -------
    (str, str or None), the second one None where all values are given; (None, None)
    where nothing here has these names.
    """
    dataset, solver = _dataset(dataset_name), _solver(solver_name)
    if dataset is None or solver is None:
        return None, None
    code, entries = solver
    values = None
    if entries is not None:
        # Datasets of vectors have no choice of problems.
        problem = getattr(dataset, "problem", None)
        values = digest([e for e in entries if tuned.parse_key(e[1])[0] == problem])
    return code_of_run(_objective(), dataset, code), values


# What is the same in many rows is looked at once.


@cache
def _objective():
    (objective,) = _classes()["obj"]
    return objective.get_instance()


@cache
def _dataset(name):
    return named("dataset", name)


@cache
def _solver(name):
    """The digest of a solver's code, and the tuned values that it may use.

    None for these where all are given; None where nothing has this name.
    """
    if (solver := named("solver", name)) is None:
        return None
    if not solver.is_tuned():
        return solver.code_digest(), None
    entries = tuned.tuned_state(tuned.solver_key(solver))
    # Its digest is that of a solver whose values are all given.
    solver.is_tuned = lambda: False
    return solver.code_digest(), entries


def of_present_code(results):
    """For each row of a file of results/, whether the present code would give it again.

    Parameters
    ----------
    results : DataFrame
        ``code`` and ``tuned`` are the ``digests_now`` of the day when each row was
        published.

    Returns
    -------
    list of bool. A dataset or solver that is not here any more is of other code.
    """
    results = results.astype({"code": object, "tuned": object})
    rows = zip(*(results[c] for c in ("dataset_name", "solver_name", "code", "tuned")))
    return [_holds(*row) for row in rows]


def _holds(dataset_name, solver_name, code, values):
    code_now, values_now = digests_now(dataset_name, solver_name)
    return code_now is not None and code == code_now and values_now in (None, values)


@cache
def _classes():
    benchmark = Benchmark(ROOT)
    classes = {
        "dataset": benchmark.get_datasets(),
        "solver": benchmark.get_solvers(),
        "obj": [benchmark.get_benchmark_objective()],
    }
    return {
        kind: [found for found in several if issubclass(found, Fingerprinted)]
        for kind, several in classes.items()
    }


def named(kind, name):
    """The "dataset" or "solver" of this name: "TV[reg=0.1]"; None where none has it."""
    stem, _, inside = name.removesuffix("]").partition("[")
    given = re.findall(r"(\w+)=(.*?)(?:,(?=\w+=)|$)", inside)
    values = {parameter: _value(text) for parameter, text in given}
    for found in _classes()[kind]:
        if found.name == stem and values.keys() <= found.parameters.keys():
            instance = found.get_instance(**values)
            if str(instance) == name:
                return instance
    return None


def _value(text):
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        # A word, or several joined by a plus.
        return text
