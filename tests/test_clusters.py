"""The same numbers in one process, on dask workers, and as jobs of SLURM."""

import shutil
import subprocess
import sys

import distributed
import pytest
import yaml
from benchopt import parallel_backends
from benchopt.results import read_results
from conftest import ROOT

from benchmark_utils.common import NotApplicable, device
from benchmark_utils.scoring.results import last_rows

SOLVERS = ["TV[n_iter=5]", "PnP-HQS[n_iter=2]", "SNORE[n_iter=2]"]
DATASETS = ["simulated[problem=denoising]", "simulated[problem=inpainting]"]


def psnrs(rows):
    """{(dataset, solver): PSNR} of the last iterates."""
    rows = last_rows(rows)
    names = zip(rows["dataset_name"], rows["solver_name"])
    return dict(zip(names, rows["objective_psnr"], strict=True))


@pytest.fixture
def command(tmp_path):
    """command(config, *arguments): PSNRs of what benchopt runs by it."""

    def launch(config, *arguments):
        output = tmp_path / "results.parquet"
        lists = [("-s", s) for s in SOLVERS] + [("-d", d) for d in DATASETS]
        options = ["--parallel-config", str(config), "--output", str(output)]
        options += ["--no-plot", "--no-cache", "--no-timeout", *arguments]
        done = subprocess.run(
            [sys.executable, "-m", "benchopt", "run", ".", *sum(lists, ()), *options],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return psnrs(read_results(output))

    return launch


@pytest.fixture(scope="module")
def expected(run):
    found = psnrs(run(SOLVERS, DATASETS))
    assert len(found) == len(SOLVERS) * len(DATASETS)
    return found


def test_two_workers_of_dask_give_the_numbers_of_one_process(command, expected):
    assert command(ROOT / "config" / "parallel_dask.yml") == expected


@pytest.fixture
def slurm():
    """Skips the test unless a cluster answers: its commands may be here without it."""
    found = shutil.which("sbatch") and shutil.which("sinfo")
    if not found or subprocess.run(["sinfo"], capture_output=True).returncode:
        pytest.skip("there is no SLURM here")


def test_jobs_of_slurm_give_the_numbers_of_one_process(
    slurm, command, expected, tmp_path
):
    config = yaml.safe_load((ROOT / "config" / "parallel_slurm.yml").read_text())
    del config["slurm_gres"]
    config |= {"slurm_time": "00:05:00", "slurm_cpus_per_task": 1}
    path = tmp_path / "slurm.yml"
    path.write_text(yaml.safe_dump(config))
    assert command(path, "-o", "Inverse problems[device=cpu]") == expected


def test_auto_is_for_workers_of_this_machine(monkeypatch):
    monkeypatch.setattr(parallel_backends, "_DISTRIBUTED_FRONTAL", True)
    with pytest.raises(NotApplicable, match="login node"):
        device.check_device("auto")
    local = {"n_workers": 1, "processes": False, "dashboard_address": None}
    with distributed.Client(**local) as client:
        device.check_device("auto")
        with (
            distributed.Client(client.scheduler.address),
            pytest.raises(NotApplicable, match="login node"),
        ):
            device.check_device("auto")
