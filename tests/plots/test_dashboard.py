"""The dashboard: what each plot shows, and that its page draws without a network."""

import html
import io
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from benchopt.plotting.generate_html import plot_benchmark_html
from benchopt.plotting.generate_matplotlib import get_figures
from benchopt.results import read_results
from benchopt.runner import run_benchmark
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


def ranking(df):
    """{solver: {column: cell}}, without the spaces that align numbers."""
    plot = PLOTS["ranking"]
    columns = plot.get_metadata(df, objective="Restore")["columns"]
    rows = plot.plot(df, objective="Restore")
    return {
        row[0]: dict(
            zip(columns, (cell.replace("\u00a0", "") for cell in row), strict=True)
        )
        for row in rows
    }


def title(df):
    return PLOTS["ranking"].get_metadata(df, objective="Restore")["title"]


def test_the_best_of_each_column_is_in_bold_and_no_other():
    df = table(
        ("photos[problem=sr4]", "A", 20.0, 1),
        ("photos[problem=sr4]", "B", 30.0, 1),
        ("photos[problem=denoising]", "A", 28.0, 1),
        ("photos[problem=denoising]", "B", 27.0, 1),
    )
    a, b = ranking(df).values()
    assert (a["sr4"], a["denoising"], a["mean"]) == (
        "20.00 dB",
        "**28.00** dB",
        "24.00 dB",
    )
    assert (b["sr4"], b["denoising"], b["mean"]) == (
        "**30.00** dB",
        "27.00 dB",
        "**28.50** dB",
    )
    assert a["rank"] == b["rank"] == "1.5 of 2"


BASE = np.array([20.0, 24.0, 28.0, 31.0, 35.0])
JITTER = np.array([0.1, -0.1, 0.1, -0.1, 0.05])


def test_all_that_cannot_be_told_from_the_best_is_in_bold_with_the_interval():
    df = with_images(("Best", BASE), ("Near", BASE - 0.02 + JITTER), ("Far", BASE - 1))
    rows = ranking(df)
    assert rows["Best"]["d"] == "**27.60** dB"
    number, interval = rows["Near"]["d"].split(" ±")
    assert number == "**27.59**"
    # Student's, of the five differences; images differ by far more.
    assert float(interval) == pytest.approx(0.12, abs=0.03)
    assert rows["Far"]["d"].startswith("26.60")
    assert rows["Near"]["mean"] == rows["Near"]["d"]
    assert "5 images and 1 repetition" in title(df) and "95% interval" in title(df)


def test_of_one_image_nothing_can_be_told():
    rows = ranking(with_images(("A", [30.0]), ("B", [20.0])))
    assert (rows["A"]["d"], rows["B"]["d"]) == ("**30.00** dB", "**20.00** dB")


def test_how_many_images_and_repetitions_there_are_is_said():
    runs = [(name, BASE + i, i) for name in "AB" for i in range(3)]
    four = with_images(("A", BASE[:4]), ("B", BASE[:4]), dataset="e")
    both = pd.concat([with_images(*runs), four])
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
    places = [rows[s]["rank"] for s in ("Good", "Poor", "Diverges")]
    assert places == sorted(places) == ["1.0 of 3", "2.0 of 3", "not ranked"]
    assert rows["Diverges"]["d"] == rows["Diverges"]["mean"] == "diverged"


def test_a_perfect_solver_ranks_first_and_is_called_exact():
    df = table(
        ("d", "Good", 30.0, 1), ("d", "Exact", INF, 1), ("d", "Diverges", -INF, 1)
    )
    rows = ranking(df)
    places = [rows[s]["rank"] for s in ("Exact", "Good", "Diverges")]
    assert places == ["1.0 of 3", "2.0 of 3", "not ranked"]
    assert rows["Exact"]["d"] == rows["Exact"]["mean"] == "**exact**"
    assert rows["Good"]["d"] == "30.00 dB"
    assert rows["Diverges"]["d"] == "diverged"


def test_repetitions_are_averaged_before_ranking():
    df = table(("d", "A", 31.0, 1, 0), ("d", "A", 21.0, 1, 1), ("d", "B", 27.0, 1))
    rows = ranking(df)
    assert (rows["A"]["d"], rows["B"]["d"]) == ("26.00 dB", "**27.00** dB")
    assert (rows["A"]["rank"], rows["B"]["rank"]) == ("2.0 of 2", "1.0 of 2")


def test_a_solver_that_missed_a_dataset_says_so_and_comes_last_without_a_mean():
    df = table(
        ("easy", "Partial", 40.0, 1), ("easy", "Full", 39.0, 1), ("hard", "Full", 20, 1)
    )
    rows = ranking(df)
    assert (rows["Partial"]["runs"], rows["Full"]["runs"]) == ("1/2", "2/2")
    assert rows["Partial"]["hard"] == "not run"
    assert (rows["Partial"]["mean"], rows["Partial"]["rank"]) == (
        "incomplete",
        "not ranked",
    )
    assert (rows["Full"]["mean"], rows["Full"]["rank"]) == ("**29.50** dB", "1.5 of 2")


# -- the best on each image -----------------------------------------------------------


def test_the_best_and_the_second_of_each_image_are_named():
    df = with_images(
        ("A", [30.0, 20.0]), ("B", [29.5, 21.0]), ("C", [10.0, 25.5]), ("D", [NAN, 9.0])
    )
    options = {"dataset": "d", "objective": "Restore", "score": "psnr"}
    assert PLOTS["per_image"].plot(df, **options) == [
        ["image0", "A", "30.00 dB", "B", "29.50 dB"],
        ["image1", "C", "25.50 dB", "B", "21.00 dB"],
    ]
    metadata = PLOTS["per_image"].get_metadata(df, **options)
    assert metadata["columns"] == ["image", "best", "psnr", "second", "its psnr"]
    assert "2 images: A 1, C 1" in metadata["title"]


def test_what_is_exact_or_diverged_on_an_image_is_said():
    df = with_images(("A", [INF]), ("B", [NAN]))
    options = {"dataset": "d", "objective": "Restore", "score": "psnr"}
    row = ["image0", "A", "exact", "B", "diverged"]
    assert PLOTS["per_image"].plot(df, **options) == [row]


def test_without_scores_of_images_the_view_says_so():
    df = table(("d", "A", 30.0, 1))
    plots, options = PLOTS["per_image"]._get_all_plots(df)
    assert options["score"] == ["psnr"]
    ((view,)) = plots.values()
    assert view["data"] == [] and "No scores of images" in view["title"]


# -- curves ---------------------------------------------------------------------------


def curves(df, column="objective_psnr", axis="Time"):
    """{solver: (x, y)}"""
    options = {"dataset": "d", "objective": "Restore"}
    drawn = PLOTS["curves"].plot(df, **options, objective_column=column, X_axis=axis)
    return {curve["label"]: (curve["x"], curve["y"]) for curve in drawn}


def test_scores_of_the_last_iterate_alone_are_not_offered_as_curves():
    df = table(("d", "A", 30.0, 1)).assign(objective_ssim=[0.9, NAN])
    df = df.assign(objective_anomaly_sr2=[-40.0, NAN], objective_psnr_kernel=[NAN, NAN])
    _, options = PLOTS["curves"]._get_all_plots(df)
    assert sorted(options["objective_column"]) == [
        "objective_diverged",
        "objective_psnr",
    ]


@pytest.mark.parametrize("axis, last", [("Time", 1), ("Iteration", 10)])
def test_a_score_is_drawn_where_it_was_measured(axis, last):
    df = table(("d", "A", 30.0, 1), ("d", "Diverges", NAN, 1))
    df["objective_ssim"] = np.where(df["stop_val"] == 10, 0.9, NAN)
    assert curves(df, "objective_ssim", axis)["A"] == ([last], [0.9])
    x, y = curves(df, axis=axis)["Diverges"]
    assert (len(x), y) == (1, [99.0])


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


def reconstructions(truth, measurement, ours, psnr=30.0):
    df = table(("d", "A", psnr, 1))
    pictures = {"names": ["cat"], "truth": [png(truth)]}
    pictures |= {"measurement": [png(measurement)], "reconstruction": [png(ours)]}
    df.at[0, "final_results"] = pictures
    options = {"dataset": "d", "objective": "Restore", "picture": 1}
    assert PLOTS["reconstructions"].get_metadata(df, **options)["title"] == "d: cat"
    return PLOTS["reconstructions"].plot(df, **options)


def test_pictures_are_colour_arrays_in_0_1_with_the_psnr_of_what_is_shown():
    truth = random_picture(64, 64, 3)
    ours = (truth // 2).astype(np.uint8)
    shown = reconstructions(truth, truth, ours)
    mse = np.mean(((truth - ours.astype(float)) / 255) ** 2)
    labels = ["Truth", "Measurement", f"A: {-10 * np.log10(mse):.2f} dB"]
    assert [picture["label"] for picture in shown] == labels
    for picture, pixels in zip(shown, (truth, truth, ours), strict=True):
        image = picture["image"]
        assert image.shape == (64, 64, 3)
        assert image.min() >= 0 and image.max() <= 1
        # All but the inset (3/8 of each side) and the frame of the detail.
        same = np.abs(image * 255 - pixels).max(-1) <= 2
        assert same.mean() > 1 - (3 / 8) ** 2 - 0.01


def test_phases_are_shown_apart_beside_k_space():
    truth, phase, k_space = (random_picture(64, 64, 3) // n for n in (1, 2, 3))
    df = table(("d", "A", 30.0, 1), ("d", "B", 30.0, 1))
    for i in (0, 2):
        keys = "truth", "measurement", "reconstruction"
        kept = {key: [png(truth)] for key in keys}
        phases = {**kept, "truth": [png(phase)], "measurement": [png(k_space)]}
        df.at[i, "final_results"] = {"names": ["head"], **kept, "phase": phases}
    plot = PLOTS["reconstructions"]
    assert plot.options["part"](df) == ["image", "phase"]
    options = {"dataset": "d", "objective": "Restore", "picture": 1}
    assert len(plot.plot(df, **options, part="image")) == 4
    shown = plot.plot(df, **options, part="phase")
    assert [p["label"] for p in shown] == ["Truth", "k-space", "B", "A"]
    for picture, pixels in zip(shown, (phase, k_space, truth, truth), strict=True):
        same = np.abs(picture["image"] * 255 - pixels).max(-1) <= 2
        assert same.mean() > 0.8


def test_the_same_detail_is_enlarged_three_times_in_each_picture():
    truth = np.full((64, 64), 100, np.uint8)
    truth[8:16, 40:48] = random_picture(8, 8)
    ours = 255 - truth
    for picture, pixels in zip(
        reconstructions(truth, truth, ours), (truth, truth, ours), strict=True
    ):
        inset = picture["image"][-24:, :24, 0] * 255
        enlarged = pixels[8:16, 40:48].repeat(3, 0).repeat(3, 1).astype(float)
        assert np.abs(inset - enlarged)[1:-1, 1:-1].max() <= 2


def test_a_small_measurement_is_shown_enlarged_with_its_own_size():
    truth = random_picture(64, 64, 3)
    measurement = truth[::4, ::4]
    shown = reconstructions(truth, measurement, 255 - truth)[1]
    assert shown["label"] == "Measurement (16x16 pixels)"
    enlarged = measurement.repeat(4, 0).repeat(4, 1).astype(float)
    assert np.mean(np.abs(shown["image"] * 255 - enlarged).max(-1) <= 2) > 0.8


def test_a_large_picture_is_shown_by_its_centre():
    truth = random_picture(300, 400, 3)
    image = reconstructions(truth, truth, 255 - truth)[0]["image"]
    assert image.shape == (256, 256, 3)
    centre = truth[22:278, 72:328].astype(float)
    assert np.mean(np.abs(image * 255 - centre).max(-1) <= 2) > 0.8


def test_a_picture_that_diverged_says_so():
    truth = random_picture(64, 64, 3)
    shown = reconstructions(truth, truth, truth, psnr=NAN)
    assert shown[-1]["label"] == "A: diverged"


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
    assert len(figures) == len(list(tmp_path.glob("*.pdf"))) == 4
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
    names = ("chromium", "chromium-browser", "google-chrome")
    browser = next(filter(None, map(shutil.which, names)), None)
    if browser is None:
        pytest.skip(f"no browser: none of {', '.join(names)} is on the PATH")
    probed = folder / "probed.html"
    content = page.read_text(encoding="utf-8").replace("<head>", f"<head>{PROBE}", 1)
    probed.write_text(content, encoding="utf-8")
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu"]
    command += ["--host-resolver-rules=MAP * ~NOTFOUND", "--no-first-run"]
    command += ["--disable-background-networking", f"--user-data-dir={folder}/profile"]
    command += ["--virtual-time-budget=20000", "--window-size=1400,1000", "--dump-dom"]
    done = subprocess.run(
        [*command, probed.as_uri()], capture_output=True, text=True, timeout=300
    )
    title = re.search(r"<title>(.*?)</title>", done.stdout, re.DOTALL)[1]
    return json.loads(html.unescape(title))


def test_tables_plots_and_pictures_draw_with_the_network_off(page, tmp_path):
    alone = tmp_path / "alone.html"
    main([str(page), "--output", str(alone)])
    seen = open_offline(alone, tmp_path)
    assert seen.pop("errors") == seen.pop("requests") == []

    cells = seen["ranking"].pop("cells")
    assert cells[0].startswith("TV") and "2/2" in cells
    assert seen["ranking"]["bold"] >= 3
    assert re.fullmatch(r"\d\d\.\d\d (dB|±\d\.\d\d)", cells[2])
    assert "Pseudo-inverse" in seen["table"]["cells"]
    # Truth, measurement and two solvers, of 32x32 pixels.
    assert seen["reconstructions"]["pictures"] == [32, 32, 32, 32]
    for kind, curves in {"curves": 2, "boxplot": 2, "pareto": 3}.items():
        assert seen[kind]["curves"] == curves
        assert "Inverse problems" in seen[kind]["title"]
