"""Each row says what ran: values, weights, versions, code, machine."""

import json
import subprocess
from importlib.metadata import version

import pytest
import torch
from conftest import BENCHMARK, ROOT

from benchmark_utils.common import machine
from benchmark_utils.common.checksums import read_checksums
from benchmark_utils.priors.compact import WEIGHTS_CHECKSUMS

SOLVERS = [
    "TV[n_iter=2]",
    "PnP-HQS[n_iter=1]",
    "FiRe-HQS[priors='denoiser+sr2',n_iter=1]",
]


@pytest.fixture(scope="module")
def records(run):
    rows = run(SOLVERS, ["simulated[n_images=1]"])
    ends = rows.dropna(subset="final_results")
    names = ends["solver_name"].str.split("[").str[0]
    return {n: json.loads(kept["run"]) for n, kept in zip(names, ends.final_results)}


def test_a_row_says_on_what_it_was_made(records):
    for record in records.values():
        assert record["device"] in ("cpu", "cuda")
        assert record["cpu"] and record["cores"] >= 1
        assert record["threads"] == torch.get_num_threads()
        assert record["load"] >= 0
        assert record["versions"] == {
            name: version(name) for name in ("torch", "deepinv", "benchopt", "numpy")
        }
        assert record["date"].startswith("20")


def test_a_row_says_which_weights_ran(records):
    known = read_checksums(WEIGHTS_CHECKSUMS)

    def of(*names):
        files = [f"compact_{name}.safetensors" for name in names]
        return {file: known[file] for file in files}

    assert records["TV"]["weights"] == {}
    assert records["PnP-HQS"]["weights"] == of("denoiser", "grey")
    assert records["FiRe-HQS"]["weights"] == of("denoiser", "grey", "sr2")


def test_a_row_says_the_values_that_a_solver_gives(get_data, get_objective):
    objective = get_objective(get_data("simulated", n_images=1))
    objective._dataset = objective
    result = objective.get_one_result() | {"code": "0"}
    given = {"values": {"reg": 0.2}, "values_from": "tuned"}
    kept = json.loads(objective.save_final_results(**result, **given)["run"])
    assert kept == given
    assert objective.evaluate_result(**result, **given)["psnr"] > 0
    nothing = json.loads(objective.save_final_results(**result)["run"])
    assert nothing == {}


def git(*command):
    done = subprocess.run(["git", *command], capture_output=True, text=True, cwd=ROOT)
    return done.stdout.strip()


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="this is no clone")
def test_a_row_says_the_commit_and_whether_it_was_changed(records):
    for record in records.values():
        assert record["commit"] == git("rev-parse", "HEAD")
        assert record["dirty"] == bool(git("status", "--porcelain", "-uno"))


def test_without_a_repository_the_commit_is_not_known(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "ROOT", tmp_path)
    machine.commit_record.cache_clear()
    try:
        assert machine.commit_record() == {"commit": None, "dirty": None}
        (tmp_path / ".git").touch()
        machine.commit_record.cache_clear()
        assert machine.commit_record() == {"commit": None, "dirty": None}
    finally:
        machine.commit_record.cache_clear()


def test_the_machine_and_the_commit_are_in_no_cache_key():
    (TV,) = BENCHMARK.check_solver_patterns(["TV"], class_only=True)
    before = TV.get_instance().fingerprint()
    n_threads = torch.get_num_threads()
    torch.set_num_threads(n_threads + 1)
    try:
        after = TV.get_instance()
        assert after.fingerprint() == before
        read = {path for path in after.dependencies().data if ROOT not in path.parents}
        assert not read
    finally:
        torch.set_num_threads(n_threads)
