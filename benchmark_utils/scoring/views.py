"""What the views of the dashboard share: words, styles, what ran, where nothing is."""

import json
import re
import textwrap

import numpy as np

from benchmark_utils.scoring.results import (
    kept_of_file,
    versions_apart,
    with_final_results,
)

SCORE_NAMES = {
    "psnr": "PSNR (dB)",
    "psnr_kernel": "PSNR in ker A (dB)",
    "psnr_range": "PSNR outside of ker A (dB)",
    "psnr_min": "PSNR of the worst image (dB)",
    "ssim": "SSIM",
    "lpips": "LPIPS",
    "nmse": "NMSE",
    "haarpsi": "HaarPSI",
    "data_fit": "Data fit",
    "recovery": "Recovery of the dictionary",
    "cost": "Cost of the dictionary",
    "kernel_norm": "Norm of the atoms in the kernel",
}

# Okabe and Ito (2008), told apart by colour-blind readers; yellow is too light for
# lines on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#E69F00", "#56B4E9")
# plotly's circle, square, triangle up, diamond, cross, star, x, triangle down; these
# shapes are left empty (+ 100) for the solvers after the first ones.
MARKERS = (0, 1, 5, 2, 3, 17, 4, 6)
N_FILLED = 14


@kept_of_file
def styles(df):
    """{solver: its colour and marker}, the same in all the views of a run.

    The 8 shapes and 7 colours give 56 pairs.
    """
    solvers = versions_apart(df)["solver_name"].unique()
    return {
        solver: {
            "color": COLOURS[i % len(COLOURS)],
            "marker": MARKERS[i % len(MARKERS)] + (100 if i >= N_FILLED else 0),
        }
        for i, solver in enumerate(solvers)
    }


def problem_of(dataset_name):
    """sr4, of natural[problem=sr4]; the name itself where it has no problem."""
    found = re.search(r"problem=([^,\]]+)", dataset_name)
    return found[1] if found else dataset_name.split("[")[0]


def about_run(df):
    """When a run was made, by which commit and versions of libraries: a line of text.

    "" for files of before this was kept.
    """
    kept = with_final_results(df, "run")["final_results"]
    records = [json.loads(final_results["run"]) for final_results in kept]
    dates = sorted({record["date"][:10] for record in records if "date" in record})
    commits = {
        record["commit"][:7] + " with changes" * bool(record.get("dirty"))
        for record in records
        if record.get("commit")
    }
    versions = {
        f"{library} {version}"
        for record in records
        for library, version in record.get("versions", {}).items()
        if library in ("torch", "deepinv", "benchopt")
    }
    said = [" to ".join(dict.fromkeys([*dates[:1], *dates[-1:]]))]
    said += [f"commit {commit}" for commit in sorted(commits)]
    return ", ".join(filter(None, [*said, *sorted(versions)]))


def in_words(sentence):
    """The data of a view of pictures that has none: the page would not say why.

    It gives the sentence a blank square, as wide as its longest line.
    """
    return [{"image": np.ones((1, 1)), "label": textwrap.fill(sentence, 30)}]
