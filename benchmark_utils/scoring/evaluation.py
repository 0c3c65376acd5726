"""Evaluate your own function on any dataset of the benchmark, from Python.

    from benchmark_utils.scoring.evaluation import evaluate
    report = evaluate(my_method, "natural[problem=sr4]", against=["TV"])
    print(report.table)

where ``my_method(y, physics)`` returns x_hat, the size of the images. It is called once
for each batch of images, and once before, so that one-time costs are not timed. Run it
from the root of the repository.
"""

import random
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pandas as pd
import torch
from benchopt.benchmark import Benchmark
from benchopt.results import read_results
from benchopt.runner import _run_benchmark
from benchopt.utils.parametrized_name_mixin import product_param

from benchmark_utils.common.device import check_device, resolved
from benchmark_utils.common.errors import NotApplicable
from benchmark_utils.common.precision import float32_by_default
from benchmark_utils.scoring.results import final_scores
from benchmark_utils.solving.iterates import as_estimate, explained, kind_of
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


# The seed of the global generators at each call of a function.
SEED = 0


@contextmanager
def restored_modes():
    """Put back what is global to torch, and the global generators, at the end."""
    dtype, numpy_state, python_state = (
        torch.get_default_dtype(),
        np.random.get_state(),  # noqa: NPY002
        random.getstate(),
    )
    try:
        with ExitStack() as stack:
            stack.enter_context(torch.random.fork_rng())
            yield stack
    finally:
        torch.set_default_dtype(dtype)
        np.random.set_state(numpy_state)  # noqa: NPY002
        random.setstate(python_state)


@contextmanager
def standard_modes():
    """torch as in a fresh process, whatever the caller has set."""
    with restored_modes() as stack:
        stack.enter_context(float32_by_default())
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        for kind in ("cpu", "cuda"):
            stack.enter_context(torch.autocast(kind, enabled=False))
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))
        yield


def seed_generators():
    torch.manual_seed(SEED)
    np.random.seed(SEED)  # noqa: NPY002
    random.seed(SEED)


def solver_from_function(function, solver_name, differentiates=False, failures=None):
    """A one-shot solver class that calls ``function(y, physics)``.

    The list ``failures`` receives the exceptions.
    """
    failures = [] if failures is None else failures

    class Solver(IterativeSolver):
        name = solver_name
        _module_filename = Path(__file__)
        requires_grad = differentiates

        def setup(self):
            # Not in iterate, where it would be timed.
            self._shapes = {
                b.y.shape: (len(b.y), *b.signal_shape) for b in self.batches
            }

        def iterate(self, y, physics):
            try:
                with restored_modes():
                    seed_generators()
                    result = explained(self, lambda: function(y, physics))
                x_hat = checked_result(result, y, self._shapes[y.shape])
            except Exception as error:
                failures.append(error)
                raise
            yield x_hat

    return Solver


def checked_result(result, y, shape):
    """What a function returned, as a tensor of ``shape`` on the device of y.

    Raises
    ------
    TypeError
        It is no tensor or array of floats.
    ValueError
        Its shape is another, or its values look like 0..255.
    """
    returned = f"the function returned {kind_of(result)}"
    try:
        x_hat = as_estimate(result, y)
    except TypeError:
        raise TypeError(
            f"{returned}, and not a tensor of floats of the shape {tuple(shape)}, in "
            "[0, 1] for images"
        ) from None
    if x_hat.shape != shape:
        raise ValueError(
            f"{returned} of shape {tuple(x_hat.shape)} where the images have shape "
            f"{tuple(shape)}: a solver yields one reconstruction per image, of its size"
        )
    if x_hat.ndim == 4 and looks_like_bytes(x_hat):
        raise ValueError(
            f"{returned} with values from {float(x_hat.min()):.4g} to "
            f"{float(x_hat.max()):.4g}, which looks like 0..255: results are in [0, 1]"
        )
    return x_hat


def looks_like_bytes(x_hat):
    """Whether images are on a scale where white is 255, and not merely diverging."""
    if x_hat.is_complex() or not bool(x_hat.isfinite().all()):
        return False
    low, high, mean = (float(v) for v in (x_hat.min(), x_hat.max(), x_hat.mean()))
    # A method may ring below black and above white by a third.
    return low > -85 and 10 < high < 340 and mean > 5


def as_list(patterns):
    return [patterns] if isinstance(patterns, str) else list(patterns)


def check_arguments(function, dataset, name, output):
    """Raise ``NotApplicable`` for what would fail, or be lost, after the run."""
    if not callable(function):
        raise NotApplicable(
            f"function is what is called with y and physics, not {function!r}."
        )
    if not isinstance(name, str) or not name.strip():
        raise NotApplicable(f"name is what to call the function, not {name!r}.")
    if not isinstance(output, str) or Path(output).name != output:
        raise NotApplicable(
            f"output is a name, and the file goes to outputs/: not {output!r}."
        )
    if not output.strip() or output.startswith("."):
        raise NotApplicable(f"output is the name of a file, not {output!r}.")
    datasets = (
        as_list(dataset) if isinstance(dataset, str | list | tuple) else [dataset]
    )
    if not datasets or not all(isinstance(d, str) and d.strip() for d in datasets):
        raise NotApplicable(
            f'dataset is the name of one, as "natural", or a list of names, not '
            f"{dataset!r}."
        )


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

    The modes of torch that the caller or the function has set (default dtype, grad
    mode, autocast) change neither the measurements nor the other solvers. The global
    generators of torch, numpy and Python are seeded with SEED before each call of the
    function, and put back afterwards.

    Parameters
    ----------
    function : callable (y, physics) -> x_hat
        y (B, ...) are measurements, ``physics`` a deepinv operator; x_hat has one
        image (C, H, W) per measurement, in [0, 1]: a tensor or a numpy array of floats,
        which is cast to 32 bits.
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
    NotApplicable
        An argument is not what it must be, ``name`` is that of a solver of the
        benchmark, or ``device`` is not on this machine; nothing was run.
    RuntimeError
        ``function`` has no result on one of the datasets.
    """
    check_arguments(function, dataset, name, output)
    check_device(device)
    with standard_modes():
        return _evaluate(
            function, dataset, name, against, output, requires_grad, device
        )


def _evaluate(function, dataset, name, against, output, requires_grad, device):
    # benchopt's cache cannot see the code of a function: nothing is cached.
    benchmark = Benchmark(ROOT, no_cache=True)
    for solver in benchmark.get_solvers():
        if solver.name.lower() == name.split("[")[0].lower():
            raise NotApplicable(
                f"{name} is a solver of the benchmark: choose another name."
            )
    datasets = benchmark.check_dataset_patterns(as_list(dataset))
    others = benchmark.check_solver_patterns(as_list(against)) if against else []
    failures = []
    ours = solver_from_function(function, name, requires_grad, failures)
    _, results = _run_benchmark(
        benchmark,
        solvers=[(ours, {}), *others],
        datasets=datasets,
        objectives=[(benchmark.get_benchmark_objective(), {"device": device})],
        timeout=None,
        display=False,
        # Without the suffix, benchopt would take a dot in the name for one.
        output_file=f"{output.removesuffix('.parquet')}.parquet",
    )
    cause = failures[0] if failures else None
    reason = ": see the messages above."
    if cause is not None:
        reason = f": {type(cause).__name__}: {cause}."
    if results is None:
        raise RuntimeError(f"Nothing was evaluated on {dataset}{reason}") from cause
    table = final_scores(read_results(results))
    asked = [str(c.get_instance(**p)) for c, ps in datasets for p in product_param(ps)]
    done = set(table.loc[table["solver_name"] == name, "dataset_name"])
    if missing := [wanted for wanted in asked if wanted not in done]:
        raise RuntimeError(
            f"{name} has no result on {', '.join(missing)}{reason} "
            f"The other results are in {results}."
        ) from cause
    # benchopt writes the page under its name in an address.
    page = results.with_name(quote(f"{benchmark.name}_{results.stem}.html"))
    if not page.exists():
        raise RuntimeError(
            f"The dashboard could not be made: see the messages above. The results are "
            f"in {results}."
        )
    return Report(table, results, page, str(resolved(device)))
