"""Draw the figures of the README and of docs/ from results/.

    python tools/build_figures.py

tools/build_readme.py does it, too.
"""

import argparse
import math
import sys
from dataclasses import fields
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import pandas as pd
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmark_utils.physics import ALL_PROBLEMS, default_strength  # noqa: E402
from benchmark_utils.scoring import (  # noqa: E402
    column_labels,
    decode,
    mean_or_nan,
    over_seeds,
    without_common_options,
)
from tools.pages.pictures import psnr_of_first_image  # noqa: E402

MAX_SOLVERS = 7
# figure: the results that it shows
PICTURES = {
    "reconstructions": "natural",
    "fire": "fire_set3c",
    "mri_reconstructions": "mri",
    "ct_reconstructions": "ct",
}
# figure: (the results that it shows, its panels: the problem and what changes)
SWEEPS = {
    "ct_sweeps": (
        "ct",
        [("ct_sparse", "n_angles"), ("ct_limited", "angular_range")],
    ),
    "mismatch": (
        "mismatch",
        [
            ("gaussian_deblurring", "told_noise"),
            ("motion_deblurring", "told_noise"),
            ("multicoil_mri", "told_noise"),
            ("ct", "told_noise"),
            ("gaussian_deblurring", "told_blur"),
            ("motion_deblurring", "told_rotation"),
            ("multicoil_mri", "map_error"),
            ("ct", "centre_error"),
        ],
    ),
}
# panel: its results, of networks that learn from measurements
OPERATORS = {
    "Networks, missing pixels": "learning_operators",
    "Networks, MRI": "learning_operators_mri",
}


def read(name):
    """A file of results/, as written by tools/publish_results.py."""
    return pd.read_parquet(ROOT / "results" / f"{name}.parquet")


def draw(results, path):
    """One row per dataset: truth, measurement, and what the best solvers make of it.

    With the PSNR of the image, of which large ones show the centre. Rows without
    pictures are not shown.
    """
    psnr = psnr_of_first_image(results)
    datasets = results["dataset_name"].unique()
    titles = dict(zip(datasets, column_labels(datasets)))
    results = results[results["truth"].notna()]
    means = results.groupby("solver_name")["psnr"].agg(mean_or_nan)
    best = means.nlargest(MAX_SOLVERS).index
    solvers = [name for name in results["solver_name"].unique() if name in best]
    short = without_common_options(solvers)
    groups = list(results.groupby("dataset_name", sort=False))
    columns = 2 + len(solvers)
    figure, axes = plt.subplots(
        len(groups),
        columns,
        figsize=(1.6 * columns, 1.8 * len(groups)),
        layout="constrained",
    )
    for row, (dataset, runs) in zip(axes, groups):
        runs = runs.set_index("solver_name")
        row[0].imshow(decode(runs["truth"].iloc[0]))
        row[1].imshow(decode(runs["measurement"].iloc[0]))
        row[0].set_ylabel(titles[dataset].replace(" ", "\n"), fontsize=8)
        for axis, solver in zip(row[2:], solvers):
            if solver in runs.index:
                axis.imshow(decode(runs.loc[solver, "reconstruction"]))
                score = f"{psnr[dataset, solver]:.2f} dB"
                axis.set_xlabel(score, fontsize=8, labelpad=2)
        for axis in row:
            axis.set(xticks=[], yticks=[])
    for axis, title in zip(axes[0], ["truth", "measurement", *short]):
        axis.set_title(title.replace("[", "\n["), fontsize=7)
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)
    drawn = Image.open(path).convert("RGB")
    if is_grey(drawn):
        drawn.convert("L").save(path, optimize=True)


def is_grey(image):
    """Whether the channels of a picture are the same."""
    red, green, blue = image.split()
    return red.tobytes() == green.tobytes() == blue.tobytes()


def draw_sweeps(results, panels, path):
    """A panel per (problem, strength): the PSNR of each solver over this strength."""
    solvers = results["solver_name"].unique()
    short = dict(zip(solvers, without_common_options(solvers)))
    colours = dict(zip(solvers, plt.colormaps["tab20"].colors))
    n_columns = min(len(panels), 4)
    n_rows = math.ceil(len(panels) / n_columns)
    figure, axes = plt.subplots(
        n_rows,
        n_columns,
        figsize=(3.2 * n_columns + 2.2, 3.2 * n_rows),
        layout="constrained",
        squeeze=False,
    )
    for axis, (problem, strength) in zip(axes.flat, panels):
        curves = swept(results, problem, strength)
        for solver, curve in curves.groupby("solver_name"):
            style = {"color": colours[solver], "label": short[solver]}
            axis.plot(curve["strength"], curve["psnr"], marker="o", ms=3, **style)
        axis.set_title(problem, fontsize=9)
        axis.set(xlabel=strength, ylabel="PSNR (dB)")
        axis.grid(alpha=0.3)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right upper", fontsize=8)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def swept(results, problem, strength):
    """The rows of a problem where this strength alone differs, with its values.

    Returns
    -------
    DataFrame, by growing ``strength``: a column more than ``results``.
    """
    rows = results[results["problem"] == problem]
    names = [field.name for field in fields(ALL_PROBLEMS[problem])]
    for name in rows.columns.intersection(names):
        default = default_strength(problem, name, ALL_PROBLEMS)
        if name == strength:
            values = rows[name].astype(float).fillna(float(default))
            rows = rows.assign(strength=values)
        else:
            rows = rows[rows[name].isna() | (rows[name] == default)]
    return rows.sort_values("strength", kind="stable")


def draw_operators(path):
    """What networks and dictionaries learn without truth, over the number of operators.

    From left to right: the error inside ker A of networks on missing pixels, and on MRI
    (bars: the spread over seeds); the recovery of a dictionary from ``m`` measurements
    of each signal.
    """
    figure, axes = plt.subplots(1, 3, figsize=(13, 3.4), layout="constrained")
    for axis, (title, results) in zip(axes, OPERATORS.items()):
        networks, _ = over_seeds(read(results))
        # One mask for each image is the most of all: 0 or per_image.
        networks["masks"] = pd.to_numeric(networks["masks"], errors="coerce").fillna(0)
        counts = sorted(networks["masks"].unique(), key=lambda n: n or math.inf)
        names = networks["solver_name"].unique()
        short = dict(zip(names, without_common_options(names)))
        for solver, runs in networks.groupby("solver_name", sort=False):
            curve = runs.set_index("masks").reindex(counts)
            axis.errorbar(
                range(len(counts)),
                curve["psnr_kernel"],
                curve.get("psnr_kernel_spread"),
                marker="o",
                label=short[solver].removeprefix("Self-supervised").strip("[]"),
            )
        axis.set_xticks(range(len(counts)), [f"{n:g}" if n else "each" for n in counts])
        axis.set(xlabel="masks", ylabel="PSNR in ker A (dB)", title=title)
    for m, runs in read("dictionary_multi").groupby("m"):
        recovery = runs.sort_values("n_operators").set_index("n_operators")["recovery"]
        axes[-1].plot(recovery, marker="o", label=f"m = {m}")
    axes[-1].set(xlabel="operators", ylabel="recovery", title="Dictionaries")
    for axis in axes:
        axis.grid(alpha=0.3)
    # Both panels of networks have the same solvers.
    for axis in axes[1:]:
        axis.legend(fontsize=7, loc="upper left", bbox_to_anchor=(1, 1))
    figure.savefig(path, dpi=110)
    plt.close(figure)


def draw_all():
    docs = ROOT / "docs"
    for figure, results in PICTURES.items():
        draw(read(results), docs / f"{figure}.png")
    for figure, (results, panels) in SWEEPS.items():
        draw_sweeps(read(results), panels, docs / f"{figure}.png")
    draw_operators(docs / "learning_operators.png")
    print("Drawn: the figures of docs/")


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__.split("\n")[0]).parse_args()
    draw_all()
