"""Evaluate your own function on any dataset of the benchmark, from Python.

    from benchmark_utils.scoring.evaluation import evaluate
    report = evaluate(my_method, "natural[problem=sr4]", against=["TV"])
    print(report.table)

where ``my_method(y, physics)`` returns x_hat, the size of the images. It is called once
for each batch of images, and once before, so that one-time costs are not timed. Run it
from the root of the repository.
"""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch
from benchopt.benchmark import Benchmark
from benchopt.results import read_results
from benchopt.runner import _run_benchmark
from benchopt.utils.parametrized_name_mixin import product_param

from benchmark_utils.common.device import check_device, resolved
from benchmark_utils.scoring.results import final_scores
from benchmark_utils.solving.solver import IterativeSolver

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Report:
    """What an evaluation gives.

    Attributes
    ----------
    table : DataFrame
        One row per dataset and solver, with the final scores and the time (seconds).
    results : Path
        benchopt's result file (parquet): curves, scores and pictures.
    page : Path
        The dashboard, with the reconstructions, to open in a browser.
    device : str
        Where everything ran: cpu, cuda or cuda:1.
    """

    table: pd.DataFrame
    results: Path
    page: Path
    device: str


def solver_from_function(function, solver_name, differentiates=False):
    """A one-shot solver class that calls ``function(y, physics)``."""

    class Solver(IterativeSolver):
        name = solver_name
        _module_filename = Path(__file__)
        requires_grad = differentiates

        def iterate(self, y, physics):
            x_hat = function(y, physics)
            if not torch.is_tensor(x_hat):
                kind = type(x_hat).__name__
                raise TypeError(f"{solver_name} returned {kind}, not a tensor.")
            yield x_hat.detach()

    return Solver


def as_list(patterns):
    return [patterns] if isinstance(patterns, str) else list(patterns)


def evaluate(
    function,
    dataset,
    name="My method",
    against=(),
    output="evaluation",
    requires_grad=False,
    device="auto",
):
    """Score a function as the solvers are: same measurements, metrics and pictures.

    Parameters
    ----------
    function : callable (y, physics) -> x_hat
        y (B, ...) are measurements, ``physics`` a deepinv operator; x_hat has one
        image (C, H, W) per measurement.
    dataset : str or list of str
        As on benchopt's command line: "natural", "bsd[problem=inpainting]"...
    name : str
        What to call the function in tables and plots.
    against : str or list of str
        Solvers to run beside it: "TV", "PnP-HQS[denoiser=tv]"...
    output : str
        Name of the result file in ``outputs``.
    requires_grad : bool
        True for a function that differentiates; others run in ``inference_mode``.
    device : str
        Where it and the solvers run: auto (a GPU if there is one), cpu, cuda, cuda:1.

    Returns
    -------
    Report

    Raises
    ------
    ValueError
        ``name`` is that of a solver of the benchmark, ``output`` is a path, or
        ``device`` is not on this machine.
    RuntimeError
        ``function`` has no result on one of the datasets.
    """
    if Path(output).name != output:
        raise ValueError(f"output is a name, and the file goes to outputs/: {output}.")
    check_device(device)
    # benchopt's cache cannot see the code of a function: nothing is cached.
    benchmark = Benchmark(ROOT, no_cache=True)
    for solver in benchmark.get_solvers():
        if solver.name.lower() == name.split("[")[0].lower():
            raise ValueError(
                f"{name} is a solver of the benchmark: choose another name."
            )
    datasets = benchmark.check_dataset_patterns(as_list(dataset))
    others = benchmark.check_solver_patterns(as_list(against)) if against else []
    _, results = _run_benchmark(
        benchmark,
        solvers=[(solver_from_function(function, name, requires_grad), {}), *others],
        datasets=datasets,
        objectives=[(benchmark.get_benchmark_objective(), {"device": device})],
        timeout=None,
        display=False,
        output_file=output,
    )
    if results is None:
        raise RuntimeError(
            f"Nothing was evaluated on {dataset}: see the messages above."
        )
    table = final_scores(read_results(results))
    asked = [str(c.get_instance(**p)) for c, ps in datasets for p in product_param(ps)]
    done = set(table.loc[table["solver_name"] == name, "dataset_name"])
    if missing := [wanted for wanted in asked if wanted not in done]:
        raise RuntimeError(
            f"{name} has no result on {', '.join(missing)}: see the messages above. "
            f"The other results are in {results}."
        )
    page = results.with_name(f"{benchmark.name}_{results.stem}.html")
    return Report(table, results, page, str(resolved(device)))
