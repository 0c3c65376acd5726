"""The dashboard: what each plot shows, and that its page draws without a network."""

import html
import io
import json
import re
from html.parser import HTMLParser

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from benchopt.plotting.generate_html import plot_benchmark_html
from benchopt.plotting.generate_matplotlib import get_figures
from benchopt.results import read_results
from benchopt.runner import run_benchmark
from browser import dom_of
from conftest import BENCHMARK
from PIL import Image

from tools.self_contained import main, self_contained

PLOTS = {plot._get_name(): plot for plot in BENCHMARK.get_plots()}
NAN, INF = float("nan"), float("inf")


def table(*ends):
    """Result rows from the ends of curves: (dataset, solver, psnr, time[, repetition]).

    Each curve has an earlier point, better and faster, which is not to be seen; rows
    come last first.
    """
    rows = []
    for dataset, solver, psnr, time, *repetition in ends:
        curve = {
            "objective_name": "Restore",
            "dataset_name": dataset,
            "solver_name": solver,
            "idx_rep": repetition[0] if repetition else 0,
            "objective_diverged": 0.0,
            "final_results": None,
        }
        first = {"stop_val": 0, "objective_psnr": 99.0, "time": 1e-9}
        last = {"stop_val": 10, "objective_psnr": psnr, "time": time}
        last["objective_diverged"] = float(np.isnan(psnr))
        rows = [curve | last, curve | first, *rows]
    return pd.DataFrame(rows)


# -- ranking --------------------------------------------------------------------------


def with_images(*runs, dataset="d", **kept):
    """Rows with the scores of each image, from (solver, PSNRs[, repetition]).

    ``kept`` is for the final results: run={solver: dict}.
    """
    ends = [
        (dataset, solver, float(np.mean(psnrs)), 1, *repetition)
        for solver, psnrs, *repetition in runs
    ]
    df = table(*ends)
    last = df["stop_val"] == 10
    texts = [
        {
            "per_image": json.dumps(
                {"name": [f"image{i}" for i in range(len(psnrs))], "psnr": list(psnrs)}
            ),
            **{key: json.dumps(by_solver[solver]) for key, by_solver in kept.items()},
        }
        for solver, psnrs, *_ in reversed(runs)
    ]
    df.loc[last, "final_results"] = pd.Series(texts, index=df.index[last], dtype=object)
    return df


def test_the_best_of_those_whose_images_were_kept_is_not_that_of_all():
    df = with_images(("kept", [20.0, 21.0]), ("older", [30.0, 31.0]))
    is_older = (df["solver_name"] == "older") & (df["stop_val"] == 10)
    df.loc[is_older, "final_results"] = None
    rows = ranking(df)
    assert psnrs(rows["older"])["d"] == "**30.50**"
    assert psnrs(rows["kept"])["d"] == "20.50"


RANKING = {"objective": "Restore", "data": "all", "score": "PSNR (dB)"}
UNSEEN = str.maketrans("", "", "\u2007\u2060\u200b")


def ranking(df, **options):
    """{solver: {column: cell}}, without the spaces that align numbers."""
    plot, options = PLOTS["ranking"], RANKING | options
    columns = plot.get_metadata(df, **options)["columns"]
    rows = plot.plot(df, **options)
    return {
        row[0]: dict(
            zip(columns, (cell.translate(UNSEEN) for cell in row), strict=True)
        )
        for row in rows
    }


def psnrs(row):
    """The cells of a row without their seconds."""
    return {column: cell.split(" (")[0] for column, cell in row.items()}


def title(df, **options):
    return PLOTS["ranking"].get_metadata(df, **RANKING | options)["title"]


def test_the_best_of_each_column_is_in_bold_and_no_other():
    df = table(
        ("photos[problem=sr4]", "A", 20.0, 1),
        ("photos[problem=sr4]", "B", 30.0, 1),
        ("photos[problem=denoising]", "A", 28.0, 1),
        ("photos[problem=denoising]", "B", 27.0, 1),
    )
    rows = ranking(df)
    a, b = psnrs(rows["A"]), psnrs(rows["B"])
    assert (a["sr4"], a["noise"], a["mean"]) == ("20.00", "**28.00**", "24.00")
    assert (b["sr4"], b["noise"], b["mean"]) == ("**30.00**", "27.00", "**28.50**")
    assert a["#"] == b["#"] == "1.5"
    assert "photos: denoising, sr4" in title(df)


BASE = np.array([20.0, 24.0, 28.0, 31.0, 35.0])
JITTER = np.array([0.1, -0.1, 0.1, -0.1, 0.05])


def test_all_that_cannot_be_told_from_the_best_is_in_bold_with_the_interval():
    df = with_images(("Best", BASE), ("Near", BASE - 0.02 + JITTER), ("Far", BASE - 1))
    rows = {solver: psnrs(row) for solver, row in ranking(df).items()}
    assert rows["Best"]["d"] == "**27.60**"
    number, interval = rows["Near"]["d"].split(" ±")
    assert number == "**27.59**"
    # Student's, of the five differences; images differ by far more.
    assert float(interval) == pytest.approx(0.12, abs=0.03)
    assert rows["Far"]["d"].startswith("26.60")
    assert "5 images and 1 repetition" in title(df) and "95% interval" in title(df)


def test_of_one_image_nothing_can_be_told():
    rows = ranking(with_images(("A", [30.0]), ("B", [20.0])))
    cells = {solver: psnrs(row)["d"] for solver, row in rows.items()}
    assert cells == {"A": "**30.00**", "B": "**20.00**"}


def test_how_many_images_and_repetitions_there_are_is_said():
    runs = [(name, BASE + i, i) for name in "AB" for i in range(3)]
    four = with_images(("A", BASE[:4]), ("B", BASE[:4]), dataset="e")
    both = pd.concat([with_images(*runs), four], ignore_index=True)
    assert "4 to 5 images and 1 to 3 repetitions" in title(both)
    assert "the test images and 1 repetition" in title(table(("d", "A", 30.0, 1)))


def test_values_that_were_not_tuned_for_the_problem_have_a_dagger():
    run = {
        "Tuned": {"values_from": "tuned"},
        "Default": {"values_from": "default"},
        "Borrowed": {"values_from": "borrowed from blur_std=2"},
        "Old": {},
    }
    df = with_images(*((name, BASE) for name in run), run=run)
    marked = {name for name, row in ranking(df).items() if "†" in row["d"]}
    assert marked == {"Default", "Borrowed"}
    assert "† with values that were not tuned" in title(df)


def test_a_solver_that_diverged_ranks_last_and_has_no_mean():
    df = table(
        ("d", "Diverges", NAN, 1), ("d", "Poor", -40.0, 1), ("d", "Good", 30.0, 1)
    )
    rows = ranking(df)
    places = [rows[s]["#"] for s in ("Good", "Poor", "Diverges")]
    assert places == sorted(places) == ["1.0", "2.0", "not ranked"]
    assert psnrs(rows["Diverges"])["d"] == "diverged"


def test_a_perfect_solver_ranks_first_and_is_called_exact():
    df = table(
        ("d", "Good", 30.0, 1), ("d", "Exact", INF, 1), ("d", "Diverges", -INF, 1)
    )
    rows = ranking(df)
    places = [rows[s]["#"] for s in ("Exact", "Good", "Diverges")]
    assert places == ["1.0", "2.0", "not ranked"]
    cells = [psnrs(rows[s])["d"] for s in ("Exact", "Good", "Diverges")]
    assert cells == ["**exact**", "30.00", "diverged"]


def test_repetitions_are_averaged_before_ranking():
    df = table(("d", "A", 31.0, 1, 0), ("d", "A", 21.0, 1, 1), ("d", "B", 27.0, 1))
    rows = ranking(df)
    assert rows["A"]["d"].startswith("26.00 (") and rows["A"]["#"] == "2.0"
    assert rows["B"]["d"].startswith("**27.00** (") and rows["B"]["#"] == "1.0"


def test_a_solver_that_missed_a_dataset_says_so_and_comes_last_without_a_mean():
    df = table(
        ("easy", "Partial", 40.0, 1), ("easy", "Full", 39.0, 1), ("hard", "Full", 20, 1)
    )
    rows = ranking(df)
    assert (rows["Partial"]["runs"], rows["Full"]["runs"]) == ("1/2", "2/2")
    assert rows["Partial"]["hard"] == "not run"
    partial, full = rows["Partial"], rows["Full"]
    assert (partial["mean"], partial["#"]) == ("incomplete", "not ranked")
    assert (full["mean"], full["#"]) == ("**29.50**", "1.5")


def test_means_come_last_and_not_at_all_with_one_dataset():
    one = table(("d", "A", 20.0, 1))
    assert list(ranking(one)["A"]) == ["solver", "#", "d"]
    two = table(("d", "A", 20.0, 1), ("e", "A", 30.0, 1))
    assert list(ranking(two)["A"]) == ["solver", "#", "e", "d", "mean"]


def test_no_header_is_wider_than_its_cells():
    df = table(("d", "A", 8.0, 200), ("photos[problem=a_long_problem]", "A", 20.0, 0.5))
    plot = PLOTS["ranking"]
    columns = plot.get_metadata(df, **RANKING)["columns"]
    ((_, _, *cells),) = plot.plot(df, **RANKING)
    assert columns[2:] == ["a long problem", "d", "mean"]
    for column, cell in zip(columns[2:], cells, strict=True):
        assert len(cell.split(" ")[-1]) > len(column)


def test_seconds_stand_beside_the_score():
    df = table(("d", "A", 20.0, 0.512), ("d", "B", 8.0, 234.5), ("d", "C", 9.0, 1e-4))
    cells = [ranking(df)[solver]["d"].split(" (")[1] for solver in "ABC"]
    assert cells == ["0.51\u00a0s)", "234\u00a0s)", "<.01\u00a0s)"]


def test_another_score_has_a_table_of_its_own_where_some_data_have_it():
    df = table(("d", "A", 20.0, 1), ("d", "B", 30.0, 1), ("e", "A", 20.0, 1))
    assert "PSNR in ker A (dB)" in PLOTS["ranking"].options["score"](df)
    assert ranking(df, score="PSNR in ker A (dB)") == {}
    assert "No run here has this score" in title(df, score="PSNR in ker A (dB)")
    lpips = np.where(df["solver_name"] == "A", 0.125, 0.25)
    df = df.assign(objective_lpips=np.where(df["dataset_name"] == "d", lpips, NAN))
    assert "LPIPS" in PLOTS["ranking"].options["score"](df)
    rows = ranking(df, score="LPIPS")
    assert list(rows["A"]) == ["solver", "#", "d"]
    assert (rows["A"]["#"], rows["B"]["#"]) == ("1.0", "2.0")
    assert psnrs(rows["A"])["d"] == "**0.125**"


def test_kinds_of_data_have_tables_of_their_own_first_where_all_are_too_wide():
    few = table(("d[problem=sr4]", "A", 20.0, 1), ("e", "A", 30.0, 1))
    many = table(
        *((f"d[problem={i}]", "A", 20.0, 1) for i in range(5)), ("e", "A", 1, 1)
    )
    options = PLOTS["ranking"].options["data"]
    assert options(few) == ["all", "e", "d"] and options(many) == ["e", "d", "all"]
    assert options(many.iloc[2:]) == ["all"]
    assert list(ranking(few, data="e")["A"]) == ["solver", "#", "e"]


def test_the_title_says_what_ran():
    run = {"date": "2026-01-02T03:04:05", "commit": "abcdef0123", "dirty": False}
    run["versions"] = {"torch": "2.0", "numpy": "2.4"}
    df = with_images(("A", BASE), run={"A": run})
    first = title(df).split("\n")[0]
    assert first == "Restore: 2026-01-02, commit abcdef0, torch 2.0"


# -- the best on each image -----------------------------------------------------------


def test_the_best_and_the_second_of_each_image_are_named():
    df = with_images(
        ("A", [30.0, 20.0]), ("B", [29.5, 21.0]), ("C", [10.0, 25.5]), ("D", [NAN, 9.0])
    )
    options = {"dataset": "d", "objective": "Restore", "score": "PSNR (dB)"}
    rows = PLOTS["per_image"].plot(df, **options)
    assert [[cell.translate(UNSEEN) for cell in row] for row in rows] == [
        ["image0", "A", "30.00", "B", "29.50"],
        ["image1", "C", "25.50", "B", "21.00"],
    ]
    metadata = PLOTS["per_image"].get_metadata(df, **options)
    assert "PSNR (dB)" in metadata["title"]
    assert "2 images: A 1, C 1" in metadata["title"]


def test_what_is_exact_or_diverged_on_an_image_is_said():
    df = with_images(("A", [INF]), ("B", [NAN]))
    options = {"dataset": "d", "objective": "Restore", "score": "PSNR (dB)"}
    row = ["image0", "A", "exact", "B", "diverged"]
    assert PLOTS["per_image"].plot(df, **options) == [row]


def test_without_scores_of_images_the_view_says_so():
    df = table(("d", "A", 30.0, 1))
    plots, options = PLOTS["per_image"]._get_all_plots(df)
    assert options["score"] == ["PSNR (dB)"]
    ((view,)) = plots.values()
    assert view["data"] == [] and "No scores of images" in view["title"]


# -- curves ---------------------------------------------------------------------------


CURVES = {"dataset": "d", "objective": "Restore", "score": "PSNR (dB)"}


def curves(df, **options):
    """{solver: (x, y)}"""
    drawn = PLOTS["curves"].plot(df, **CURVES | {"against": "time"} | options)
    return {curve["label"]: (curve["x"], curve["y"]) for curve in drawn}


def test_scores_of_the_last_iterate_alone_are_not_offered_as_curves():
    df = table(("d", "A", 30.0, 1)).assign(objective_ssim=[0.9, NAN])
    df = df.assign(objective_anomaly_sr2=[-40.0, NAN], objective_psnr_kernel=[NAN, NAN])
    df = df.assign(objective_data_fit=[0.1, 0.2])
    df = df.assign(objective_nmse=[0.1, NAN], objective_haarpsi=[0.5, NAN])
    _, options = PLOTS["curves"]._get_all_plots(df)
    assert options["score"] == ["PSNR (dB)", "Data fit"]


@pytest.mark.parametrize("against, last", [("time", 1), ("iteration", 10)])
def test_a_score_is_drawn_where_it_was_measured(against, last):
    df = table(("d", "A", 30.0, 1), ("d", "Diverges", NAN, 1))
    df["objective_psnr_min"] = np.where(df["stop_val"] == 10, 0.9, NAN)
    score = "PSNR of the worst image (dB)"
    assert curves(df, score=score, against=against)["A"] == ([last], [0.9])
    x, y = curves(df, against=against)["Diverges"]
    assert (len(x), y) == (1, [99.0])


def long_curve(solver, psnrs, calls=None):
    """One point per iteration, a second each."""
    rows = table(*(("d", solver, psnr, i + 1) for i, psnr in enumerate(psnrs)))
    rows = rows[rows["stop_val"] == 10].iloc[::-1].assign(stop_val=range(len(psnrs)))
    return rows if calls is None else rows.assign(objective_n_network_calls=calls)


def test_what_falls_far_below_the_best_squeezes_no_curve_and_is_named():
    df = pd.concat(
        [
            long_curve("Good", [20.0, 25.0, 30.0]),
            long_curve("Falls", [20.0, 5.0, -19.0]),
        ]
    )
    found = curves(df)
    assert found["Good"][1] == [20, 25, 30]
    assert found["Falls"][1] == [20, None, None]
    said = PLOTS["curves"].get_metadata(df, **CURVES, against="time")["title"]
    assert "Not drawn below 10.0 dB: Falls" in said


def test_each_choice_and_each_file_has_curves_of_its_own():
    """They are kept from one view to the next."""
    one = long_curve("A", [20.0, 25.0], calls=[3, 6])
    other = long_curve("A", [10.0, 15.0], calls=[3, 6]).assign(dataset_name="other")
    both = pd.concat([one, other])
    for _ in range(2):
        assert curves(both)["A"][1] == [20, 25]
        assert curves(both, dataset="other")["A"][1] == [10, 15]
        assert curves(both, against="network calls")["A"][0] == [3, 6]
        assert curves(other, dataset="other")["A"][1] == [10, 15]
        assert curves(one)["A"] == ([1, 2], [20, 25])


def test_a_long_curve_keeps_its_ends_and_markers_that_stay_apart():
    x, _ = curves(long_curve("A", np.linspace(10, 20, 500)))["A"]
    assert len(x) <= 25 and (x[0], x[-1]) == (1, 500) and x == sorted(set(x))


def test_against_network_calls_only_the_solvers_that_call_networks_are_drawn():
    df = pd.concat(
        [
            long_curve("TV", [20.0, 21.0], calls=[0, 0]),
            long_curve("PnP", [25.0, 30.0], calls=[3, 6]),
        ]
    )
    assert curves(df, against="network calls") == {"PnP": ([3, 6], [25, 30])}
    none = df[df["solver_name"] == "TV"]
    metadata = PLOTS["curves"].get_metadata(none, **CURVES, against="network calls")
    assert curves(none, against="network calls") == {}
    assert "No solver here calls a network" in metadata["title"]


def test_axes_have_words_and_units():
    metadata = PLOTS["curves"].get_metadata(
        table(("d", "A", 30.0, 1)), **CURVES, against="time"
    )
    assert metadata["xlabel"].startswith("Time (seconds)")
    assert metadata["ylabel"] == "PSNR (dB)"


def test_twenty_solvers_have_styles_of_their_own_which_are_the_same_in_all_views():
    df = table(*(("d", f"{i:02}", 20.0 + i, 1 + i) for i in range(20)))
    views = {
        kind: PLOTS[kind].plot(df, **options)
        for kind, options in {
            "curves": CURVES | {"against": "time"},
            "pareto": {"dataset": "d", "objective": "Restore"},
        }.items()
    }
    ours, theirs = (
        {t["label"]: (t["color"], t["marker"]) for t in view} for view in views.values()
    )
    del theirs["Pareto front"]
    assert ours == theirs and len(set(ours.values())) == 20


def test_versions_of_code_are_curves_of_their_own():
    ends = [table(("d", "A", psnr, 1)) for psnr in (20.0, 30.0)]
    for df, code in zip(ends, ("aaaaaaaa", "bbbbbbbb")):
        df["run_date"] = code
        df.at[0, "final_results"] = {"code": code}
    merged = pd.concat(ends, ignore_index=True)
    assert set(curves(merged)) == {"A (code aaaaaa)", "A (code bbbbbb)"}
    rows = PLOTS["scores"].plot(merged, dataset="d", objective="Restore")
    assert {row[0] for row in rows} == {"A (code aaaaaa)", "A (code bbbbbb)"}


# -- all scores -----------------------------------------------------------------------


def test_scores_that_some_solver_has_are_shown_with_their_digits():
    df = table(("d", "A", 31.234, 1.26), ("d", "B", NAN, 2))
    df["objective_ssim"] = [NAN, NAN, 0.91236, NAN]
    df["objective_n_network_calls"] = 0.0
    options = {"dataset": "d", "objective": "Restore"}
    columns = PLOTS["scores"].get_metadata(df, **options)["columns"]
    rows = PLOTS["scores"].plot(df, **options)
    assert columns == ["solver", "PSNR", "SSIM", "time"]
    found = {row[0]: [cell.translate(UNSEEN) for cell in row[1:]] for row in rows}
    assert found["A"] == ["31.23", "0.9124", "1.3\u00a0s"]
    assert found["B"][:2] == ["diverged", "-"]


@pytest.mark.parametrize(
    "name", ["anomaly", "per_image", "pareto", "ranking", "scores"]
)
def test_a_view_of_one_dataset_and_objective_shows_no_other(name):
    plot = PLOTS[name]
    alone = with_images(("A", [30.0, 20.0]), ("B", [29.0, 25.0]))
    other = with_images(("A", [10.0, 11.0]), ("B", [15.0, 12.0]), dataset="e")
    for column in ("objective_anomaly_sr2", "objective_anomaly_sr2_truth"):
        alone[column], other[column] = 5.0, 7.0
    parts = [alone, other, other.assign(dataset_name="d", objective_name="Another")]
    together = pd.concat(parts, ignore_index=True)
    chosen = {"dataset": "d", "objective": "Restore", "score": "PSNR (dB)", "data": "d"}
    options = {key: value for key, value in chosen.items() if key in plot.options}
    shown = [plot.plot(df, **options) for df in (together, alone)]
    assert shown[0] == shown[1]
    titles = [plot.get_metadata(df, **options) for df in (together, alone)]
    assert titles[0] == titles[1]


# -- Pareto ---------------------------------------------------------------------------


def pareto(df, dataset="all datasets"):
    """{label: [(time, psnr)]} and the title."""
    options = {"dataset": dataset, "objective": "Restore"}
    traces = PLOTS["pareto"].plot(df, **options)
    points = {t["label"]: list(zip(t["x"], t["y"], strict=True)) for t in traces}
    return points, PLOTS["pareto"].get_metadata(df, **options)["title"]


def test_the_front_joins_the_solvers_that_no_other_beats_in_both():
    df = table(("d", "Slow", 30.0, 9), ("d", "Fast", 20.0, 1), ("d", "Beaten", 19.0, 2))
    points, _ = pareto(df, "d")
    assert points.pop("Pareto front") == [(1, 20), (9, 30)]
    assert points == {"Slow": [(9, 30)], "Fast": [(1, 20)], "Beaten": [(2, 19)]}


def test_over_all_datasets_mean_psnr_is_against_total_time():
    df = table(("d", "A", 30.0, 1), ("e", "A", 20.0, 2))
    assert pareto(df)[0]["A"] == [(3, 25)]


def test_a_solver_without_a_result_somewhere_is_left_out_and_named():
    df = table(
        ("d", "A", 30.0, 1),
        ("e", "A", 20.0, 1),
        ("d", "Partial", 40.0, 1),
        ("d", "Diverges", 30.0, 1),
        ("e", "Diverges", NAN, 1),
    )
    points, title = pareto(df)
    assert points.keys() == {"Pareto front", "A"}
    assert "Partial, Diverges" in title or "Diverges, Partial" in title


def test_a_perfect_solver_is_named_above_the_plot_and_beats_the_slower_ones():
    df = table(
        ("d", "Fast", 20.0, 1),
        ("d", "Exact", INF, 2),
        ("d", "Slow", 30.0, 3),
        ("d", "Diverges", -INF, 1),
    )
    points, title = pareto(df)
    assert points.pop("Pareto front") == [(1, 20)]
    assert points == {"Fast": [(1, 20)], "Slow": [(3, 30)]}
    assert "Exact, above all points: Exact" in title
    assert "Left out, not run or diverged: Diverges" in title


# -- reconstructions ------------------------------------------------------------------


def png(picture):
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    return buffer.getvalue()


def random_picture(*shape):
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


RECONSTRUCTIONS = {"dataset": "d", "objective": "Restore", "picture": "1. cat"}


def reconstructions(truth, measurement, *ours, psnr=30.0):
    """The cards, of solvers A, B..."""
    df = table(*(("d", name, psnr, 1) for name in "ABC"[: len(ours)]))
    for i, picture in zip(df.index[df["stop_val"] == 10], reversed(ours)):
        pictures = {"names": ["cat"], "truth": [png(truth)]}
        pictures |= {
            "measurement": [png(measurement)],
            "reconstruction": [png(picture)],
        }
        df.at[i, "final_results"] = pictures
    metadata = PLOTS["reconstructions"].get_metadata(df, **RECONSTRUCTIONS)
    assert metadata["title"].startswith("d: cat")
    return PLOTS["reconstructions"].plot(df, **RECONSTRUCTIONS)


def tiles(card):
    """The picture, its detail and their errors, of 128x128 pixels, in 0..255."""
    image = card["image"]
    assert image.shape == (256, 256, 3) and image.min() >= 0 and image.max() <= 1
    return [part * 255 for row in np.split(image, 2) for part in np.split(row, 2, 1)]


def agree(tile, pixels):
    """All but the frame of the detail, to the levels that are kept."""
    return np.mean(np.abs(tile - pixels.astype(float)).max(-1) <= 2) > 0.96


def test_truth_and_measurement_come_first_then_the_solvers_the_best_first():
    truth = random_picture(64, 64, 3)
    poor, good = (truth // 2).astype(np.uint8), truth - truth // 8
    cards = reconstructions(truth, 255 - truth, poor, good)
    labels = [card["label"] for card in cards]
    mse = np.mean(((truth - poor.astype(float)) / 255) ** 2)
    assert labels[:2] == ["Truth", "Measurement"] and labels[2].startswith("B: ")
    assert labels[3] == f"A: {-10 * np.log10(mse):.2f} dB"
    for card, pixels in zip(cards, (truth, 255 - truth, good, poor), strict=True):
        assert agree(tiles(card)[0], pixels.repeat(2, 0).repeat(2, 1))


def test_phases_are_shown_apart_beside_k_space():
    truth, phase, k_space = (random_picture(128, 128, 3) // n for n in (1, 2, 3))
    df = table(("d", "A", 30.0, 1), ("d", "B", 30.0, 1))
    for i in (0, 2):
        keys = "truth", "measurement", "reconstruction"
        kept = {key: [png(truth)] for key in keys}
        phases = {**kept, "truth": [png(phase)], "measurement": [png(k_space)]}
        df.at[i, "final_results"] = {"names": ["head"], **kept, "phase": phases}
    plot = PLOTS["reconstructions"]
    assert plot.options["part"](df) == ["image", "phase"]
    options = RECONSTRUCTIONS | {"picture": "1. head"}
    assert len(plot.plot(df, **options, part="image")) == 4
    cards = plot.plot(df, **options, part="phase")
    assert [card["label"] for card in cards] == ["Truth", "k-space", "B", "A"]
    for card, pixels in zip(cards, (phase, k_space, truth, truth), strict=True):
        assert agree(tiles(card)[0], pixels)


def test_the_same_detail_is_beside_each_picture_and_covers_none():
    truth = np.full((128, 128, 3), 100, np.uint8)
    truth[64:96, 32:64] = random_picture(32, 32, 3)
    ours = 255 - truth
    cards = reconstructions(truth, truth, ours)
    for card, pixels in zip(cards, (truth, truth, ours), strict=True):
        picture, detail, *_ = tiles(card)
        assert agree(picture, pixels)
        enlarged = pixels[64:96, 32:64].repeat(4, 0).repeat(4, 1).astype(float)
        assert np.abs(detail - enlarged).max() <= 2


@pytest.mark.parametrize("side", [64, 128, 256, 500])
def test_the_detail_is_framed_in_pictures_of_any_size(side):
    truth = np.full((side, side, 3), 100, np.uint8)
    picture, *_ = tiles(reconstructions(truth, truth, truth)[0])
    green = picture[..., 1] - picture[..., 0] > 150
    assert green.any(0).sum() >= 4 and green.any(1).sum() >= 4


def test_errors_are_below_each_solver_black_for_none_and_white_from_a_fifth():
    truth = np.full((128, 128, 3), 100, np.uint8)
    ours = truth.copy()
    ours[:64] += 51
    truth_card, _, card = reconstructions(truth, truth, ours)
    _, _, error, _ = tiles(card)
    assert error[:64].min() >= 240 and error[64:].max() == 0
    assert tiles(truth_card)[2].min() == 255


def test_a_small_measurement_is_shown_enlarged_with_its_own_size():
    truth = random_picture(64, 64, 3)
    measurement = truth[::4, ::4]
    card = reconstructions(truth, measurement, 255 - truth)[1]
    assert card["label"] == "Measurement (16x16 pixels)"
    assert agree(tiles(card)[0], measurement.repeat(8, 0).repeat(8, 1))


def test_all_cards_show_the_same_part_of_a_large_picture():
    truth = random_picture(96, 96, 3).repeat(8, 0).repeat(8, 1)
    truth_card, measurement_card, _ = reconstructions(truth, truth[::2, ::2], truth)
    assert agree(tiles(truth_card)[0], tiles(measurement_card)[0])
    assert agree(tiles(truth_card)[1], tiles(measurement_card)[1])


@pytest.mark.parametrize("shape", [(300, 400), (40, 200), (60, 40)])
def test_a_picture_of_any_shape_is_whole_in_its_tile(shape):
    truth = np.zeros((*shape, 3), np.uint8)
    picture, *_ = tiles(reconstructions(truth, truth, truth)[0])
    dark = (picture < 10).all(-1)
    rows, columns = np.flatnonzero(dark.any(1)), np.flatnonzero(dark.any(0))
    height, width = (np.ptp(found) + 1 for found in (rows, columns))
    assert max(height, width) >= 126
    assert height / width == pytest.approx(shape[0] / shape[1], rel=0.05)


def test_a_picture_that_diverged_says_so():
    truth = random_picture(64, 64, 3)
    shown = reconstructions(truth, truth, truth, psnr=NAN)
    assert shown[-1]["label"] == "A: diverged"


def test_pictures_are_chosen_by_their_names_and_a_missing_one_is_told():
    one, two = (
        table((dataset, "A", 30.0, 1)).astype({"final_results": object})
        for dataset in "de"
    )
    truth = png(random_picture(8, 8, 3))
    for df, names in ((one, ["cat"]), (two, ["dog", "owl"])):
        kinds = ("truth", "measurement", "reconstruction")
        kept = {kind: [truth] * len(names) for kind in kinds}
        df.at[0, "final_results"] = {"names": names, **kept}
    df = pd.concat([one, two], ignore_index=True)
    plot = PLOTS["reconstructions"]
    assert plot.options["picture"](df) == ["1. cat, dog", "2. owl"]
    (said,) = plot.plot(df, **RECONSTRUCTIONS | {"picture": "2. owl"})
    sentence = said["label"].replace("\n", " ")
    assert sentence == "No such picture here: these data have 1"
    options = RECONSTRUCTIONS | {"picture": "2. owl", "dataset": "e"}
    assert len(plot.plot(df, **options)) == 3


# -- views ----------------------------------------------------------------------------


def test_every_view_names_a_plot_of_the_dashboard_and_its_options():
    config = BENCHMARK.get_plot_config()
    common = {"plot_kind", "scale"}
    assert set(config["plots"]) <= set(PLOTS)
    for view in config["plot_configs"].values():
        kind = view["plot_kind"]
        assert kind in config["plots"]
        options = {f"{kind}_{option}" for option in PLOTS[kind].options}
        assert set(view) <= common | options


@pytest.mark.parametrize("drop", [(), ("final_results",)])
def test_what_views_choose_is_offered_whatever_was_run(drop):
    df = table(("d", "A", 30.0, 1)).drop(columns=list(drop))
    for view in BENCHMARK.get_plot_config()["plot_configs"].values():
        kind = view["plot_kind"]
        plots, options = PLOTS[kind]._get_all_plots(df)
        assert plots and all(options.values())
        for option, values in options.items():
            assert view.get(f"{kind}_{option}", values[0]) in values


# -- the page -------------------------------------------------------------------------


class Loads(HTMLParser):
    """Collects the external addresses that a page loads, links to follow apart."""

    def __init__(self, page):
        super().__init__()
        self.urls = []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.urls += [
            value
            for name, value in attributes
            if tag != "a" and name in ("src", "href") and "//" in value[:8]
        ]


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The page of a small real run, as benchopt writes it."""
    folder = tmp_path_factory.mktemp("page")
    (folder / "outputs").mkdir()
    results = run_benchmark(
        BENCHMARK,
        solver_names=["TV[n_iter=20]", "Pseudo-inverse"],
        dataset_names=["simulated[problem=[denoising,sr4]]"],
        plot_result=False,
        no_cache=True,
        output_file=str(folder / "small.parquet"),
    )
    index = folder / "index.html"
    config = BENCHMARK.get_plot_config()
    plot_benchmark_html(results, BENCHMARK, config, display=False, html_home=index)
    (written,) = folder.glob("*_small.html")
    return written


def test_curves_are_drawn_by_matplotlib_too(page, tmp_path):
    """As by benchopt plot --no-html, which fails where x and y differ in length."""
    results = read_results(page.with_name("small.parquet"))
    one = results[results["dataset_name"] == results["dataset_name"].iloc[0]]
    few = one.drop(columns=one.filter(regex="std|min|fit|calls|diverged").columns)
    few = few.assign(objective_diverged=0.0)
    ((*figures,),) = get_figures(BENCHMARK, few, tmp_path, ["curves"])
    assert len(figures) == len(list(tmp_path.glob("*.pdf"))) == 3
    for figure in figures:
        plt.close(figure)


def test_nothing_external_is_left_in_a_self_contained_page(page, tmp_path):
    before = page.read_text(encoding="utf-8")
    assert Loads(before).urls, "the page of benchopt loads nothing: no need of the tool"
    main([str(page), "--output", str(tmp_path / "alone.html")])
    assert page.read_text(encoding="utf-8") == before
    after = (tmp_path / "alone.html").read_text(encoding="utf-8")
    assert Loads(after).urls == []
    assert not re.search(r"""@import|url\(["']?(https?:)?//""", after)
    assert self_contained(after) == after


def test_a_missing_page_is_told_in_one_sentence(tmp_path):
    with pytest.raises(SystemExit, match=r"none\.html: there is no such file\.$"):
        main([str(tmp_path / "none.html")])


def test_a_page_with_an_unknown_script_is_refused_and_left_as_it_was(tmp_path):
    page = tmp_path / "page.html"
    page.write_text('<script src="https://cdn.example/new.js"></script>')
    with pytest.raises(SystemExit, match=r"loads https://cdn\.example/new\.js"):
        main([str(page)])
    assert "cdn.example" in page.read_text()


# Goes through the plots and leaves in the title of the page what each has drawn.
PROBE = """<script>
const seen = {errors: [], requests: []};
window.addEventListener("error", event => seen.errors.push(event.message));
const wait = () => new Promise(done => setTimeout(done, 1000));
const visible = selector => [...document.querySelectorAll(selector)]
  .filter(element => element.getBoundingClientRect().width > 0);
window.addEventListener("load", async () => {
  await wait();
  for (const kind of Object.keys(window._plots)) {
    setState({plot_kind: kind});
    await wait();
    seen[kind] = {
      cells: visible("#table_container tbody td").map(cell => cell.textContent),
      bold: visible("#table_container tbody b").length,
      curves: visible("#plot_container .trace").length,
      title: visible("#plot_container .gtitle").map(t => t.textContent).join(),
      pictures: visible("#image_container img").map(img => img.naturalWidth),
    };
  }
  seen.requests = performance.getEntriesByType("resource").map(r => r.name)
    .filter(name => !name.startsWith("data:"));
  document.title = JSON.stringify(seen);
});
</script>"""


def open_offline(page, folder):
    """What PROBE saw in a browser whose every host name fails to resolve."""
    probed = folder / "probed.html"
    content = page.read_text(encoding="utf-8").replace("<head>", f"<head>{PROBE}", 1)
    probed.write_text(content, encoding="utf-8")
    options = ("--virtual-time-budget=20000", "--window-size=1400,1000")
    title = re.search(
        r"<title>(.*?)</title>", dom_of(probed, folder, *options), re.DOTALL
    )[1]
    return json.loads(html.unescape(title))


def test_tables_plots_and_pictures_draw_with_the_network_off(page, tmp_path):
    alone = tmp_path / "alone.html"
    main([str(page), "--output", str(alone)])
    seen = open_offline(alone, tmp_path)
    assert seen.pop("errors") == seen.pop("requests") == []

    cells = seen["ranking"].pop("cells")
    assert cells[0].startswith("TV")
    assert seen["ranking"]["bold"] >= 3
    assert re.match(r"\d\d\.\d\d\u2060†? \(", cells[2])
    assert "Pseudo-inverse" in seen["scores"]["cells"]
    # Truth, measurement and two solvers.
    assert seen["reconstructions"]["pictures"] == [256, 256, 256, 256]
    # A sentence, where there is nothing else to see.
    for kind in ("atoms", "snapshots", "gamma_map"):
        assert seen[kind]["pictures"] == [1]
    for kind, curves in {"curves": 2, "pareto": 3}.items():
        assert seen[kind]["curves"] == curves
        assert "Inverse problems" in seen[kind]["title"]
