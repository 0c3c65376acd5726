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
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

from benchopt.results import read_results

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmark_utils.scoring import (  # noqa: E402
    DIGITS,
    captioned,
    check_one_objective,
    comparable_times,
    file_name,
    last_rows,
    of_datasets,
    per_image_scores,
    scores_with_intervals,
    table_of,
    versions_apart,
    without_seed,
)
from tools.paper.figures import (  # noqa: E402
    images_to_show,
    lossy,
    write_figures,
)

KINDS = ("csv", "latex", "figures")


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
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        parser.error(f"{folder} cannot be a folder: {error.strerror}.")
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
