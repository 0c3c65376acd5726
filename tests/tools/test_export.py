"""tools/export.py makes the tables and figures of a paper, or says why it cannot."""

import re
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from benchopt.results import save_results

from benchmark_utils.scoring import (
    KEYS,
    column_labels,
    compared_to_best,
    decode,
    draws,
    file_name,
    final_scores,
    per_image_scores,
    table_of,
    with_final_results,
)
from benchmark_utils.scoring import figures as drawing
from benchmark_utils.scoring.tables import latex as escaped
from tools import export
from tools.export import main
from tools.paper.figures import scale_of

SOLVERS = ["TV[n_iter=5]", "Pseudo-inverse"]


@pytest.fixture(scope="module")
def rows(run):
    datasets = ["simulated[problem=[inpainting,sr4],n_images=6]"]
    return run(SOLVERS, datasets, n_repetitions=2)


@pytest.fixture(scope="module")
def results(rows, tmp_path_factory):
    return save_results(rows, tmp_path_factory.mktemp("export") / "results.parquet")


@pytest.fixture
def drawn(monkeypatch):
    """The figures that are made, by the names of their files."""
    found = {}

    def keep(figure, path):
        found[path.name] = figure

    monkeypatch.setattr(plt.Figure, "savefig", keep)
    monkeypatch.setattr(plt, "close", lambda figure: None)
    yield found
    monkeypatch.undo()
    plt.close("all")


def refused(capsys, *arguments):
    with pytest.raises(SystemExit) as exit_:
        main([str(argument) for argument in arguments])
    assert exit_.value.code == 2
    return " ".join(capsys.readouterr().err.split("error: ")[1].split())


# What is written


def test_all_is_written_under_names_that_latex_takes(results, tmp_path, capsys):
    main([str(results), str(tmp_path / "paper")])
    written = sorted(path.name for path in (tmp_path / "paper").iterdir())
    problems = ["inpainting", "sr4"]
    start = "simulated_n_images_6"
    assert written == sorted(
        ["scores.csv", "per_image.csv", "table_psnr.tex"]
        + [f"{kind}_{start}_{p}.pdf" for kind in ("curves", "pareto") for p in problems]
        + [f"pictures_{start}_{p}_test0.pdf" for p in problems]
    )
    told = capsys.readouterr().out
    assert all(f"{name}\n" in told for name in written)


def test_the_kinds_that_are_asked_for_are_written_alone(results, tmp_path):
    main([str(results), "--csv", "--latex", str(tmp_path), "--score", "ssim"])
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"scores.csv", "per_image.csv", "table_ssim.tex"}


def test_the_csv_files_have_the_scores_of_the_results(rows, results, tmp_path):
    main([str(results), "--csv", str(tmp_path)])
    scores = pd.read_csv(tmp_path / "scores.csv")
    pd.testing.assert_series_equal(scores["psnr"], final_scores(rows)["psnr"])
    best = scores.loc[scores.groupby("dataset_name")["psnr"].idxmax()]
    assert (best["difference"] == 0).all() and best["cannot_be_told_apart"].all()
    of_images = pd.read_csv(tmp_path / "per_image.csv")
    assert len(of_images) == 2 * 2 * 2 * 6
    assert of_images["psnr"].to_numpy() == pytest.approx(per_image_scores(rows)["psnr"])


def cells_of(latex, solver):
    start = f"{escaped(solver)} & "
    (line,) = [row for row in latex.splitlines() if row.startswith(start)]
    return line.removesuffix(r" \\").split(" & ")[1:]


def test_the_table_has_the_mean_the_interval_and_the_best_in_bold(
    rows, results, tmp_path
):
    main([str(results), "--latex", str(tmp_path)])
    latex = (tmp_path / "table_psnr.tex").read_text()
    means = final_scores(rows).set_index(["solver_name", "dataset_name"])["psnr"]
    table = table_of(rows)
    of_images = draws(per_image_scores(rows)).items()
    standings = {dataset: compared_to_best(values) for dataset, values in of_images}
    assert latex.count(r"\toprule") == 1 and r" & inpainting & sr4 \\" in latex
    for solver in SOLVERS:
        for cell, dataset in zip(cells_of(latex, solver), table.columns, strict=True):
            mean, best = means[solver, dataset], means[:, dataset].max()
            assert f"{mean:.2f}" in cell
            assert mean != best or rf"\textbf{{{mean:.2f}}}" in cell
            low, high = standings[dataset].loc[solver, ["low", "high"]]
            half = (high - low) / 2
            assert not half or rf"$\pm$ {half:.2f}" in cell
    assert "mean over 6 images and 2 draws of the noise." in latex
    assert r"{\scriptsize (" not in latex


def test_a_dagger_marks_what_was_not_tuned_for_the_problem(results, tmp_path):
    # No values are tuned for "simulated": they are borrowed.
    main([str(results), "--latex", str(tmp_path)])
    latex = (tmp_path / "table_psnr.tex").read_text()
    assert all(cell.endswith(r"$^\dagger$") for cell in cells_of(latex, SOLVERS[0]))
    assert r"$^\dagger$ with values" in latex


def test_seconds_are_in_the_table_where_they_are_asked_for(results, tmp_path, capsys):
    main([str(results), "--latex", str(tmp_path), "--seconds"])
    latex = (tmp_path / "table_psnr.tex").read_text()
    assert all(re.search(r"\([\d.e-]+\\,s\)", c) for c in cells_of(latex, SOLVERS[0]))


def test_the_solvers_are_in_the_order_that_is_asked_for(results, tmp_path):
    for order in (SOLVERS, SOLVERS[::-1]):
        main([str(results), str(tmp_path), "--latex", "--solvers", *order])
        latex = (tmp_path / "table_psnr.tex").read_text()
        first, second = (latex.index(escaped(solver)) for solver in order)
        assert first < second


@pytest.mark.parametrize("asked", [["U-Net"], ["U-Net[seed=1]", "U-Net"], []])
def test_seeds_are_one_row_and_have_curves_of_their_own(asked, rows, tmp_path, drawn):
    seeds = dict(zip(SOLVERS, ["U-Net", "U-Net[seed=1]"]))
    renamed = rows.assign(solver_name=rows["solver_name"].map(seeds))
    path = save_results(renamed, tmp_path / "seeds.parquet")
    options = ["--solvers", *asked] if asked else []
    main([str(path), str(tmp_path), "--latex", "--figures", *options])
    latex = (tmp_path / "table_psnr.tex").read_text()
    assert latex.count("U-Net") == 1
    figure = next(f for name, f in drawn.items() if name.startswith("curves"))
    # What is far below the others says so in its label.
    labels = {line.get_label().split()[0] for line in figure.axes[0].lines}
    assert {"U-Net", "U-Net[seed=1]"} <= labels


def test_a_repetition_that_diverged_is_not_left_out_of_a_curve(rows, tmp_path, drawn):
    is_last = rows.groupby([*KEYS, "idx_rep"])["stop_val"].transform("max")
    lost = (rows["solver_name"] == SOLVERS[0]) & (rows["idx_rep"] == 0)
    lost &= rows["stop_val"] == is_last
    diverged = rows.assign(objective_psnr=rows["objective_psnr"].mask(lost))
    path = save_results(diverged, tmp_path / "diverged.parquet")
    main([str(path), str(tmp_path), "--figures"])
    figure = next(f for name, f in drawn.items() if name.startswith("curves"))
    curves = {line.get_label(): line for line in figure.axes[0].lines}
    n_points = rows.loc[rows["solver_name"] == SOLVERS[0], "stop_val"].nunique()
    assert len(curves[SOLVERS[0]].get_xdata()) == n_points - 1


def test_the_best_is_that_of_the_solvers_that_are_chosen(rows):
    for solver in SOLVERS:
        alone = table_of(export.selected(rows, solvers=[solver]))
        assert alone.shape == (1, 2) and all(c.is_best for c in alone.iloc[0])


@pytest.mark.parametrize("score", ["psnr", "lpips"])
def test_of_one_image_the_best_alone_is_in_bold(score, run):
    table = table_of(run(SOLVERS, ["simulated[n_images=1]"]), score)
    assert [cell.is_best for cell in table.iloc[:, 0]] == [True, False]
    assert not any(cell.has_interval for cell in table.iloc[:, 0])


def test_the_lowest_lpips_is_the_best(rows):
    table = table_of(rows, "lpips")
    for dataset in table:
        means = table[dataset].map(lambda cell: cell.mean)
        assert table.loc[means.idxmin(), dataset].is_best
    assert table.index[0] == table.map(lambda cell: cell.mean).mean(axis=1).idxmin()


# Figures


def test_pictures_are_those_of_the_results_with_the_detail_that_was_chosen(
    rows, results, tmp_path, drawn
):
    main(
        [str(results), "--figures", str(tmp_path), "--dataset", "sr4"]
        + ["--image", "test1", "--detail", "4,8,16", "--solvers", SOLVERS[0]]
    )
    figure = drawn["pictures_simulated_n_images_6_sr4_test1.pdf"]
    shown = [axis.images[0].get_array() for axis in figure.axes]
    ends = with_final_results(rows, "names").query("solver_name == @SOLVERS[0]")
    kept = ends[ends["dataset_name"].str.contains("sr4")]["final_results"].iloc[0]
    truth, y, x_hat = (
        decode(kept[kind][1]) for kind in ("truth", "measurement", "reconstruction")
    )
    expected = [truth, truth[8:24, 4:20], y, y[2:6, 1:5], x_hat, x_hat[8:24, 4:20]]
    for ours, right in zip(shown, expected, strict=True):
        np.testing.assert_array_equal(ours, right)
    titles = [axis.get_title() for axis in figure.axes if axis.get_title()]
    psnr = per_image_scores(rows).query(
        "solver_name == @SOLVERS[0] and image == 'test1' and repetition == 0"
    )
    psnr = psnr[psnr["dataset_name"].str.contains("sr4")]["psnr"].item()
    assert titles == ["Truth", "Measurement", f"{SOLVERS[0]}\n{psnr:.2f} dB"]


def test_figures_are_as_wide_as_a_column_or_a_page_with_fonts_of_type_42(
    results, tmp_path
):
    main([str(results), "--figures", str(tmp_path)])
    widths = {}
    for path in tmp_path.glob("*.pdf"):
        content = path.read_bytes()
        box = re.search(rb"/MediaBox \[ 0 0 ([\d.]+)", content)
        widths[path.name.split("_")[0]] = float(box[1]) / 72
        assert b"/CIDFontType2" in content and b"/Type3" not in content
    expected = {"curves": 3.3, "pareto": 3.3, "pictures": 7.0}
    assert widths == pytest.approx(expected, abs=0.01)


def test_curves_end_at_the_mean_psnr_and_time(rows, results, tmp_path, drawn):
    main([str(results), "--figures", str(tmp_path), "--dataset", "sr4"])
    scores = final_scores(rows)
    scores = scores[scores["dataset_name"].str.contains("sr4")]
    for kind in ("curves", "pareto"):
        axis = drawn[f"{kind}_simulated_n_images_6_sr4.pdf"].axes[0]
        ends = {
            line.get_label(): (line.get_xdata()[-1], line.get_ydata()[-1])
            for line in axis.lines
        }
        for row in scores.itertuples():
            assert ends[row.solver_name] == pytest.approx((row.time, row.psnr))
        assert axis.get_xlabel() == "Time (s)" and axis.get_ylabel() == "PSNR (dB)"


def test_what_is_far_below_does_not_squeeze_the_others():
    curves = {"A": ([1, 2], [24, 30]), "B": ([1], [8.0]), "C": ([1, 2], [-90, 29])}
    figure = drawing.against_time(curves, drawing.paper_styles(curves))
    axis = figure.axes[0]
    assert 10 < np.ptp(axis.get_ylim()) < 15
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels[0] == "A" and "8.0 dB" in labels[1] and labels[2] == "C"
    plt.close(figure)


@pytest.mark.parametrize(
    "shortest, longest", [(1e-4, 1e2), (0.01, 0.5), (0.3, 9), (0.5, 0.9), (3, 4)]
)
def test_times_are_some_round_numbers_apart_from_each_other(shortest, longest):
    curves = {"A": ([shortest], [20]), "B": ([longest], [21])}
    with plt.rc_context(drawing.STYLE):
        figure = drawing.against_time(curves, drawing.paper_styles(curves))
        figure.canvas.draw()
    axis = figure.axes[0].xaxis
    low, high = axis.get_view_interval()
    shown = [t for t in axis.get_ticklabels() if low <= t.get_position()[0] <= high]
    boxes = [label.get_window_extent() for label in shown]
    assert 3 <= len(shown) <= 10
    assert all(left.x1 < right.x0 for left, right in pairwise(boxes))
    # The letters of an exponent would have 5 points.
    assert not any("$" in label.get_text() for label in shown)
    assert not any(label.get_text() for label in axis.get_minorticklabels())
    plt.close(figure)


def test_twenty_solvers_do_not_share_a_style():
    styles = drawing.paper_styles(map(str, range(20)))
    assert len({tuple(style.values()) for style in styles.values()}) == 20


def test_long_names_are_broken_to_the_width_of_a_picture():
    title = "FiRe-HQS[priors=denoiser+jpeg+sr2,n_iter=8]\n27.05 dB"
    lines = drawing.wrapped(title, 0.9).split("\n")
    assert "".join(lines[:-1]) == title.split("\n")[0] and lines[-1] == "27.05 dB"
    assert max(map(len, lines)) <= 20


def test_no_detail_is_shown_of_a_measurement_that_is_no_image():
    truth = np.zeros((64, 64, 3))
    assert scale_of(np.zeros((16, 16, 3)), truth) == 4
    assert scale_of(np.zeros((90, 64, 3)), truth) is None
    assert scale_of(np.zeros((52, 52, 3)), truth) is None


# Names


def test_labels_leave_out_what_all_datasets_share():
    datasets = ["natural[missing=0.5,problem=a_b]", "natural[img_size=64,problem=a_b]"]
    assert column_labels(datasets) == ["missing=0.5", "img_size=64"]
    assert column_labels(["natural[problem=a_b]"]) == ["natural a b"]


def test_file_names_have_letters_digits_and_underscores():
    assert file_name("my set[missing=0.5,problem=sr4]") == "my_set_missing_0_5_sr4"


# What cannot be done


@pytest.mark.parametrize(
    "options, sentence",
    [
        (["--solvers", "TV"], "There is no TV here, but TV[n_iter=5], Pseudo-inverse."),
        (["--dataset", "x"], "No name of a dataset has x in it: simulated["),
        (
            ["--image", "lena"],
            "No pictures of lena are kept here, but of test0, test1, test2",
        ),
        (
            ["--detail", "1,2"],
            "a detail is x,y,size in pixels, as 90,60,48, and not 1,2",
        ),
        (
            ["--detail", "20,20,16"],
            "The detail 20,20,16 is not inside of test0, whose picture has 32x32",
        ),
        (["--detail=-1,0,8"], "The detail -1,0,8 is not inside of"),
        (["--score", "haarpsi"], "There is no haarpsi here, but psnr, psnr_min,"),
    ],
)
def test_what_is_not_there_is_said_in_a_sentence(
    options, sentence, results, tmp_path, capsys
):
    assert sentence in refused(capsys, results, tmp_path / "paper", *options)
    written = [*(tmp_path / "paper").glob("*")]
    assert not written


def test_files_that_are_no_results_of_a_run_are_said(tmp_path, capsys, rows):
    assert "There is no file" in refused(capsys, "none.parquet", tmp_path)
    table = export.ROOT / "results" / "natural.parquet"
    assert "not the result file of a run" in refused(capsys, table, tmp_path)
    twice = [rows, rows.assign(objective_name="Other")]
    both = save_results(pd.concat(twice), tmp_path / "both.parquet")
    assert "have several objectives" in refused(capsys, both, tmp_path)


def test_a_folder_that_cannot_be_made_is_said(results, tmp_path, capsys):
    (tmp_path / "file").touch()
    said = refused(capsys, results, tmp_path / "file", "--csv")
    assert "file cannot be a folder: File exists" in said


def test_vectors_have_tables_and_curves_and_no_pictures(run, tmp_path, capsys):
    dataset = "synthetic_dictionary[dim=16,n_atoms=16,m=12,n_signals=100,n_train=100]"
    vectors = run(["Dictionary oracle"], [dataset])
    path = save_results(vectors, tmp_path / "vectors.parquet")
    main([str(path), str(tmp_path / "paper"), "--score", "recovery"])
    kinds = {p.name.split("_")[0] for p in (tmp_path / "paper").iterdir()}
    assert kinds == {"scores.csv", "table", "curves", "pareto"}
    said = refused(capsys, path, tmp_path / "paper", "--image", "a", "--figures")
    assert said == "No pictures are kept here: these signals are no images."


def test_two_versions_of_a_solver_are_two_rows_with_their_curves(rows):
    def with_code(kept):
        return kept | {"code": "b" * 12} if isinstance(kept, dict) else None

    other = rows[rows["solver_name"] == SOLVERS[0]]
    kept = other["final_results"].map(with_code)
    other = other.assign(final_results=kept, run_date="later")
    merged = export.selected(pd.concat([rows, other], ignore_index=True))
    name = f"{SOLVERS[0]} (code bbbbbb)"
    names = set(table_of(merged).index)
    assert {SOLVERS[1], name} < names and len(names) == 3
    assert set(merged["solver_name"]) == names
    one = export.selected(merged, solvers=[name])
    assert table_of(one).shape == (1, 2) and len(one) == len(other)


def test_pictures_that_are_previews_are_said(run, tmp_path, capsys, drawn):
    rows = run(["Pseudo-inverse"], ["simulated[n_images=3]"])
    path = save_results(rows, tmp_path / "three.parquet")
    for image, lossy in (("test1", False), ("test2", True)):
        main([str(path), str(tmp_path), "--figures", "--image", image])
        said = f"The pictures of {image} are previews" in capsys.readouterr().out
        assert said == lossy


def test_a_score_that_images_lack_leaves_their_psnr_below_the_pictures(
    results, tmp_path, drawn
):
    main([str(results), "--figures", str(tmp_path), "--score", "psnr_min"])
    figure = drawn["pictures_simulated_n_images_6_sr4_test0.pdf"]
    assert figure.axes[-2].get_title().endswith(" dB")


def test_solvers_whose_pictures_of_an_image_are_not_kept_are_left_out(
    rows, tmp_path, drawn
):
    def first_alone(kept):
        if not isinstance(kept, dict):
            return None
        lists = ("names", "truth", "measurement", "reconstruction", "psnr")
        return kept | {name: kept[name][:1] for name in lists}

    less = rows["solver_name"] == SOLVERS[0]
    kept = rows["final_results"].where(~less, rows["final_results"].map(first_alone))
    path = save_results(rows.assign(final_results=kept), tmp_path / "less.parquet")
    for image, expected in (("test0", 4), ("test1", 3)):
        main([str(path), str(tmp_path), "--figures", "--image", image])
        figure = drawn[f"pictures_simulated_n_images_6_sr4_{image}.pdf"]
        assert sum(bool(axis.get_title()) for axis in figure.axes) == expected
