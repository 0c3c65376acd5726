"""The figures of docs/ show what the committed results hold."""

import math

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from tools.build_figures import PICTURES, draw_operators, draw_sweeps, read, swept

ROWS = [
    # problem, n_angles, told_noise, noise, psnr
    ("ct", math.nan, 1.0, None, 38.0),
    ("ct", 90, 1.0, None, 36.0),
    ("ct", 30, 1.0, None, 33.0),
    ("ct", math.nan, 2.0, None, 37.0),
    ("ct", math.nan, 1.0, "low_dose", 35.0),
    ("ct_sparse", 30, 1.0, None, 31.0),
]
RESULTS = pd.DataFrame(
    ROWS, columns=["problem", "n_angles", "told_noise", "noise", "psnr"]
).assign(solver_name="TV")


def curve(strength):
    found = swept(RESULTS, "ct", strength)
    return list(zip(found["strength"], found["psnr"]))


def test_a_sweep_has_what_differs_by_one_strength_with_its_default():
    assert curve("n_angles") == [(30, 33), (90, 36), (180, 38)]
    assert curve("told_noise") == [(1, 38), (2, 37)]


def test_a_figure_of_sweeps_is_drawn(tmp_path):
    path = tmp_path / "sweeps.png"
    draw_sweeps(RESULTS, [("ct", "n_angles"), ("ct", "told_noise")], path)
    assert path.read_bytes()[:4] == b"\x89PNG"


def test_a_solver_has_one_colour_in_all_panels(tmp_path, monkeypatch):
    monkeypatch.setattr(plt, "close", lambda figure: None)
    # The second panel has the solvers in another order, and one less.
    second = RESULTS[["problem", "n_angles", "told_noise", "noise", "psnr"]]
    results = pd.concat(
        [
            second.assign(solver_name="SIRT").query("n_angles > 0"),
            RESULTS,
            second.assign(solver_name="Wavelets"),
        ]
    )
    draw_sweeps(
        results, [("ct", "n_angles"), ("ct", "told_noise")], tmp_path / "sweeps.png"
    )
    panels = [
        {line.get_label(): line.get_color() for line in axis.lines}
        for axis in plt.gcf().axes
    ]
    plt.gcf().clear()
    assert set(panels[0]) == {"SIRT", "TV", "Wavelets"}
    assert set(panels[1]) == {"TV", "Wavelets"}
    assert all(panels[0][solver] == colour for solver, colour in panels[1].items())


def test_what_operators_teach_is_drawn_in_their_order_with_one_for_each_last(
    tmp_path, monkeypatch
):
    def networks(each):
        rows = [
            (masks, f"U-Net[seed={seed}]", psnr + seed)
            for masks, psnr in [(each, 26.0), (5, 25.0), (1, 24.0)]
            for seed in (0, 2)
        ]
        table = pd.DataFrame(rows, columns=["masks", "solver_name", "psnr_kernel"])
        return table.assign(dataset_name=table["masks"].astype(str))

    dictionaries = pd.DataFrame(
        {"m": 20, "n_operators": [5, 1], "recovery": [0.9, 0.4]}
    )
    tables = {
        "learning_operators": networks(0),
        "learning_operators_mri": networks("per_image"),
        "dictionary_multi": dictionaries,
    }
    monkeypatch.setattr("tools.build_figures.read", tables.get)
    monkeypatch.setattr(plt, "close", lambda figure: None)
    draw_operators(tmp_path / "operators.png")
    *panels, right = plt.gcf().axes
    for panel in panels:
        ((curve, _, (spread,)),) = panel.containers
        assert list(curve.get_ydata()) == [25, 26, 27]
        lengths = [top - bottom for (_, bottom), (_, top) in spread.get_segments()]
        assert lengths == pytest.approx([2 * math.sqrt(2)] * 3)
        ticks = [label.get_text() for label in panel.get_xticklabels()]
        assert ticks == ["1", "5", "each"]
    assert list(right.lines[0].get_xdata()) == [1, 5]
    assert list(right.lines[0].get_ydata()) == [0.4, 0.9]
    plt.gcf().clear()


@pytest.mark.parametrize("results", PICTURES.values())
def test_all_solvers_of_a_figure_have_pictures_of_all_its_problems(results):
    rows = read(results)
    shown = rows[rows["truth"].notna()]
    counts = shown.groupby("solver_name")["dataset_name"].nunique()
    assert len(counts) > 1 and counts.nunique() == 1
