"""Rebuild the tables and the figure of the README from the files in results/.

    python tools/build_readme.py

A table stands between <!-- table NAME SCORE --> and <!-- end -->; the figures are in
docs/.
"""

import re
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmark_utils.pictures import decode, picture_psnr  # noqa: E402

README = ROOT / "README.md"
# figure: the results that it shows
FIGURES = {"reconstructions": "natural", "fire": "fire_set3c"}


def read(name):
    """A file of results/, as written by tools/publish_results.py."""
    return pd.read_parquet(ROOT / "results" / f"{name}.parquet")


def markdown_table(results, score):
    """Solvers in rows, best mean first; problems in columns, their best in bold."""
    table = results.pivot(index="solver_name", columns="problem", values=score)
    table = table.reindex(columns=results["problem"].unique())
    table = table.dropna(axis="columns", how="all")
    table = table.loc[table.mean(axis="columns").sort_values(ascending=False).index]
    best = table.max()
    lines = [f"| | {' | '.join(table.columns)} |", "|---" * (table.shape[1] + 1) + "|"]
    for solver, row in table.iterrows():
        cells = [
            f"**{value:.2f}**" if value == best[problem] else f"{value:.2f}"
            for problem, value in row.items()
        ]
        lines.append(f"| {solver} | {' | '.join(cells)} |")
    return "\n".join(lines)


def fill(text):
    """The README's text with its tables up to date."""

    def rebuilt(match):
        name, score = match["name"], match["score"]
        table = markdown_table(read(name), score)
        return f"<!-- table {name} {score} -->\n{table}\n<!-- end -->"

    block = r"<!-- table (?P<name>\S+) (?P<score>\S+) -->\n.*?<!-- end -->"
    return re.sub(block, rebuilt, text, flags=re.DOTALL)


def draw(results, path):
    """One row per problem: truth, measurement, and what each solver makes of it."""
    solvers = list(results["solver_name"].unique())
    groups = list(results.groupby("problem", sort=False))
    columns = 2 + len(solvers)
    figure, axes = plt.subplots(
        len(groups), columns, figsize=(1.6 * columns, 1.75 * len(groups))
    )
    for row, (problem, runs) in zip(axes, groups):
        runs = runs.set_index("solver_name")
        truth = decode(runs["truth"].iloc[0])
        row[0].imshow(truth)
        row[1].imshow(decode(runs["measurement"].iloc[0]))
        row[0].set_ylabel(problem.replace("_", "\n"), fontsize=8)
        for axis, solver in zip(row[2:], solvers):
            picture = decode(runs.loc[solver, "reconstruction"])
            axis.imshow(picture)
            score = f"{picture_psnr(picture, truth):.2f} dB"
            axis.set_xlabel(score, fontsize=8, labelpad=2)
        for axis in row:
            axis.set(xticks=[], yticks=[])
    for axis, title in zip(axes[0], ["truth", "measurement", *solvers]):
        axis.set_title(title.replace("[", "\n["), fontsize=7)
    figure.tight_layout(pad=0.3)
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def main():
    README.write_text(fill(README.read_text()))
    for figure, results in FIGURES.items():
        draw(read(results), ROOT / "docs" / f"{figure}.png")
    print(f"Rebuilt: {README.name} and docs/")


if __name__ == "__main__":
    main()
