"""Compare two solvers image by image, in a result file of benchopt or of results/.

    python tools/compare.py outputs/quick.parquet PnP-ADMM PnP-HQS
    python tools/compare.py outputs/quick.parquet TV Wavelets --dataset sr4 --score ssim
    python tools/compare.py results/bsd20.parquet PnP-ADMM PnP-HQS

For each dataset: the mean of the paired differences and its 95% interval (bootstrap
over the images), on how many images the first is better, the p-value of Wilcoxon's
signed-rank test, and the images where the two differ most.
"""

import argparse
import sys
from pathlib import Path

import pandas as pd
from benchopt.results import read_results

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmark_utils.scoring import (  # noqa: E402
    OF_IMAGES,
    check_one_objective,
    compare,
    draws,
    of_datasets,
    per_image_scores,
    sign,
    unpacked,
)

N_SHOWN = 5


def report(dataset, found, unit):
    """What a ``PairedComparison`` says, as lines of text."""
    n = len(found.by_image)
    verdict = "cannot be told apart" if found.cannot_be_told_apart else "differ"
    largest = found.by_image.abs().sort_values(ascending=False).index[:N_SHOWN]
    repetitions = "s" * (found.n_repetitions > 1)
    return [
        dataset,
        f"  difference  {found.difference:+.3f}{unit}, "
        f"95% interval {found.low:+.3f} to {found.high:+.3f}: they {verdict}",
        f"  images      better on {found.wins}, worse on {found.losses} of {n} "
        f"({found.n_repetitions} repetition{repetitions})",
        f"  Wilcoxon    p = {found.p_value:.2g}",
        "  most        "
        + ", ".join(f"{image} {found.by_image[image]:+.3f}" for image in largest),
    ]


def of_each_image(results):
    """``per_image_scores`` of a file of benchopt, or what one of results/ has of them.

    Raises
    ------
    ValueError
        A file of several objectives.
    """
    if "per_image" in results:
        return unpacked(results["per_image"].dropna())
    # A run has curves, a table of results/ the last points.
    if "stop_val" not in results:
        return pd.DataFrame()
    check_one_objective(results)
    return per_image_scores(results)


def columns(results, a, b, pattern, score):
    """The scores of each image on the datasets that have both solvers.

    Raises
    ------
    ValueError
        What is asked for is not in the file; the sentence says what is.
    """
    scores = of_each_image(results)
    if scores.empty:
        raise ValueError(
            "These results have no scores of single images: give those of a run with "
            "images, made since they are kept."
        )
    for solver in (a, b):
        known = scores["solver_name"].unique()
        if solver not in known:
            raise ValueError(f"There is no {solver} here, but {', '.join(known)}.")
    if a == b:
        raise ValueError("Give two solvers that are not the same.")
    chosen = of_datasets(scores, pattern)
    found = {
        dataset: table
        for dataset, table in draws(chosen, score).items()
        if {a, b} <= set(table) and not table[[a, b]].dropna().empty
    }
    if not found:
        raise ValueError(f"No dataset here has the {score} of both on its images.")
    return found


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("results", type=Path, help="a parquet file")
    parser.add_argument("a", metavar="A", help="a solver, as its rows name it")
    parser.add_argument("b", metavar="B", help="another one")
    parser.add_argument("--dataset", default="", help="a part of the dataset's name")
    parser.add_argument("--score", default="psnr", choices=OF_IMAGES)
    asked = parser.parse_args(argv)
    if not asked.results.is_file():
        parser.error(f"There is no file {asked.results}.")
    try:
        results = read_results(asked.results)
        found = columns(results, asked.a, asked.b, asked.dataset, asked.score)
    except ValueError as error:
        parser.error(str(error))
    better = "lower" if sign(asked.score) < 0 else "higher"
    print(f"{asked.a} against {asked.b}, {asked.score}: positive where the first is")
    print(f"better ({better} is better)")
    unit = " dB" if asked.score.startswith("psnr") else ""
    for dataset, table in found.items():
        print("\n".join(report(dataset, compare(table, asked.a, asked.b), unit)))


if __name__ == "__main__":
    main()
