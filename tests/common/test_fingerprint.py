"""No result computed before a change of shared code, weights or data is served."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from conftest import ROOT

from benchmark_utils.common import fingerprint as version
from benchmark_utils.common.errors import Unavailable
from benchmark_utils.common.fingerprint import fingerprint_of
from benchmark_utils.scoring.results import last_rows


@pytest.fixture
def repository(tmp_path):
    """A copy of the repository, to be changed."""
    folder = tmp_path / "benchmark"
    at_the_root = {".git", "outputs", "data", "tests"}

    def ignored(path, names):
        unwanted = shutil.ignore_patterns("__cache__", "__pycache__", "runs", ".venv*")
        more = at_the_root & set(names) if Path(path) == ROOT else set()
        return unwanted(path, names) | more

    shutil.copytree(ROOT, folder, ignore=ignored)
    return folder


def run(repository, output, *options, **environment):
    """Run one solver on tiny data; its PSNR, and what benchopt printed."""
    results = repository / f"{output}.parquet"
    command = [sys.executable, "-m", "benchopt", "run", str(repository), "--no-plot"]
    command += ["-d", "simulated", "-s", "Pseudo-inverse", "--output", str(results)]
    printed = subprocess.run(
        [*command, *options],
        check=True,
        capture_output=True,
        text=True,
        cwd=repository,
        env=os.environ | environment,
    )
    psnr = last_rows(pd.read_parquet(results))["objective_psnr"].item()
    return psnr, printed.stdout


def test_an_unchanged_repository_answers_from_the_cache(repository):
    first, _ = run(repository, "first")
    second, printed = run(repository, "second")
    assert "(cached)" in printed
    assert first == second


@pytest.mark.parametrize(
    "file, old, new",
    [
        ("benchmark_utils/scoring/metrics.py", "return -10 *", "return 1 - 10 *"),
        ("datasets/simulated.py", "(0.2, 0.8, size", "(0.0, 0.1, size"),
    ],
)
def test_a_change_of_shared_code_or_of_a_dataset_is_seen(repository, file, old, new):
    before, _ = run(repository, "before")
    path = repository / file
    changed = path.read_text().replace(old, new)
    assert changed != path.read_text()
    path.write_text(changed)
    after, printed = run(repository, "after")
    assert "(cached)" not in printed
    assert abs(after - before) > 0.01


@pytest.mark.parametrize(
    "file",
    [
        "benchmark_utils/physics/data_term.py",
        "benchmark_utils/priors/weights/compact_denoiser.safetensors",
        "benchmark_utils/physics/kernels/levin09.npz",
        "benchmark_utils/data/image_checksums.txt",
        "datasets/natural.py",
        "config/tuned.yml",
    ],
)
def test_the_fingerprint_covers_code_weights_data_and_tuned_values(repository, file):
    before = fingerprint_of(repository)
    assert fingerprint_of(repository) == before
    with (repository / file).open("ab") as changed:
        changed.write(b" ")
    assert fingerprint_of(repository) != before


@pytest.mark.parametrize(
    "file", ["benchmark_utils/priors/weights/README.md", "datasets/NOTES.md"]
)
def test_the_fingerprint_leaves_out_what_people_read(repository, file):
    before = fingerprint_of(repository)
    with (repository / file).open("a") as changed:
        changed.write("One more sentence.\n")
    assert fingerprint_of(repository) == before


# What is or is not on this machine


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine with nothing on it but the packages that are required: its data."""

    def installed(package):
        if package in version.OPTIONAL:
            raise version.PackageNotFoundError(package)
        return "1.0"

    monkeypatch.setattr(version, "version", installed)
    monkeypatch.setattr(version, "data_folder", lambda key: tmp_path / "data" / key)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return tmp_path


def write(path, text=""):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def changes(tmp_path, change):
    """Whether ``change()`` changes the fingerprint, which is otherwise stable."""
    before = fingerprint_of(tmp_path)
    assert fingerprint_of(tmp_path) == before
    change()
    return fingerprint_of(tmp_path) != before


@pytest.mark.parametrize(
    "file",
    [
        "data/published_weights/restormer_motion.pth",
        "data/bsds500/BSDS500-master/train/100075.jpg",
        "data/set3c/leaves.png",
        "torch/hub/checkpoints/alexnet-owt-7be5be79.pth",
    ],
)
def test_the_fingerprint_changes_when_what_was_missing_comes(machine, file):
    assert changes(machine, lambda: write(machine / file))


def test_the_fingerprint_covers_the_packages_that_may_be_missing(machine, monkeypatch):
    def install(number):
        versions = {"bm3d": number}
        monkeypatch.setattr(version, "version", lambda name: versions.get(name, "1.0"))

    assert changes(machine, lambda: install("4.0.1"))
    assert changes(machine, lambda: install("4.0.2"))


def test_the_fingerprint_sees_other_weights_of_the_same_size(machine):
    path = machine / "data/published_weights/restormer_gaussian.pth"
    write(path, "one")
    os.utime(path, (1, 1))
    assert changes(machine, lambda: write(path, "two"))


@pytest.mark.parametrize("file", ["SHA256SUMS", ".cache/huggingface/lock"])
def test_the_fingerprint_leaves_out_what_a_first_use_writes(machine, file):
    folder = machine / "data/published_weights"
    write(folder / "scunet_color_real_psnr.pth")
    assert not changes(machine, lambda: write(folder / file))


def test_a_folder_that_cannot_be_listed_is_as_one_that_is_not_there(
    machine, monkeypatch
):
    def empty_data_paths(key):
        raise Unavailable("data_paths is empty in config.yml")

    def empty():
        monkeypatch.setattr(version, "data_folder", empty_data_paths)

    assert not changes(machine, empty)


def test_a_broken_link_among_the_weights_is_no_error(machine):
    folder = machine / "data/published_weights"
    folder.mkdir(parents=True)
    assert changes(machine, lambda: (folder / "weights.pth").symlink_to("nowhere"))


def test_advice_that_was_followed_is_seen(repository, tmp_path):
    solver = ("-s", "FiRe-HQS[priors=motion,networks=published,n_iter=2]")
    home = {"BENCHOPT_DATA_HOME": str(tmp_path / "home")}
    _, printed = run(repository, "before", *solver, **home)
    assert "restormer_motion.pth are not in" in " ".join(printed.split())
    write(tmp_path / "home/published_weights/restormer_motion.pth", "not weights")
    _, printed = run(repository, "after", *solver, **home)
    assert "restormer_motion.pth is damaged" in " ".join(printed.split())
