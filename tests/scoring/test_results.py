"""What is read again of a result file."""

import numpy as np
import pandas as pd
import pytest

from benchmark_utils.scoring.labels import file_name, without_common_options
from benchmark_utils.scoring.results import (
    KEYS,
    check_one_objective,
    final_scores,
    is_untuned,
    last_rows,
    packed,
    per_image_scores,
    unpacked,
    values_from,
    without,
)
from benchmark_utils.scoring.seeds import without_seed


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


def test_the_last_row_is_that_of_the_last_point_whatever_the_order_of_the_file(results):
    keys = [*KEYS, "idx_rep"]
    shuffled = results.sample(frac=1, random_state=0)
    found = last_rows(shuffled).set_index(keys).sort_index()
    last_points = results.groupby(keys)["stop_val"].max().sort_index()
    pd.testing.assert_series_equal(found["stop_val"], last_points)
    assert len(found) == 8


def test_what_is_kept_of_a_file_is_apart_from_other_files_and_from_changes(results):
    scores = final_scores(results)
    scores["psnr"] = 0.0
    assert (final_scores(results)["psnr"] > 0).all()
    shifted = results.assign(objective_psnr=results["objective_psnr"] + 1)
    for file, offset in [(shifted, 1), (results, 0)]:
        found = final_scores(file)["psnr"] - final_scores(results)["psnr"]
        np.testing.assert_allclose(found, offset, rtol=1e-9)
    objective = results["objective_name"].iloc[0]
    pd.testing.assert_frame_equal(last_rows(results, objective), last_rows(results))
    assert last_rows(results, "another").empty


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


@pytest.mark.parametrize(
    "name, parameter, left",
    [
        ("natural[problem=sr4,told_blur=2]", "told_blur", "natural[problem=sr4]"),
        ("natural[blur_std=3,problem=sr4]", "blur_std", "natural[problem=sr4]"),
        ("bsd[n_train=3]", "n_train", "bsd"),
        ("bsd[n_train=3]", "train", "bsd[n_train=3]"),
    ],
)
def test_a_name_without_a_parameter_is_that_of_its_default(name, parameter, left):
    assert without(name, parameter) == left


def test_names_of_merged_versions_keep_their_code_behind_their_options():
    names = ["TV[reg=0.1] (code 3869ec)", "TV[reg=0.1] (code 67cad8)", "TV"]
    assert without_common_options(names) == names


def test_names_keep_what_tells_two_versions_or_two_paths_apart():
    names = {
        "A[x=1,y=2] (code 7bb5b1)": "A[x=1] (code 7bb5b1)",
        "A[x=2,y=2] (path=/a (b)/pics)": "A[x=2] (path=/a (b)/pics)",
        "A[x=3,y=2] (path=/a/b) (code 7bb5b1)": "A[x=3] (path=/a/b) (code 7bb5b1)",
        "My (new) method": "My (new) method",
    }
    assert without_common_options(names) == list(names.values())
    assert without_seed("U-Net[seed=1] (code 67cad8)") == "U-Net (code 67cad8)"


def test_files_of_opposite_strengths_have_names_of_their_own():
    names = [f"natural[problem=motion_deblurring,told_rotation={v}]" for v in (-10, 10)]
    assert len({file_name(name) for name in names}) == 2


def test_a_published_table_is_not_taken_for_a_run():
    with pytest.raises(ValueError, match="a published table"):
        check_one_objective(pd.DataFrame({"dataset_name": ["natural"]}))
