"""The figures of docs/ show what the committed results hold."""

import math

import pandas as pd

from tools.build_figures import draw_sweeps, swept

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
