"""What is read again of a result file."""

import numpy as np
import pandas as pd
import pytest

from benchmark_utils.scoring.results import (
    KEYS,
    is_untuned,
    packed,
    per_image_scores,
    unpacked,
    values_from,
)


@pytest.fixture(scope="module")
def results(run):
    data = ["simulated[problem=[denoising,inpainting],n_images=3]"]
    return run(["TV[n_iter=2]", "Pseudo-inverse"], data, n_repetitions=2)


def test_each_image_of_each_run_has_a_row(results):
    scores = per_image_scores(results)
    assert len(scores) == 2 * 2 * 2 * 3
    assert not scores.duplicated([*KEYS, "repetition", "image"]).any()
    assert set(scores["image"]) == {"test0", "test1", "test2"}


def test_the_scores_of_rows_are_the_means_of_those_of_images(results):
    last = results[results["objective_ssim"].notna()]
    last = last.set_index([*KEYS, "idx_rep"]).sort_index()
    means = per_image_scores(results).groupby([*KEYS, "repetition"])
    for score in ("psnr", "ssim", "lpips", "psnr_range", "psnr_kernel"):
        ours = means[score].mean().to_numpy()
        np.testing.assert_allclose(ours, last[f"objective_{score}"], rtol=1e-5)


def test_files_of_before_have_no_scores_of_images(results):
    for old in (results.drop(columns="final_results"), results.iloc[:0]):
        scores = per_image_scores(old)
        assert scores.empty and "psnr" in scores


def test_packed_scores_are_read_again(results):
    scores = per_image_scores(results)
    scores.loc[0, "psnr"] = np.inf
    pd.testing.assert_frame_equal(unpacked(packed(scores)), scores)


def test_where_values_come_from_is_read_where_it_is_kept():
    df = pd.DataFrame(
        {
            "dataset_name": "d",
            "objective_name": "o",
            "solver_name": ["A", "B", "C"],
            "idx_rep": 0,
            "stop_val": 1,
            "final_results": [
                {"run": '{"values_from": "borrowed from blur_std=2"}'},
                {"run": '{"values": {}}'},
                {"code": "0"},
            ],
        }
    )
    found = values_from(df)
    assert found == {("d", "A"): "borrowed from blur_std=2", ("d", "B"): ""}
    assert [is_untuned(origin) for origin in found.values()] == [True, False]
    assert is_untuned("tuned, default sigma") and not is_untuned("tuned")
