"""A bug in a solver shows in the exit code of ``benchopt run``, and costs no result."""

import shutil
import subprocess
import sys

import pytest
from benchopt import runner
from benchopt.results import read_results
from conftest import ROOT

from benchmark_utils.solving.failures import failing_on_errors, is_benchopt_run

BUG = """
def setup(self):
    import numpy as np
    np.zeros(3) @ np.zeros(4)

def iterate(self, y, physics):
    yield physics.A_adjoint(y)
"""
BY_MODULE = [sys.executable, "-m", "benchopt"]


def benchopt_run(command, solvers, output, *options):
    command = [*command, "run", str(ROOT), "-d", "simulated", "--no-plot"]
    command += [word for solver in solvers for word in ("-s", str(solver))]
    return subprocess.run(
        [*command, "--output", str(output), *options], capture_output=True, text=True
    )


@pytest.mark.parametrize("options", [[], ["-j", "2"]], ids=["in one process", "in two"])
def test_a_bug_fails_the_run_and_leaves_the_results_of_others(
    solver_file, tmp_path, options
):
    solvers = ["Pseudo-inverse", solver_file("Buggy", BUG)]
    # A second run finds no error in the cache.
    for i in range(1 if options else 2):
        output = tmp_path / f"results {i}.parquet"
        done = benchopt_run(BY_MODULE, solvers, output, *options)
        assert done.returncode == 1, done.stdout
        assert "ValueError: matmul" in done.stdout + done.stderr
        (line,) = [s for s in done.stdout.splitlines() if "Buggy" in s and "error" in s]
        assert "(cached)" not in line
        assert set(read_results(output)["solver_name"]) == {"Pseudo-inverse"}


def test_a_run_without_a_bug_exits_with_0_and_so_does_a_skip(solver_file, tmp_path):
    skipped = solver_file("Skipped", BUG + "\ndomains = ('vector',)")
    program = [shutil.which("benchopt") or "benchopt"]
    if shutil.which("benchopt") is None:
        program = BY_MODULE
    output = tmp_path / "results.parquet"
    done = benchopt_run(program, ["Pseudo-inverse", skipped], output)
    assert "Reason: Skipped takes vectors" in done.stdout
    assert done.returncode == 0


@pytest.mark.parametrize(
    "command, expected",
    [
        ("/bin/benchopt run . -s test", True),
        ("C:/Scripts/benchopt.exe run .", True),
        ("/site-packages/benchopt/__main__.py run .", True),
        ("/bin/benchopt test . run", False),
        ("/bin/benchopt", False),
        ("/bin/pytest run", False),
        ("/elsewhere/__main__.py run", False),
    ],
)
def test_only_the_command_is_changed(command, expected):
    assert is_benchopt_run(command.split()) == expected
    assert not hasattr(runner._run_benchmark, "__wrapped__")


def test_nothing_is_wrapped_in_a_session_whose_runs_have_errors(run, solver_file):
    rows = run(["Pseudo-inverse", solver_file("Buggy", BUG)])
    assert set(rows.solver_name) == {"Pseudo-inverse"}
    assert failing_on_errors(runner._run_benchmark).__wrapped__ is runner._run_benchmark
