"""Which results the present code would give again: each row carries its own digest.

The digest of a row is that of what its objective, dataset and solver import, of the
weights they load and of the tuned values. It is computed anew from the parameters of
the row, or, in results/, from its names, which tell them.
"""

import ast
import re
from functools import cache
from pathlib import Path

from benchopt.benchmark import Benchmark

from benchmark_utils.common.dependencies import ROOT
from benchmark_utils.common.fingerprint import Fingerprinted, code_of_run
from benchmark_utils.scoring.results import code_of


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
    return _code(*parts)


def of_present_code(results):
    """For each row of a file of results/, whether the present code would give it again.

    Parameters
    ----------
    results : DataFrame
        Its ``code`` is the digest that each row had when it was published.

    Returns
    -------
    list of bool. A dataset or solver that is not here any more is of other code.
    """
    rows = zip(results["dataset_name"], results["solver_name"], results["code"])
    return [code is not None and code == _code_of_names(*key) for *key, code in rows]


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


def _code(objective, dataset, solver):
    return code_of_run(objective, dataset, solver.code_digest())


@cache
def _code_of_names(dataset_name, solver_name):
    (objective,) = _classes()["obj"]
    parts = _named("dataset", dataset_name), _named("solver", solver_name)
    return None if None in parts else _code(objective.get_instance(), *parts)


@cache
def _named(kind, name):
    """The instance that has this name: "TV[reg=0.1]"; None where none has."""
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
