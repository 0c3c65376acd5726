"""``benchopt run`` exits with 1 where there was a bug, the other results saved.

It numbers its runs too (progress.py).

benchopt 1.10 prints the traceback of a solver that raises, goes on with the others and
exits with 0 as soon as one of them has a result: a job on a cluster, or continuous
integration, passes for a success. (Its BENCHOPT_RAISE_ON_ERROR stops at the first error
instead, and loses the results of the others.) A dataset that raises ends the command,
and the results of all are lost; here, it is left out.

Both ``benchopt run`` and this module look ``_run_benchmark`` up in benchopt.runner;
objective.py, which imports this module, is loaded first. In pytest and in a Python
session nothing changes: their callers get the results, and read the tracebacks.
"""

import sys
import traceback
from functools import wraps
from pathlib import Path
from unittest.mock import patch

from benchopt import _generate_runs, runner
from benchopt.utils.terminal_output import TerminalOutput

from benchmark_utils.solving.progress import counting_runs


def exit_with_failures():
    """Make ``benchopt run`` exit with 1 on errors, if it is the main program."""
    if is_benchopt_run(sys.argv) and not hasattr(runner._run_benchmark, "__wrapped__"):
        runner._run_benchmark = failing_on_errors(counting_runs(runner._run_benchmark))


def is_benchopt_run(argv):
    """Whether a command is ``benchopt run``, or ``python -m benchopt run``."""
    program = Path(argv[0])
    module = program.name == "__main__.py" and program.parent.name == "benchopt"
    words = [word for word in argv[1:] if not word.startswith("-")]
    return (program.stem == "benchopt" or module) and words[:1] == ["run"]


def failing_on_errors(run):
    """``_run_benchmark``, with an exit code of 1 where a status is an error.

    Whatever the backend, the statuses are shown by this process, which loads the data.
    """

    @wraps(run)
    def run_and_look(*args, **kwargs):
        shown, show = [], TerminalOutput.show_status

        def show_status(self, status, *args, **kwargs):
            shown.append(status)
            return show(self, status, *args, **kwargs)

        with (
            patch.object(TerminalOutput, "show_status", show_status),
            patch.object(
                _generate_runs,
                "get_solver_kwargs",
                leaving_out(_generate_runs.get_solver_kwargs, shown),
            ),
        ):
            exit_code, output = run(*args, **kwargs)
        return (1 if "error" in shown else exit_code), output

    return run_and_look


def leaving_out(get_solver_kwargs, shown):
    """``get_solver_kwargs``, for which a dataset that raises has no run.

    Its traceback is printed once, and "error" added to the statuses ``shown``.
    """
    failed = set()

    def runs_of(*, objective, dataset, terminal, **kwargs):
        key = str(objective), str(dataset)
        if key in failed:
            return
        run = {"objective": objective, "dataset": dataset, "terminal": terminal}
        try:
            yield from get_solver_kwargs(**run, **kwargs)
        except Exception:
            failed.add(key)
            shown.append("error")
            traceback.print_exc()
            terminal.skip("this dataset has the error above", objective=True)

    return runs_of
