"""Evaluate your own function on images of yours, or on any dataset of the benchmark.

    from benchmark_utils.api import evaluate
    report = evaluate(my_method, "natural[problem=sr4]", against=["TV"])
    print(report)

where ``my_method(y, physics)`` returns x_hat, the size of the images. It is called once
for each batch of images, and once before, so that one-time costs are not timed. Run it
from the root of the repository.
"""

import io
import warnings
from contextlib import contextmanager, nullcontext, redirect_stdout
from itertools import product
from pathlib import Path
from unittest.mock import patch
from urllib.parse import quote

from benchopt.benchmark import Benchmark
from benchopt.results import read_results
from benchopt.runner import _run_benchmark
from benchopt.utils.parametrized_name_mixin import product_param
from benchopt.utils.terminal_output import TerminalOutput

from benchmark_utils.common.device import check_device, resolved
from benchmark_utils.common.errors import NotApplicable
from benchmark_utils.common.modes import standard_modes
from benchmark_utils.data.own_images import dataset_of
from benchmark_utils.scoring.arguments import as_list, check_arguments
from benchmark_utils.scoring.functions import solver_from_function
from benchmark_utils.scoring.report import Report
from benchmark_utils.scoring.results import final_scores
from benchmark_utils.solving.by_name import datasets_by_name, solvers_by_name
from benchmark_utils.solving.failures import failing_on_errors

ROOT = Path(__file__).resolve().parents[2]


def evaluate(
    function,
    dataset=None,
    name="My method",
    against=(),
    output="evaluation",
    requires_grad=False,
    device="auto",
    *,
    images=None,
    physics=None,
    noise_level=None,
    verbose=False,
):
    """Score a function as the solvers are: same measurements, metrics and pictures.

    The modes of torch that the caller or the function has set (default dtype, grad
    mode, autocast) change neither the measurements nor the other solvers. The noise and
    random operators are drawn with the seed 0 of benchopt; the global generators of
    torch, numpy and Python are seeded with SEED (benchmark_utils/common/modes.py)
    before each call of the function, and put back afterwards.

    Parameters
    ----------
    function : callable (y, physics) -> x_hat
        y (B, ...) are measurements, ``physics`` a deepinv operator; x_hat has one
        image (C, H, W) per measurement, in [0, 1]: a tensor or a numpy array of floats,
        which is cast to 32 bits. A deepinv Reconstructor, or any torch module, is
        copied to the device, in eval mode.
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
    images : dict {name: image}, list, tensor (B, C, H, W), or folder
        In place of a dataset: images of one's own, which ``physics`` measures.
    physics : str, deepinv LinearPhysics, or callable (shape, generator) -> physics
        The operator for ``images``, with its noise: "sr4", "/my/file.py"...
    noise_level : float or None
        Standard deviation of Gaussian noise in place of that of ``physics``.
    verbose : bool
        Whether benchopt says what it is doing.

    Returns
    -------
    Report

    Raises
    ------
    NotApplicable
        An argument is not what it must be, ``name`` is that of a solver of the
        benchmark, or ``device`` is not on this machine; nothing was run.
    RuntimeError
        ``function`` has no result on one of the datasets.
    """
    check_arguments(
        function, dataset, name, output, images, physics, against, noise_level
    )
    with standard_modes():
        check_device(device)
        benchmark = _benchmark_without(name)
        if images is None:
            datasets = datasets_by_name(benchmark, as_list(dataset))
        else:
            own = dataset_of(images, physics, noise_level)
            datasets = [(own, own.parameters)]
        return _evaluate(
            benchmark,
            function,
            datasets,
            name,
            against,
            output,
            requires_grad,
            device,
            verbose,
        )


def _benchmark_without(name):
    # benchopt's cache cannot see the code of a function: nothing is cached.
    benchmark = Benchmark(ROOT, no_cache=True)
    _check_is_new(name, benchmark.get_solvers())
    return benchmark


def _check_is_new(name, solvers):
    """Raise ``NotApplicable`` for the name of one of these solvers."""
    for solver in solvers:
        if solver.name.lower() == name.split("[")[0].lower():
            raise NotApplicable(
                f"{name} is a solver of the benchmark, or of against: choose another "
                "name."
            )


def _evaluate(
    benchmark, function, datasets, name, against, output, requires_grad, device, verbose
):
    asked = _names(datasets)
    if twice := [dataset for dataset in asked if asked.count(dataset) > 1]:
        raise NotApplicable(
            f"Two datasets are called {twice[0]}: give their files and folders other "
            "names, or evaluate them one by one."
        )
    others = solvers_by_name(benchmark, as_list(against)) if against else []
    _check_is_new(name, [solver for solver, _ in others])
    failures, log = [], io.StringIO()
    ours = solver_from_function(function, name, requires_grad, failures)
    with noted_skips() as skipped, nullcontext() if verbose else quiet(log):
        _, results = failing_on_errors(_run_benchmark)(
            benchmark,
            solvers=[(ours, {}), *others],
            datasets=datasets,
            objectives=[(benchmark.get_benchmark_objective(), {"device": device})],
            timeout=None,
            display=False,
            # Without the suffix, benchopt would take a dot in the name for one.
            output_file=f"{output.removesuffix('.parquet')}.parquet",
            show_progress=verbose,
        )
    cause = failures[0] if failures else None
    if results is None:
        raise RuntimeError(
            f"Nothing was evaluated on {', '.join(asked)}{_reason(cause, skipped)}"
        ) from cause
    df = read_results(results)
    table = final_scores(df)
    done = set(table.loc[table["solver_name"] == name, "dataset_name"])
    if missing := [wanted for wanted in asked if wanted not in done]:
        raise RuntimeError(
            f"{name} has no result on {', '.join(missing)}{_reason(cause, skipped)} "
            f"The other results are in {results}."
        ) from cause
    run = set(zip(table["dataset_name"], table["solver_name"]))
    for wanted, solver in product(asked, _names(others)):
        if (wanted, solver) not in run:
            skipped.setdefault((wanted, solver), "it failed, as the log says")
    # benchopt writes the page under its name in an address.
    page = results.with_name(quote(f"{benchmark.name}_{results.stem}.html"))
    if not page.exists():
        raise RuntimeError(
            f"The dashboard could not be made: see the messages above. The results are "
            f"in {results}."
        )
    where = str(resolved(device))
    return Report(table, results, page, where, skipped, benchmark.seed, log.getvalue())


def _names(several):
    """The names of classes with lists of parameters, as results have them."""
    return [str(c.get_instance(**p)) for c, ps in several for p in product_param(ps)]


@contextmanager
def quiet(log):
    """What is printed goes to ``log``; the report says where the results are."""
    with warnings.catch_warnings(), redirect_stdout(log):
        warnings.filterwarnings("ignore", ".* already exists. Saving results to")
        yield


@contextmanager
def noted_skips():
    """{(dataset, solver): reason} of what benchopt skips meanwhile."""
    skipped = {}
    skip, show_status = TerminalOutput.skip, TerminalOutput.show_status

    def noted_skip(self, reason=None, objective=False):
        skipped[str(self.dataset), str(self.solver)] = reason
        return skip(self, reason, objective)

    def noted_status(self, status, reason=None, *args, **kwargs):
        if status == "skip" and reason:
            skipped[str(self.dataset), str(self.solver)] = reason
        return show_status(self, status, reason, *args, **kwargs)

    with patch.multiple(TerminalOutput, skip=noted_skip, show_status=noted_status):
        yield skipped


def _reason(cause, skipped):
    """Why a function has no result."""
    if cause is not None:
        return f": {type(cause).__name__}: {cause}."
    reasons = dict.fromkeys(reason for reason in skipped.values() if reason)
    return f": {' '.join(reasons)}" if reasons else ": see the messages above."
