"""Rebuild the tables and the figures of the README and of docs/ from results/.

    python tools/build_readme.py

Each stands between a comment that asks for it and <!-- end -->:

    <!-- table NAME SCORE -->       solvers in rows, problems in columns
    <!-- table NAME SCORE COLUMNS ROWS GIVEN -->
                                    other parameters of the datasets (dataset_name: all
                                    that differs), without those that give one of GIVEN
    <!-- scores NAME SCORE SCORE... -->
                                    solvers in rows, scores in columns, of results of
                                    one dataset; the best of the first score on top
    <!-- published -->              results/published.csv: what papers have, beside ours
    <!-- versions -->               which results of the page are of other code than
                                    the present, as the digests of their rows tell

tools/build_figures.py draws the figures, which are in docs/.

Where the results have the scores of each image, a mean is followed by half of the 95%
interval of the paired difference to the best one; in bold are the best and all that
cannot be told from it. Solvers that differ in their seed alone are one row, and the
standard deviation over the seeds stands in brackets. A dagger marks values that were
not tuned for the problem; the seconds are shown of results that have such a column.
"""

import argparse
import math
import re
import sys
import textwrap
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmark_utils.scoring import (  # noqa: E402
    DIGITS,
    SCORE_NAMES,
    cells,
    column_labels,
    in_digits,
    of_present_code,
    over_seeds,
    sign,
    unpacked,
    without_common_options,
)
from tools.build_figures import draw_all, read  # noqa: E402

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
TABLE = r"<!-- (?P<kind>table|scores) (?P<options>[^>]+) -->\n.*?<!-- end -->"
# Of columns with times, which have no score of their own.
TIMES = {"fit_time": "learning (s)", "seconds": "seconds"}
PUBLISHED = re.compile(r"<!-- published -->\n.*?<!-- end -->", re.DOTALL)


def markdown_table(results, score, columns="problem", rows="solver_name", given=""):
    """One row per solver, best mean first; the best of each column in bold.

    A score that is missing is that of a solver that diverged, but for a column where
    all are: it is left out. Datasets that give one of the parameters ``given`` ("a,b")
    are, too.
    """
    for parameter in filter(None, given.split(",")):
        results = results[results[parameter].isna()]
    results, of_images = of_solvers(results)
    worst = -sign(score) * math.inf
    filled = results.fillna({score: worst})
    table = filled.pivot(index=rows, columns=columns, values=score)
    table = table.reindex(columns=results[columns].unique())
    table = table.loc[:, (table.notna() & (table != worst)).any()]
    if rows == "solver_name":
        means = table.mean(axis="columns")
        table = table.loc[means.sort_values(ascending=sign(score) < 0).index]
    found = cells(results, score, of_images, columns, rows)
    texts = {
        key: shown(cell, DIGITS[score])
        for key, cell in zip(zip(results[rows], results[columns]), found)
    }
    corner = "|" if rows == "solver_name" else f"| {rows}"
    names = [label(name, columns) for name in table.columns]
    if columns == "dataset_name":
        names = column_labels(table.columns)
    lines = [f"{corner} | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    shown_names = map(label, table.index)
    if rows == "solver_name":
        shown_names = without_common_options(table.index)
    for name, row in zip(shown_names, table.index):
        of_row = [texts.get((row, column), "") for column in table.columns]
        lines.append(f"| {name} | {' | '.join(of_row)} |")
    return "\n".join(lines)


def of_solvers(results):
    """Scores, and those of each image (None where not kept), over the seeds."""
    of_images = None
    if "per_image" in results:
        of_images = unpacked(results["per_image"].dropna())
    return over_seeds(results, of_images)


def scores_table(results, *scores):
    """Scores and times of one dataset: a row per solver, the first score sorts them."""
    results, of_images = of_solvers(results)
    results = results.sort_values(scores[0], ascending=sign(scores[0]) < 0)
    texts = {}
    for score in scores:
        if score in TIMES:
            column = ["" if math.isnan(s) else in_digits(s) for s in results[score]]
        else:
            found = cells(
                results.drop(columns="seconds", errors="ignore"), score, of_images
            )
            column = [shown(cell, DIGITS[score]) for cell in found]
        texts[TIMES.get(score) or SCORE_NAMES[score]] = column
    lines = [f"| | {' | '.join(texts)} |", "|---" * (len(texts) + 1) + "|"]
    names = without_common_options(results["solver_name"])
    for name, *row in zip(names, *texts.values()):
        lines.append(f"| {name} | {' | '.join(row)} |")
    return "\n".join(lines)


def shown(cell, digits=2):
    """A cell: 27.05 ±0.12 [0.03] (3.1 s), or a word for what is no number."""
    if cell.word:
        return cell.word
    text = f"{cell.mean:.{digits}f}"
    text = f"**{text}**" if cell.is_best else text
    if cell.has_interval:
        text += f" ±{cell.half_width:.{digits}f}"
    if not math.isnan(cell.spread):
        text += f" [{cell.spread:.{digits}f}]"
    if cell.is_untuned:
        text += " †"
    if math.isnan(cell.seconds):
        return text
    return f"{text} ({in_digits(cell.seconds)} s)"


def label(value, parameter="problem"):
    """A name as it is, or the value of a parameter: m = 40."""
    text = value if isinstance(value, str) else f"{value:g}"
    return text if parameter == "problem" else f"{parameter} = {text}"


def fill(text):
    """The text of a page with its tables up to date."""
    names = dict.fromkeys(re.findall(r"<!-- (?:table|scores) (\w+) ", text))

    def rebuilt(match):
        name, *options = match["options"].split()
        made = markdown_table if match["kind"] == "table" else scores_table
        table = made(read(name), *options)
        return f"<!-- {match['kind']} {match['options']} -->\n{table}\n<!-- end -->"

    sentence = f"<!-- versions -->\n{versions_sentence(names)}\n<!-- end -->"
    text = re.sub(
        r"<!-- versions -->\n.*?<!-- end -->", sentence, text, flags=re.DOTALL
    )
    if PUBLISHED.search(text):
        text = PUBLISHED.sub(
            f"<!-- published -->\n{published_table()}\n<!-- end -->", text
        )
    return re.sub(TABLE, rebuilt, text, flags=re.DOTALL)


def published_table():
    """PSNR that papers have, that of the nearest row of our tables, and the difference.

    results/published.csv names this row: the file in results/, the dataset, and the
    solver as the tables show it. A row that is not there raises ``KeyError``.
    """
    published = pd.read_csv(ROOT / "results" / "published.csv")
    ours = {name: psnr_by_row(read(name)) for name in published["results"].unique()}
    lines = [
        "| images | problem | published | PSNR | here | PSNR | difference |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in published.itertuples():
        psnr = ours[row.results][row.dataset, row.solver]
        gap = (
            f"{round(psnr - row.published, 2) + 0.0:+.2f}"
            if math.isfinite(psnr)
            else ""
        )
        here = f"{psnr:.2f}" if math.isfinite(psnr) else "diverged"
        lines.append(
            f"| {row.images} | {row.problem} | {row.method} ({row.source}) "
            f"| {row.published:.2f} | {row.solver} | {here} | {gap} |"
        )
    return "\n".join(lines)


def psnr_by_row(results):
    """{(dataset, solver as tables show it): mean PSNR}."""
    names = results["solver_name"].unique()
    short = dict(zip(names, without_common_options(names)))
    keys = zip(results["dataset_name"], results["solver_name"].map(short))
    return dict(zip(keys, results["psnr"]))


def versions_sentence(names):
    """Which of these results the present code would not give again."""
    older = [name for name in names if not all(of_present_code(read(name)))]
    if not older:
        return "The present code made these results."
    which = ", ".join(f"`{name}`" for name in older)
    sentence = f"Older code than the present made the results of {which}."
    return textwrap.fill(sentence, 88, break_long_words=False, break_on_hyphens=False)


def main():
    for page in PAGES:
        page.write_text(fill(page.read_text()))
    draw_all()
    print("Rebuilt: README.md and docs/")


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__.split("\n")[0]).parse_args()
    main()
