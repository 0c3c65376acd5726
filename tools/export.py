"""Tables and figures for a paper, from a result file of benchopt.

    python tools/export.py outputs/quick.parquet paper
    python tools/export.py outputs/quick.parquet paper --latex --score ssim --seconds
    python tools/export.py outputs/quick.parquet paper --figures --dataset sr4 \
        --solvers TV PnP-HQS --image chelsea --detail 90,60,48

writes to the folder paper/, all of it where no kind is asked for:

--csv      scores.csv, a row per dataset and solver, and per_image.csv, one per image.
--latex    table_psnr.tex: the mean and its interval; in bold, what cannot be told from
           the best; a dagger behind values that were not tuned for what ran.
--figures  pictures_*.pdf, with a detail; curves_*.pdf, PSNR against time;
           pareto_*.pdf, the ends of the curves. They fit a paper of two columns.

Files that are there already are replaced. docs/paper.md goes from a run to a paper.
"""

import argparse
import math
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from benchopt.results import read_results

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmark_utils.scoring import (  # noqa: E402
    DIGITS,
    OF_IMAGES,
    SCORE_NAMES,
    captioned,
    check_one_objective,
    comparable_times,
    decode,
    file_name,
    final_results,
    final_scores,
    last_rows,
    mean_or_nan,
    of_datasets,
    per_image_scores,
    picture_psnr,
    scores_with_intervals,
    table_of,
    versions_apart,
    with_final_results,
    without_common_options,
    without_seed,
)
from benchmark_utils.scoring.figures import (  # noqa: E402
    STYLE,
    against_time,
    finite,
    pictures,
    styles,
)
from plots.pareto import pareto_front  # noqa: E402
from plots.reconstructions import find_detail  # noqa: E402

KINDS = ("csv", "latex", "figures")
KEPT = ("truth", "measurement", "reconstruction")
# The first bytes of a picture without loss.
PNG = b"\x89PNG"


def selected(df, datasets="", solvers=None):
    """The rows of the datasets and solvers that are asked for.

    Raises
    ------
    ValueError
        They are not there, and the sentence says what is; or these are no results of
        one objective.
    """
    check_one_objective(df)
    df = of_datasets(df, datasets)
    df = versions_apart(df)
    known = list(df["solver_name"].unique())
    if solvers is None:
        return df
    together = df["solver_name"].map(without_seed)
    for solver in solvers:
        if solver not in {*known, *together}:
            raise ValueError(f"There is no {solver} here, but {', '.join(known)}.")
    return df[df["solver_name"].isin(solvers) | together.isin(solvers)]


# Tables


def write_csv(df, score, folder):
    scores_with_intervals(df, score).to_csv(folder / "scores.csv", index=False)
    yield folder / "scores.csv"
    of_images = per_image_scores(df)
    if not of_images.empty:
        of_images.to_csv(folder / "per_image.csv", index=False)
        yield folder / "per_image.csv"


def write_latex(df, source, score, table, folder):
    path = folder / f"{file_name('table', score)}.tex"
    path.write_text(
        f"% Made of {source.name} by tools/export.py. In the paper, with\n"
        rf"% \usepackage{{booktabs}}: \input{{{folder.resolve().name}/{path.stem}}}"
        f"\n{captioned(df, table, score)}\n"
    )
    yield path


# Figures


def write_figures(df, score, order, found, detail, folder):
    """``found`` is {dataset: the image to show}."""
    shown = dict(zip(order, without_common_options(order)))
    style = styles(shown.values())
    with plt.rc_context(STYLE):
        for dataset, rows in df.groupby("dataset_name", sort=False):
            name = file_name(dataset)
            figures = {
                f"curves_{name}": curves(rows, shown, style),
                f"pareto_{name}": pareto(rows, shown, style),
            }
            if dataset in found:
                figures[f"pictures_{name}_{file_name(found[dataset])}"] = (
                    reconstructions(rows, score, shown, found[dataset], detail)
                )
            for name, figure in figures.items():
                if figure is not None:
                    figure.savefig(folder / f"{name}.pdf")
                    plt.close(figure)
                    yield folder / f"{name}.pdf"


def images_to_show(df, image=None, detail=None):
    """{dataset: an image whose pictures are kept}; the first one, or that of this name.

    Raises
    ------
    ValueError
        No dataset has it, and the sentence says which ones there are; or the detail is
        not inside of it.
    """
    rows = with_final_results(last_rows(df), "names")
    truths = {}
    for dataset, kept in zip(rows["dataset_name"], rows["final_results"]):
        # Solvers may differ in how many images have their pictures kept.
        of_solver = dict(zip(kept["names"], kept["truth"]))
        truths[dataset] = of_solver | truths.get(dataset, {})
    known = dict.fromkeys(name for of_dataset in truths.values() for name in of_dataset)
    if image is not None and image not in known:
        if not known:
            raise ValueError("No pictures are kept here: these signals are no images.")
        raise ValueError(
            f"No pictures of {image} are kept here, but of {', '.join(known)}."
        )
    found = {
        dataset: image or next(iter(of_dataset))
        for dataset, of_dataset in truths.items()
        if image is None or image in of_dataset
    }
    for dataset, name in found.items() if detail is not None else ():
        check_detail(detail, decode(truths[dataset][name]), name)
    return found


def lossy(df, found):
    """The images, of {dataset: image}, whose pictures are kept as previews."""
    for kept in with_final_results(last_rows(df), "names")["final_results"]:
        for name, picture in zip(kept["names"], kept["reconstruction"]):
            if name in found.values() and not picture.startswith(PNG):
                yield name


def reconstructions(df, score, shown, image, detail):
    """The truth, the measurement, and what each solver made of an image."""
    dataset, objective = df[["dataset_name", "objective_name"]].iloc[0]
    rows = final_results(df, dataset, objective, "names")
    kept = {
        solver: {
            kind: of_solver[kind][of_solver["names"].index(image)] for kind in KEPT
        }
        for solver, of_solver in zip(rows["solver_name"], rows["final_results"])
        if image in of_solver["names"]
    }
    first = next(iter(kept.values()))
    truth, measurement = decode(first["truth"]), decode(first["measurement"])
    if detail is None:
        rows_of, columns_of = find_detail(truth)
        detail = columns_of.start, rows_of.start, columns_of.stop - columns_of.start
    panels = [
        ("Truth", truth, 1),
        ("Measurement", measurement, scale_of(measurement, truth)),
    ]
    score = score if score in OF_IMAGES else "psnr"
    of_image = scores_of(df, score, image)
    for solver in shown:
        if solver in kept:
            picture = decode(kept[solver]["reconstruction"])
            value = of_image.get(solver, picture_psnr(picture, truth))
            panels.append((f"{shown[solver]}\n{text_of(value, score)}", picture, 1))
    return pictures(panels, detail)


def scores_of(df, score, image):
    """{solver: score} of an image, in the first repetition, whose picture is kept."""
    scores = per_image_scores(df).query("image == @image")
    return scores.drop_duplicates("solver_name").set_index("solver_name")[score]


def text_of(value, score):
    if math.isnan(value):
        return "diverged"
    return f"{value:.{DIGITS[score]}f}" + " dB" * SCORE_NAMES[score].endswith("(dB)")


def check_detail(detail, picture, image):
    (x, y, size), (height, width) = detail, picture.shape[:2]
    if min(x, y) < 0 or size < 1 or x + size > width or y + size > height:
        raise ValueError(
            f"The detail {x},{y},{size} is not inside of {image}, whose picture has "
            f"{width}x{height} pixels: x and y are those of its upper left corner."
        )


def scale_of(measurement, truth):
    """Pixels of the truth per pixel of y; None where y is no image of it."""
    (height, width), (h, w) = truth.shape[:2], measurement.shape[:2]
    return height // h if height % h == 0 and height // h * w == width else None


def curves(df, shown, style):
    """PSNR against time; the mean of the repetitions."""
    points = df.groupby(["solver_name", "stop_val"])[["time", "objective_psnr"]]
    # A repetition that diverged is not left out of the mean.
    means = points.agg(mean_or_nan)
    found = {
        shown[solver]: finite(*means.loc[solver].to_numpy().T)
        for solver in shown
        if solver in means.index
    }
    return drawn(found, style)


def pareto(df, shown, style):
    """The last point of each curve, and what no other beats in both."""
    points = final_scores(df).set_index("solver_name")[["time", "psnr"]]
    points = points[np.isfinite(points["psnr"])]
    found = {
        shown[solver]: finite([points.time[solver]], [points.psnr[solver]])
        for solver in shown
        if solver in points.index
    }
    front = pareto_front(points)
    return drawn(found, style, (front["time"], front["psnr"]))


def drawn(curves, style, front=None):
    curves = {solver: curve for solver, curve in curves.items() if len(curve[0])}
    return against_time(curves, style, front) if curves else None


# The command


def detail_of(text):
    """x,y,size as whole numbers."""
    try:
        x, y, size = map(int, text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"a detail is x,y,size in pixels, as 90,60,48, and not {text}."
        ) from None
    return x, y, size


def main(argv=None):
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("results", type=Path, help="a parquet file of benchopt")
    parser.add_argument("folder", type=Path, help="where to write; made if need be")
    parser.add_argument("--csv", action="store_true", help="write this alone")
    parser.add_argument("--latex", action="store_true", help="write this alone")
    parser.add_argument("--figures", action="store_true", help="write these alone")
    parser.add_argument("--score", default="psnr", choices=DIGITS, metavar="SCORE")
    parser.add_argument("--dataset", default="", help="a part of the dataset's name")
    parser.add_argument("--solvers", nargs="+", help="these alone, in this order")
    parser.add_argument("--seconds", action="store_true", help="in the LaTeX table")
    parser.add_argument("--image", help="of the pictures; by default, the first one")
    parser.add_argument(
        "--detail",
        type=detail_of,
        metavar="X,Y,SIZE",
        help="of the pictures, in pixels",
    )
    asked = parser.parse_args(argv)
    if not asked.results.is_file():
        parser.error(f"There is no file {asked.results}.")
    kinds = [kind for kind in KINDS if getattr(asked, kind)] or KINDS
    try:
        df = selected(read_results(asked.results), asked.dataset, asked.solvers)
        table = table_of(df, asked.score, asked.seconds)
        shown = images_to_show(df, asked.image, asked.detail)
    except ValueError as error:
        parser.error(str(error))
    asked_for = dict.fromkeys(map(without_seed, asked.solvers or table.index))
    order = [name for name in asked_for if name in table.index]
    score, folder = asked.score, asked.folder
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    if "csv" in kinds:
        written += write_csv(df, score, folder)
    if "latex" in kinds:
        written += write_latex(df, asked.results, score, table.loc[order], folder)
    if "figures" in kinds:
        # Each seed has a curve and a picture of its own.
        names = [n for n in df["solver_name"].unique() if without_seed(n) in order]
        found = sorted(names, key=lambda name: order.index(without_seed(name)))
        written += write_figures(df, score, found, shown, asked.detail, folder)
    if asked.seconds or "figures" in kinds:
        for reason in comparable_times(last_rows(df)["final_results"])[1]:
            print(f"Beware of the times: {reason}")
    if "figures" in kinds:
        for image in sorted(set(lossy(df, shown))):
            print(f"The pictures of {image} are previews, compressed with some loss.")
    for path in written:
        print(f"Written: {path}")


if __name__ == "__main__":
    main()
