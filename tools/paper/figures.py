"""The figures of a paper: which pictures to show, curves, and their files."""

import math

import matplotlib.pyplot as plt
import numpy as np

from benchmark_utils.scoring import (
    DIGITS,
    OF_IMAGES,
    SCORE_NAMES,
    decode,
    file_name,
    final_results,
    final_scores,
    last_rows,
    mean_or_nan,
    per_image_scores,
    picture_psnr,
    with_final_results,
    without_common_options,
)
from benchmark_utils.scoring.figures import (
    STYLE,
    against_time,
    finite,
    paper_styles,
    pictures,
)
from plots.pareto import pareto_front
from plots.reconstructions import find_detail

KEPT = ("truth", "measurement", "reconstruction")
# The first bytes of a picture without loss.
PNG = b"\x89PNG"


def write_figures(df, score, order, found, detail, folder):
    """``found`` is {dataset: the image to show}."""
    shown = dict(zip(order, without_common_options(order)))
    style = paper_styles(shown.values())
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
