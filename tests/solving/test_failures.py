"""A bug shows in the exit code of ``benchopt run``, and costs no result."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from benchopt import runner
from benchopt.results import read_results
from conftest import ROOT
from preloaded import run_benchopt

from benchmark_utils.solving.failures import failing_on_errors, is_benchopt_run

BUG = """
def setup(self):
    import numpy as np
    np.zeros(3) @ np.zeros(4)

def iterate(self, y, physics):
    yield physics.A_adjoint(y)
"""


def arguments(solvers, output):
    by_name = [word for solver in solvers for word in ("-s", solver)]
    return ["run", ROOT, "-d", "simulated", "--no-plot", "--output", output, *by_name]


def run_in_two(*arguments, cwd):
    command = [sys.executable, "-m", "benchopt", *map(str, arguments), "-j", "2"]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd)


@pytest.mark.parametrize("run", [run_benchopt, run_in_two])
def test_a_bug_fails_the_run_and_leaves_the_results_of_others(
    run, solver_file, tmp_path
):
    solvers = ["Pseudo-inverse", solver_file("Buggy", BUG)]
    # A second run finds no error in the cache.
    for i in range(1 if run is run_in_two else 2):
        output = tmp_path / f"results {i}.parquet"
        done = run(*arguments(solvers, output), cwd=ROOT)
        assert done.returncode == 1, done.stdout
        assert "ValueError: matmul" in done.stdout + done.stderr
        (line,) = [s for s in done.stdout.splitlines() if "Buggy" in s and "error" in s]
        assert "(cached)" not in line
        assert set(read_results(output)["solver_name"]) == {"Pseudo-inverse"}


BUGGY_DATASET = """
import numpy as np
from benchmark_utils.data import ImageDataset

class Dataset(ImageDataset):
    name = "buggy"
    parameters = {**ImageDataset.image_parameters, "problem": ["sr4"], "img_size": [8]}

    def load(self, split):
        return np.zeros(3) @ np.zeros(4)
"""


@pytest.mark.parametrize("is_first", [True, False])
def test_a_bug_of_a_dataset_fails_the_run_and_leaves_the_others(is_first, tmp_path):
    buggy, output = tmp_path / "buggy.py", tmp_path / "results.parquet"
    buggy.write_text(BUGGY_DATASET)
    datasets = [buggy, "simulated"] if is_first else ["simulated", buggy]
    command = ["run", ROOT, *[word for d in datasets for word in ("-d", d)]]
    command += ["-s", "Pseudo-inverse", "-s", "Initial guess"]
    done = run_benchopt(*command, "--no-plot", "--output", output, cwd=ROOT)
    assert done.returncode == 1, done.stdout
    assert (done.stdout + done.stderr).count("ValueError: matmul") == 1
    assert "this dataset has the error above" in done.stdout
    rows = read_results(output)
    assert set(rows["dataset_name"]) == {"simulated[problem=denoising]"}
    assert set(rows["solver_name"]) == {"Pseudo-inverse", "Initial guess"}


def test_a_run_without_a_bug_exits_with_0_and_so_does_a_skip(solver_file, tmp_path):
    skipped = solver_file("Skipped", BUG + "\ndomains = ('vector',)")
    program = shutil.which("benchopt") or Path(sys.executable).with_name("benchopt")
    command = [program, *arguments(["Pseudo-inverse", skipped], tmp_path / "results")]
    done = subprocess.run(command, capture_output=True, text=True)
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
