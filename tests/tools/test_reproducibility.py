"""The committed numbers come back, in one process or in two."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT

from benchmark_utils.scoring.results import KEYS
from tools.check_reproducibility import REFERENCE, differences, run


def scores(values, **others):
    """{solver: PSNR}, with other scores that all have, as a table."""
    index = pd.MultiIndex.from_tuples([("data", name) for name in values], names=KEYS)
    return pd.DataFrame({"psnr": list(values.values()), **others}, index=index)


def test_a_psnr_that_moves_is_named():
    reference = scores({"TV": 28.0, "Wavelets": 27.0})
    assert differences(scores({"TV": 28.04, "Wavelets": 26.96}), reference) == []
    [message] = differences(scores({"TV": 28.06, "Wavelets": 27.0}), reference)
    assert "data TV" in message and "28.06" in message and "28.00" in message


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_psnr_that_is_not_a_number_is_named(value):
    [message] = differences(scores({"TV": value}), scores({"TV": 28.0}))
    assert "data TV" in message


def test_ssim_and_the_psnr_inside_of_the_kernel_are_compared_too():
    reference = scores({"TV": 28.0}, psnr_kernel=27.0, ssim=0.9)
    same = scores({"TV": 28.0}, psnr_kernel=27.04, ssim=0.9015)
    assert differences(same, reference) == []
    other = scores({"TV": 28.0}, psnr_kernel=27.06, ssim=0.903)
    kernel, ssim = differences(other, reference)
    assert "psnr_kernel 27.060" in kernel and "ssim 0.903" in ssim


def test_a_score_that_is_lost_is_named_and_one_that_nobody_has_is_not():
    none = scores({"TV": 28.0}, psnr_kernel=np.nan)
    some = scores({"TV": 28.0}, psnr_kernel=27.0)
    assert differences(none, none) == []
    assert len(differences(none, some)) == len(differences(some, none)) == 1


def test_missing_and_new_rows_are_named():
    messages = differences(scores({"new": 1.0}), scores({"old": 1.0}))
    assert messages == ["data new: not in the reference.", "data old: not in this run."]


def test_one_and_two_processes_give_the_same_numbers(tmp_path, capfd):
    config = tmp_path / "tiny.yml"
    config.write_text(
        "dataset:\n  - natural:\n      problem: [inpainting, sr4]\n      img_size: 64\n"
        "solver: ['TV[n_iter=20]', 'Wavelets[n_iter=20]', 'PnP-HQS[n_iter=8]']\n"
    )
    one = run(config, tmp_path / "one.parquet")
    two = run(config, tmp_path / "two.parquet", "-j", "2")
    # Numbers kept from an earlier run would agree, whatever the code.
    assert "(cached)" not in capfd.readouterr().out
    assert len(one) == 6
    pd.testing.assert_frame_equal(one.sort_index(), two.sort_index(), rtol=1e-5)


def test_the_quick_run_gives_the_committed_numbers():
    command = [sys.executable, str(ROOT / "tools" / "check_reproducibility.py")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    n_runs = len(pd.read_csv(REFERENCE))
    assert f"Reproduced: the scores of {n_runs} runs" in done.stdout
