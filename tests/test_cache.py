"""No result computed before a change of shared code, weights or data is served."""

import shutil
import subprocess
import sys

import pandas as pd
import pytest
from conftest import ROOT

from benchmark_utils.results import last_rows
from benchmark_utils.version import fingerprint_of


@pytest.fixture
def repository(tmp_path):
    """A copy of the repository, to be changed."""
    folder = tmp_path / "benchmark"
    ignored = shutil.ignore_patterns(
        ".git", "__cache__", "__pycache__", "outputs", "data", "runs", "tests", ".venv*"
    )
    shutil.copytree(ROOT, folder, ignore=ignored)
    return folder


def run(repository, output):
    """Run one solver on tiny data; its PSNR, and what benchopt printed."""
    results = repository / f"{output}.parquet"
    command = [sys.executable, "-m", "benchopt", "run", str(repository), "--no-plot"]
    command += ["-d", "simulated", "-s", "Pseudo-inverse", "--output", str(results)]
    printed = subprocess.run(
        command, check=True, capture_output=True, text=True, cwd=repository
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
        ("benchmark_utils/metrics.py", "return -10 *", "return 1 - 10 *"),
        ("datasets/simulated.py", "(0.2, 0.8, size)", "(0.0, 0.1, size)"),
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
        "benchmark_utils/data_fit.py",
        "benchmark_utils/weights/compact_denoiser.safetensors",
        "benchmark_utils/kernels/levin09.npz",
        "benchmark_utils/image_checksums.txt",
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
    "file", ["benchmark_utils/weights/README.md", "datasets/NOTES.md"]
)
def test_the_fingerprint_leaves_out_what_people_read(repository, file):
    before = fingerprint_of(repository)
    with (repository / file).open("a") as changed:
        changed.write("One more sentence.\n")
    assert fingerprint_of(repository) == before
