"""Results of two versions of the code, or of two paths, stay apart under one name."""

import pandas as pd
import pytest
from benchopt.results import save_results
from benchopt.results.result_processing import merge_results

from benchmark_utils.scoring.results import final_results, final_scores, last_rows

DATASET, OBJECTIVE = "photos[problem=sr4]", "Restore"


def curve(solver, code, psnr, points=(1, 2), repetition=0):
    """The rows of one curve, as a run writes them; its last one says what code ran."""
    end = {"code": code, "names": ["a"]}
    return [
        {
            "dataset_name": DATASET,
            "objective_name": OBJECTIVE,
            "solver_name": solver,
            "idx_rep": repetition,
            "stop_val": k,
            "time": 0.1 * k,
            "objective_psnr": psnr,
            "final_results": end if k == points[-1] else None,
            "run_date": code,
        }
        for k in points
    ]


@pytest.fixture
def merged(tmp_path):
    """merged(keep, *runs): what ``benchopt merge --keep`` makes of these runs."""

    def merged(keep, *runs):
        paths = [tmp_path / f"{i}.parquet" for i in range(len(runs))]
        for rows, path in zip(runs, paths):
            save_results(pd.DataFrame(rows), path)
        return merge_results(paths, keep=keep)

    return merged


def psnrs(df):
    return final_scores(df, OBJECTIVE).set_index("solver_name")["psnr"].to_dict()


@pytest.mark.parametrize("keep, points", [("all", (1, 2)), ("last", (1, 2, 3))])
def test_two_versions_of_a_solver_are_two_rows_with_their_code(keep, points, merged):
    new = [*curve("A", "bbbbbbbb", 30.0, (1, 2)), *curve("B", "dddddddd", 25.0)]
    df = merged(keep, curve("A", "aaaaaaaa", 20.0, points), new)
    expected = {"A (code aaaaaa)": 20.0, "A (code bbbbbb)": 30.0, "B": 25.0}
    assert psnrs(df) == expected
    kept = final_results(df, DATASET, OBJECTIVE, "names")
    assert set(kept["solver_name"]) == set(expected)
    assert len(last_rows(df)) == 3


def test_a_version_that_takes_the_place_of_another_is_alone(merged):
    df = merged("last", curve("A", "aaaaaaaa", 20.0), curve("A", "bbbbbbbb", 30.0))
    assert psnrs(df) == {"A": 30.0}


def test_repetitions_of_two_versions_are_not_averaged(merged):
    later = curve("A", "bbbbbbbb", 30.0, repetition=1)
    df = merged("last", curve("A", "aaaaaaaa", 20.0), later)
    assert psnrs(df) == {"A (code aaaaaa)": 20.0, "A (code bbbbbb)": 30.0}


def test_results_of_one_version_are_as_they_were(merged):
    runs = [curve("A", "aaaaaaaa", 20.0, repetition=i) for i in (0, 1)]
    df = merged("last", *runs, curve("B", "bbbbbbbb", 30.0))
    assert psnrs(df) == {"A": 20.0, "B": 30.0}
    assert psnrs(df.drop(columns="final_results")) == {"A": 20.0, "B": 30.0}


@pytest.mark.parametrize("kind", ["dataset", "solver"])
def test_paths_that_names_cut_to_the_same_are_rows_of_their_own(kind):
    runs = [
        pd.DataFrame(curve(solver, "aaaaaaaa", psnr)).assign(
            **{f"p_{kind}_path": path, f"p_{kind}_sizes": [[3, 3]] * 2}
        )
        for solver, psnr, path in [
            ("A", 20.0, "/sets/noise_0.01"),
            ("A", 30.0, "/sets/noise_0.05"),
            ("B", 25.0, "/sets/noise_0.01"),
        ]
    ]
    df = pd.concat(runs, ignore_index=True)
    # What pandas reads of a file where a parameter is None.
    df[f"p_{kind}_train"] = pd.Series([None] * len(df), dtype="str")
    assert psnrs(df) == {
        "A (path=/sets/noise_0.01)": 20.0,
        "A (path=/sets/noise_0.05)": 30.0,
        "B": 25.0,
    }
    assert len(last_rows(df)) == 3
