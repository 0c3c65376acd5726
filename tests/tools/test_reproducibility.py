"""The committed numbers come back, in one process or in two."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT

from benchmark_utils.scoring.results import KEYS
from tools.check_reproducibility import REFERENCE, differences, run


def psnrs(values):
    """{("dataset", solver): PSNR} as a Series."""
    index = pd.MultiIndex.from_tuples([("data", name) for name in values], names=KEYS)
    return pd.Series(list(values.values()), index=index)


def test_a_psnr_that_moves_is_named():
    reference = psnrs({"TV": 28.0, "Wavelets": 27.0})
    assert differences(psnrs({"TV": 28.04, "Wavelets": 26.96}), reference) == []
    [message] = differences(psnrs({"TV": 28.06, "Wavelets": 27.0}), reference)
    assert "data TV" in message and "28.06" in message and "28.00" in message


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_psnr_that_is_not_a_number_is_named(value):
    [message] = differences(psnrs({"TV": value}), psnrs({"TV": 28.0}))
    assert "data TV" in message


def test_missing_and_new_rows_are_named():
    messages = differences(psnrs({"new": 1.0}), psnrs({"old": 1.0}))
    assert messages == ["data new: not in the reference.", "data old: not in this run."]


def test_one_and_two_processes_give_the_same_numbers(tmp_path, capfd):
    config = tmp_path / "tiny.yml"
    config.write_text(
        "dataset:\n  - natural:\n      problem: [inpainting, sr4]\n      img_size: 64\n"
        "solver: [TV, Wavelets, PnP-HQS]\n"
    )
    one = run(config, tmp_path / "one.parquet")
    two = run(config, tmp_path / "two.parquet", "-j", "2")
    # Numbers kept from an earlier run would agree, whatever the code.
    assert "(cached)" not in capfd.readouterr().out
    assert len(one) == 6
    pd.testing.assert_series_equal(one.sort_index(), two.sort_index(), rtol=1e-5)


def test_the_quick_run_gives_the_committed_numbers():
    command = [sys.executable, str(ROOT / "tools" / "check_reproducibility.py")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"Reproduced: {len(pd.read_csv(REFERENCE))} PSNRs" in done.stdout
