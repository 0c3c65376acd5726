"""The plots of restoration priors: the map of their weights, iterates, anomalies."""

import io

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from benchopt.plotting.helpers import update_plot_data_style
from conftest import BENCHMARK
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

PLOTS = {plot._get_name(): plot for plot in BENCHMARK.get_plots()}
OPTIONS = {"dataset": "d", "objective": "Restore"}
NAN = float("nan")


def table(*ends):
    """Result rows from the ends of curves, dicts: solver, psnr and other columns.

    Each curve has an earlier point, which is not to be seen; rows come last first.
    """
    rows = []
    for end in ends:
        psnr = end.get("psnr", 30.0)
        last = {
            "objective_name": "Restore",
            "dataset_name": "d",
            "solver_name": end["solver"],
            "idx_rep": 0,
            "stop_val": 10,
            "time": 1.0,
            "objective_psnr": psnr,
            "objective_diverged": float(np.isnan(psnr)),
            "final_results": None,
            **{k: v for k, v in end.items() if k not in ("solver", "psnr")},
        }
        first = {k: v for k, v in last.items() if "anomaly" not in k}
        first |= {"stop_val": 0, "objective_psnr": 99.0, "objective_diverged": 0.0}
        rows = [last, first | {"final_results": None}, *rows]
    return pd.DataFrame(rows)


def plot_and_metadata(kind, df, **options):
    options = OPTIONS | options
    return PLOTS[kind].plot(df, **options), PLOTS[kind].get_metadata(df, **options)


# -- the map of the weights -----------------------------------------------------------


def fire(gamma, psnr=30.0, priors="denoiser+sr2", settings="lambda_=9", **columns):
    """The end of a run of FiRe-HQS, named as it names itself."""
    return {
        "solver": f"FiRe-HQS[gamma={gamma},{settings},priors={priors}]",
        "psnr": psnr,
        "p_solver_gamma": gamma,
        "p_solver_priors": priors,
        **columns,
    }


def square(**columns):
    return [fire(gamma, **columns) for gamma in ("0+0", "0+1", "1+0", "1+1")]


@pytest.fixture
def drawn(monkeypatch):
    """drawn(df): the axes of each map, [{(gamma_1, gamma_2): text}], and the plot."""
    figures = []
    draw = FigureCanvasAgg.draw
    monkeypatch.setattr(
        FigureCanvasAgg,
        "draw",
        lambda canvas: (figures.append(canvas.figure), draw(canvas)),
    )

    def drawn(df, **options):
        figures.clear()
        plot, _ = plot_and_metadata("gamma_map", df, **options)
        axes = [figure.axes[0] for figure in figures]
        return axes, [cells(ax) for ax in axes], plot

    return drawn


def cells(axes):
    columns = [label.get_text() for label in axes.get_xticklabels()]
    rows = [label.get_text() for label in axes.get_yticklabels()]
    return {
        (columns[text.get_position()[0]], rows[text.get_position()[1]]): text.get_text()
        for text in axes.texts
    }


def test_a_cell_shows_the_final_psnr_of_its_two_weights(drawn):
    df = table(
        fire("0+0", 20.0),
        fire("0+0.5", 21.25),
        fire("10+0", 22.5),
        fire("10+0.5", 23.0),
        fire("2+0", 24.0),
        fire("2+0.5", 25.0),
        {"solver": "TV", "psnr": 40.0},
    )
    (axes,), (cells,), _ = drawn(df)
    assert cells == {
        ("0", "0"): "20.00",
        ("0", "0.5"): "21.25",
        ("10", "0"): "22.50",
        ("10", "0.5"): "23.00",
        ("2", "0"): "24.00",
        ("2", "0.5"): "25.00",
    }
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0", "2", "10"]
    assert axes.get_xlabel().endswith(": denoiser")
    assert axes.get_ylabel().endswith(": sr2")


def test_the_colour_of_a_cell_follows_its_psnr(drawn):
    df = table(fire("0+0", 20.0), fire("0+1", 21.0), fire("1+0", 22.0), fire("1+1", 23))
    (axes,), _, _ = drawn(df)
    (shown,) = axes.images
    assert np.asarray(shown.get_array()).tolist() == [[20, 22], [21, 23]]
    bottom, top = axes.get_ylim()
    assert bottom < top, "gamma_2 grows upwards, as the labels of the cells do"


def test_the_best_cell_is_framed_and_named_under_the_map(drawn):
    df = table(
        fire("0+0", 20.0), fire("0+1", 21.0), fire("1+0", 28.0), fire("1+1", 22.0)
    )
    (axes,), _, (shown,) = drawn(df)
    (frame,) = axes.patches
    assert (np.add(frame.get_xy(), frame.get_width() / 2)).tolist() == [1, 0]
    assert shown["label"] == (
        "FiRe-HQS lambda_=9 priors=denoiser+sr2: best 28.00 dB, gamma = 1+0"
    )
    image = shown["image"]
    assert image.shape[2] == 3 and image.min() >= 0 and image.max() <= 1
    red = np.argwhere((image == (1, 0, 0)).all(-1)).mean(0) / image.shape[:2]
    assert (red > 0.5).all(), "low PSNR at the bottom left, framed at the bottom right"


def test_a_cell_that_diverged_says_so_is_not_the_best_and_one_not_run_is_blank(drawn):
    df = table(fire("0+0", 20.0), fire("0+1", NAN), fire("1+0", -np.inf))
    (axes,), (cells,), (shown,) = drawn(df)
    diverged = {("0", "1"): "diverged", ("1", "0"): "diverged"}
    assert cells == {("0", "0"): "20.00"} | diverged
    assert len(axes.patches) == 1
    assert shown["label"].endswith("best 20.00 dB, gamma = 0+0")


def test_an_exact_cell_says_so_and_is_the_best(drawn):
    df = table(fire("0+0", 20.0), fire("0+1", np.inf), fire("1+0", 25.0))
    _, (cells,), (shown,) = drawn(df)
    assert cells == {("0", "0"): "20.00", ("0", "1"): "exact", ("1", "0"): "25.00"}
    assert shown["label"].endswith("best inf dB, gamma = 0+1")


def test_a_map_that_diverged_everywhere_has_no_best_cell(drawn):
    (axes,), (cells,), (shown,) = drawn(table(*square(psnr=NAN)))
    assert set(cells.values()) == {"diverged"} and len(cells) == 4
    assert not axes.patches
    name = "FiRe-HQS lambda_=9 priors=denoiser+sr2"
    assert shown["label"] == f"{name}: all diverged"


def test_repetitions_are_averaged_and_one_that_diverged_is_not_hidden(drawn):
    again = [fire("0+0", 20.0, idx_rep=1), fire("0+1", NAN, idx_rep=1)]
    (_,), (cells,), _ = drawn(table(*square(), *again))
    assert cells[("0", "0")] == "25.00" and cells[("0", "1")] == "diverged"


def test_two_spellings_of_the_same_weights_share_a_cell(drawn):
    (_,), (cells,), _ = drawn(table(*square(), fire("0.0+1.0", 20.0)))
    assert len(cells) == 4 and cells[("0", "1")] == "25.00"


def test_one_weight_for_both_priors_is_on_the_diagonal(drawn):
    df = table(fire("0+1", 20.0), fire("1+0", 21.0), fire(1, 22.0), fire(0.5, 23.0))
    (_,), (cells,), _ = drawn(df)
    assert cells[("1", "1")] == "22.00" and cells[("0.5", "0.5")] == "23.00"


def test_settings_pairs_datasets_and_objectives_do_not_share_a_map(drawn):
    df = table(
        *square(),
        *square(psnr=21.0, settings="lambda_=7"),
        *square(psnr=22.0, priors="sr2+denoiser"),
        *square(psnr=23.0, dataset_name="e"),
        *square(psnr=24.0, objective_name="Other"),
    )
    _, cells, plot = drawn(df)
    shown = {
        image["label"].split(":")[0]: set(texts.values())
        for image, texts in zip(plot, cells, strict=True)
    }
    assert shown == {
        "FiRe-HQS lambda_=9 priors=denoiser+sr2": {"30.00"},
        "FiRe-HQS lambda_=7 priors=denoiser+sr2": {"21.00"},
        "FiRe-HQS lambda_=9 priors=sr2+denoiser": {"22.00"},
    }
    assert set(drawn(df, dataset="e")[1][0].values()) == {"23.00"}
    assert set(drawn(df, objective="Other")[1][0].values()) == {"24.00"}


@pytest.mark.parametrize(
    "ends",
    [
        [{"solver": "TV"}],
        [fire("tuned")],
        [fire("tuned"), fire("0.5+0.5")],
        [fire("0+1"), fire("1+1")],
        [fire(gamma, priors="sr2") for gamma in (0, 0.5, 1)],
        [fire(gamma, priors="a+b+c") for gamma in ("1+0+0", "0+1+0", 0.5, 1)],
        square(dataset_name="e"),
        square(objective_name="Other"),
    ],
)
def test_a_run_without_a_grid_of_two_weights_has_an_empty_map(ends):
    shown, metadata = plot_and_metadata("gamma_map", table(*ends))
    (said,) = shown
    assert said["label"].startswith("No map here") and metadata["title"].startswith(
        "d:"
    )


def test_drawing_leaves_no_figure_and_no_other_backend():
    before = matplotlib.get_backend(), plt.get_fignums()
    shown, _ = plot_and_metadata("gamma_map", table(*square()))
    assert len(shown) == 1
    assert (matplotlib.get_backend(), plt.get_fignums()) == before


# -- iterates -------------------------------------------------------------------------


def png(picture):
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    return buffer.getvalue()


def random_picture(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


TRUTH = random_picture(32, 32, 3)


def pictures(kept, truths=(TRUTH,), measurements=None):
    """The pictures of a run: ``kept`` is {iteration: list of pictures}."""
    return {
        "names": [f"picture {i}" for i in range(1, len(truths) + 1)],
        "truth": [png(truth) for truth in truths],
        "measurement": [png(y) for y in measurements or truths],
        "reconstruction": [png(truth) for truth in truths],
        "snapshots": {k: [png(x) for x in iterates] for k, iterates in kept.items()},
    }


def strips(*runs, picture=1, **options):
    """{solver: [(label, image), ...]} of solvers (name, pictures), and the metadata."""
    df = table(*({"solver": name, "final_results": kept} for name, kept in runs))
    return strips_of(df, picture=picture, **options)


def strips_of(df, **options):
    shown, metadata = plot_and_metadata("snapshots", df, **options)
    if shown[0]["label"].startswith("No iterates here"):
        return {}, metadata
    width = metadata["ncols"]
    rows = [shown[i : i + width] for i in range(0, len(shown), width)]
    found = {row[0]["label"].split("\n")[0]: row for row in rows}
    assert sum(map(len, found.values())) == len(shown)
    return {
        solver: [(cell["label"].split("\n")[-1], cell["image"]) for cell in row]
        for solver, row in found.items()
    }, metadata


def test_a_row_has_the_truth_then_the_iterates_with_their_psnr():
    iterates = {16: [TRUTH // 2], 3: [255 - TRUTH]}
    rows, metadata = strips(("A[prior=sr2]", pictures(iterates)))

    def psnr(picture):
        return -10 * np.log10(np.mean(((picture - TRUTH.astype(float)) / 255) ** 2))

    row = rows["A prior=sr2"]
    assert [label for label, _ in row] == [
        "Truth, k = 0",
        f"k = 3: {psnr(255 - TRUTH):.2f} dB",
        f"k = 16: {psnr(TRUTH // 2):.2f} dB",
    ]
    for (_, image), picture in zip(row, (TRUTH, 255 - TRUTH, TRUTH // 2), strict=True):
        assert image.shape == (32, 32, 3)
        assert image.min() >= 0 and image.max() <= 1
        assert np.abs(image * 255 - picture).max() <= 2
    assert metadata == {"title": "d: picture 1", "ncols": 3}


def test_solvers_share_the_columns_and_what_one_did_not_keep_is_an_empty_cell():
    rows, _ = strips(
        ("A", pictures({1: [TRUTH], 3: [TRUTH]})), ("B", pictures({3: [255 - TRUTH]}))
    )
    a, b = ([label.split(":")[0] for label, _ in rows[solver]] for solver in "AB")
    assert a == ["Truth, k = 0", "k = 1", "k = 3"]
    assert b == ["Truth, k = 0", "", "k = 3"]
    assert rows["B"][1][1] is None


def test_the_truth_is_iteration_0_only_where_it_is_what_was_measured():
    noisy = pictures({1: [TRUTH]}, measurements=[255 - TRUTH])
    rows, _ = strips(("A", noisy))
    assert rows["A"][0][0] == "Truth"


def test_a_large_picture_is_shown_by_its_centre_and_scored_whole():
    truth = random_picture(200, 300)
    iterate = truth.copy()
    iterate[:, :20] = 255 - truth[:, :20]
    rows, _ = strips(("A", pictures({1: [iterate]}, truths=[truth])))
    label, image = rows["A"][1]
    assert image.shape == (192, 192, 3)
    assert np.abs(image[..., 0] * 255 - truth[4:196, 54:246]).max() <= 2
    mse = np.mean(((iterate - truth.astype(float)) / 255) ** 2)
    assert label == f"k = 1: {-10 * np.log10(mse):.2f} dB"


def test_each_picture_that_was_kept_can_be_chosen():
    other = random_picture(32, 32, 3, seed=1)
    two = ("A", pictures({1: [255 - TRUTH, 255 - other]}, truths=[TRUTH, other]))
    one = ("B", pictures({1: [TRUTH]}))
    rows, metadata = strips(two, one, picture=2)
    assert metadata["title"] == "d: picture 2" and rows.keys() == {"A"}
    assert np.abs(rows["A"][0][1] * 255 - other).max() <= 2
    assert np.abs(rows["A"][1][1] * 255 - (255 - other.astype(int))).max() <= 2
    df = table(*({"solver": name, "final_results": kept} for name, kept in (two, one)))
    assert PLOTS["snapshots"].options["picture"](df) == [1, 2]


def test_solvers_are_in_the_order_of_the_run_whatever_their_iterations():
    kept = {"final_results": pictures({1: [TRUTH]})}
    df = table({"solver": "B", "stop_val": 5} | kept, {"solver": "A"} | kept)
    assert df["solver_name"].drop_duplicates().tolist() == ["A", "B"]
    assert list(strips_of(df, picture=1)[0]) == ["A", "B"]


def test_pictures_are_those_of_the_first_repetition():
    df = table(
        {"solver": "A", "idx_rep": 1, "final_results": pictures({1: [255 - TRUTH]})},
        {"solver": "A", "idx_rep": 0, "final_results": pictures({1: [TRUTH]})},
    )
    rows, _ = strips_of(df, picture=1)
    assert rows["A"][1][0] == "k = 1: inf dB"


def test_a_solver_that_diverged_is_named_in_the_title():
    kept = pictures({1: [TRUTH]})
    df = table(
        {"solver": "A", "psnr": NAN, "final_results": kept},
        {"solver": "B", "final_results": kept},
    )
    rows, metadata = strips_of(df, picture=1)
    assert rows.keys() == {"A", "B"}
    assert metadata["title"].endswith("(diverged: A)")


def test_solvers_that_kept_nothing_are_not_shown():
    nothing, before_snapshots = pictures({}), pictures({})
    del before_snapshots["snapshots"]
    without = [("A", nothing), ("B", before_snapshots), ("C", None)]
    rows, _ = strips(*without, ("D", pictures({1: [TRUTH]})))
    assert rows.keys() == {"D"}

    for kept in ([], without, without[2:]):
        df = table(
            {"solver": "TV"}, *({"solver": s, "final_results": k} for s, k in kept)
        )
        assert strips_of(df, picture=1) == ({}, {"title": "d", "ncols": 2})
        assert PLOTS["snapshots"].options["picture"](df) == [1]


@pytest.mark.parametrize("elsewhere", [{"dataset": "e"}, {"objective": "Other"}])
def test_iterates_of_another_dataset_or_objective_are_not_shown(elsewhere):
    rows, metadata = strips(("A", pictures({1: [TRUTH]})), **elsewhere)
    assert rows == {} and metadata["ncols"] == 2


# -- anomalies ------------------------------------------------------------------------


def scored(solver, psnr, truth=-20.0, **columns):
    """The end of a run with anomalies: sr2=-30.0, say."""
    scores = {f"objective_anomaly_{task}": score for task, score in columns.items()}
    truths = {f"{name}_truth": truth for name in scores}
    return {"solver": solver, "psnr": psnr, **scores, **truths}


def anomalies(df, **options):
    """{solver: {column: cell}} and the metadata."""
    rows, metadata = plot_and_metadata("anomaly", df, **options)
    columns = metadata["columns"]
    assert metadata["default_order_column"] in columns
    return {row[0]: dict(zip(columns, row, strict=True)) for row in rows}, metadata


def test_a_row_per_solver_and_one_for_the_truth_with_the_lowest_in_bold():
    rows, _ = anomalies(
        table(
            scored("A[prior=sr2]", 30.0, denoiser=-31.0, sr2=-28.0),
            scored("B", 29.0, denoiser=-30.0, sr2=-32.5),
        )
    )
    a = {"solver": "A prior=sr2", "PSNR": 30, "denoiser": "**-31.0**", "sr2": -28}
    b = {"solver": "B", "PSNR": 29, "denoiser": -30, "sr2": "**-32.5**"}
    truth = {"solver": "truth", "PSNR": "", "denoiser": -20, "sr2": -20}
    assert rows == {"A prior=sr2": a, "B": b, "truth": truth}


def test_the_truth_may_be_the_lowest():
    rows, _ = anomalies(table(scored("A", 30.0, truth=-40.0, sr2=-28.0)))
    assert (rows["A"]["sr2"], rows["truth"]["sr2"]) == (-28, "**-40.0**")


def test_a_solver_that_diverged_says_so_and_takes_nothing_from_the_truth():
    rows, _ = anomalies(
        table(scored("A", NAN, truth=NAN, sr2=NAN), scored("B", 30.0, sr2=-10.0))
    )
    assert rows["A"]["PSNR"] == rows["A"]["sr2"] == "diverged"
    assert (rows["B"]["sr2"], rows["truth"]["sr2"]) == (-10, "**-20.0**")


def test_the_psnr_of_an_exact_result_says_so():
    rows, _ = anomalies(table(scored("A", np.inf, sr2=-30.0)))
    assert rows["A"] == {"solver": "A", "PSNR": "exact", "sr2": "**-30.0**"}


def test_anomalies_are_averaged_over_repetitions_which_count_equally():
    rows, _ = anomalies(
        table(
            scored("A", 30.0, sr2=-10.0) | {"idx_rep": 0},
            scored("A", 20.0, truth=-40.0, sr2=-20.0) | {"idx_rep": 1},
            scored("B", 20.0, sr2=-10.0) | {"idx_rep": 0},
            scored("B", NAN, truth=NAN, sr2=NAN) | {"idx_rep": 1},
        )
    )
    assert (rows["A"]["PSNR"], rows["A"]["sr2"]) == (25, -15)
    assert rows["truth"]["sr2"] == "**-30.0**"
    assert rows["B"]["sr2"] == "diverged"


def test_without_anomalies_the_table_is_empty_and_says_how_to_have_some():
    elsewhere = [
        scored("A", 30.0, sr2=-30.0) | {"dataset_name": "e"},
        scored("A", 30.0, jpeg=-30.0) | {"objective_name": "Other"},
    ]
    for df in (
        table({"solver": "TV"}),
        table({"solver": "TV"}, *elsewhere),
        table(*elsewhere),
    ):
        rows, metadata = anomalies(df)
        assert rows == {}
        assert "No scores here: run with the objective's anomaly" in metadata["title"]
    assert list(anomalies(df, dataset="e")[0]["A"]) == ["solver", "PSNR", "sr2"]


# -- a real run -----------------------------------------------------------------------


def test_the_three_plots_show_what_a_real_run_writes(run):
    df = run(
        [
            "FiRe-HQS[priors='denoiser+sr2',gamma=['0+0','0+1','1+0','1+1'],n_iter=1]",
            "Fixed points[prior=denoiser,n_iter=3]",
        ],
        ["simulated[problem=denoising,noise_level=0]"],
        ["Inverse problems[anomaly=denoiser]"],
    )
    kinds = ("gamma_map", "snapshots", "anomaly")
    plots = {kind: PLOTS[kind]._get_all_plots(df)[0] for kind in kinds}
    shown = {
        kind: [item for plot in page.values() for item in plot["data"]]
        for kind, page in update_plot_data_style(plots).items()
    }
    (gamma_map,) = shown["gamma_map"]
    assert gamma_map["label"].startswith("FiRe-HQS n_iter=1 priors=denoiser+sr2: best")
    labels = [picture["label"].split("\n")[-1] for picture in shown["snapshots"]]
    first, *iterates = labels[:3]
    assert first == "Truth, k = 0"
    assert [label.split(":")[0] for label in iterates] == ["k = 1", "k = 3"]
    for picture in (gamma_map, *shown["snapshots"]):
        assert picture["image"].startswith("data:image/png")
    assert len(shown["anomaly"]) == 6
    assert shown["anomaly"][-1][0] == "truth"
    assert sum("**" in str(row[2]) for row in shown["anomaly"]) == 1
