"""Trainings from several seeds are one row: their mean, and their spread."""

import math

import numpy as np
import pandas as pd
import pytest

from benchmark_utils.scoring import over_seeds, table_of
from benchmark_utils.scoring.seeds import without_seed


@pytest.mark.parametrize(
    "name, expected",
    [
        ("TV", "TV"),
        ("U-Net[seed=1]", "U-Net"),
        ("U-Net[n_steps=2,seed=12]", "U-Net[n_steps=2]"),
        ("U-Net[seed=2,width=3]", "U-Net[width=3]"),
        ("Self-supervised[loss=ei,seed=1,x=2]", "Self-supervised[loss=ei,x=2]"),
        ("mine[reseed=1]", "mine[reseed=1]"),
    ],
)
def test_the_seed_alone_leaves_a_name(name, expected):
    assert without_seed(name) == expected


PSNR = {
    "U-Net": [20.0, 24.0],
    "U-Net[seed=1]": [21.0, 25.0],
    "U-Net[seed=2]": [25.0, 29.0],
    "TV": [19.0, 23.0],
}


@pytest.fixture
def scores():
    return pd.DataFrame(
        [("d", solver, np.mean(psnr), "tuned") for solver, psnr in PSNR.items()],
        columns=["dataset_name", "solver_name", "psnr", "values_from"],
    )


@pytest.fixture
def of_images():
    return pd.DataFrame(
        [
            ("d", solver, 0, image, value)
            for solver, psnr in PSNR.items()
            for image, value in zip("ab", psnr)
        ],
        columns=["dataset_name", "solver_name", "repetition", "image", "psnr"],
    )


def test_scores_are_means_over_the_seeds_with_their_deviation(scores, of_images):
    found, means = over_seeds(scores, of_images)
    found = found.set_index("solver_name")
    assert list(found.index) == ["U-Net", "TV"]
    assert found.loc["U-Net", "psnr"] == pytest.approx(24.0)
    assert found.loc["U-Net", "psnr_spread"] == pytest.approx(
        np.std([22, 23, 27], ddof=1)
    )
    assert math.isnan(found.loc["TV", "psnr_spread"])
    assert set(found["values_from"]) == {"tuned"}
    by_image = means.set_index(["solver_name", "image"])["psnr"]
    assert by_image["U-Net"].to_dict() == pytest.approx({"a": 22.0, "b": 26.0})
    assert by_image["TV"].to_dict() == {"a": 19.0, "b": 23.0}


def test_a_seed_that_diverged_is_not_hidden(scores, of_images):
    scores.loc[1, "psnr"] = math.nan
    of_images.loc[2, "psnr"] = math.nan
    found, means = over_seeds(scores, of_images)
    assert math.isnan(found.set_index("solver_name").loc["U-Net", "psnr"])
    assert means.set_index(["solver_name", "image"])["psnr"].isna()["U-Net", "a"]


def test_scores_without_seeds_stay_as_they_are(scores, of_images):
    alone = scores[scores["solver_name"] == "TV"].reset_index(drop=True)
    found, _ = over_seeds(alone)
    pd.testing.assert_frame_equal(found, alone)


def test_a_table_of_a_run_has_one_row_with_the_spread(run):
    rows = run(
        ["U-Net[n_steps=30,seed=[0,1]]", "TV[n_iter=2]"], ["simulated[n_images=2]"]
    )
    table = table_of(rows)
    (name,) = [name for name in table.index if name.startswith("U-Net")]
    ends = rows.groupby("solver_name")["objective_psnr"].last()
    of_seeds = ends[[solver for solver in ends.index if solver != "TV[n_iter=2]"]]
    cell = table.loc[name].iloc[0]
    assert len(of_seeds) == 2 and "seed" not in name
    assert cell.mean == pytest.approx(of_seeds.mean())
    assert cell.spread == pytest.approx(of_seeds.std()) and cell.spread > 0
    assert math.isnan(table.loc["TV[n_iter=2]"].iloc[0].spread)
