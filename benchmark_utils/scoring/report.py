"""What an evaluation gives: a table, scores of each image, pictures."""

import math
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from benchopt.results import read_results

from benchmark_utils.scoring.pictures import decode
from benchmark_utils.scoring.results import (
    final_results,
    per_image_scores,
    score_cell,
    short_label,
)
from benchmark_utils.scoring.statistics import TOGETHER, compared_to_best, draws, sign
from benchmark_utils.scoring.tables import table_of, tabular


@dataclass(frozen=True, repr=False)
class Report:
    """What an evaluation gives. Printed, it is a table of solvers and problems.

    Attributes
    ----------
    table : DataFrame
        One row per dataset and solver, with the final scores and the time (seconds).
    results : Path
        benchopt's result file (parquet): curves, scores and pictures.
    page : Path
        The dashboard, with the reconstructions, to open in a browser.
    device : str
        Where everything ran: cpu, cuda or cuda:1.
    skipped : dict {(dataset, solver): reason}
        What has no result, and why.
    seed : int
        Of the noise and of random operators.
    log : str
        What the run printed.
    """

    table: pd.DataFrame
    results: Path
    page: Path
    device: str
    skipped: dict = field(default_factory=dict)
    seed: int = 0
    log: str = ""

    @cached_property
    def scores(self):
        """DataFrame: dataset_name, solver_name, repetition, image, psnr, ssim..."""
        return per_image_scores(read_results(self.results))

    def pivot(self, score="psnr"):
        """DataFrame of a score: a row for each solver, a column for each dataset."""
        scores = self.table.pivot(
            index="solver_name", columns="dataset_name", values=score
        )
        scores = scores.loc[
            self.table["solver_name"].unique(), self.table["dataset_name"].unique()
        ]
        return scores.rename_axis(index=None, columns=None)

    def _cells(self, score, digits):
        """``pivot`` as text; "-" where a solver was not run."""
        run = set(zip(self.table["dataset_name"], self.table["solver_name"]))

        def cell(dataset, solver, value):
            if (dataset, solver) not in run:
                return "-"
            is_finite = math.isfinite(value)
            return f"{value:.{digits}f}" if is_finite else score_cell(value)

        scores = self.pivot(score)
        return scores.apply(
            lambda column: [cell(column.name, *item) for item in column.items()]
        )

    def marks(self, score="psnr"):
        """DataFrame like ``pivot``: "*" for the best, "~" for what may be as good.

        The paired 95% interval of their difference, over the images, has 0.
        """
        scores = self.pivot(score)
        marks = pd.DataFrame("", index=scores.index, columns=scores.columns)
        if score in self.scores:
            for dataset, values in draws(self.scores, score).items():
                stand = compared_to_best(values)
                if len(values) > 1:
                    marks.loc[stand.index[stand[TOGETHER]], dataset] = "~"
        marks = marks.where(np.isfinite(scores), "")
        for dataset, values in (sign(score) * scores).items():
            if values.notna().any():
                marks.loc[values.idxmax(), dataset] = "*"
        return marks

    def __repr__(self):
        cells = self._cells("psnr", 2)
        marks = self.marks()
        cells = cells + marks.map(lambda mark: mark or " ")
        cells.columns = [short_label(name) for name in cells.columns]
        lines = [
            f"PSNR (dB), the mean over the images; seed {self.seed}, {self.device}.",
            cells.to_string(),
            "* the best" + ("; ~ may be as good" * ("~" in set(marks.to_numpy().flat))),
            *(f"{s} on {d} skipped: {why}" for (d, s), why in self.skipped.items()),
            f"The dashboard is {self.page}",
        ]
        return "\n".join(lines)

    def to_csv(self, path=None):
        """``table`` as text, or written to a file."""
        return self.table.to_csv(path, index=False)

    def to_latex(self, score="psnr", digits=None):
        """A table of solvers and problems (booktabs), as tools/export.py writes it."""
        return tabular(table_of(read_results(self.results), score), score, digits)

    def figure(self, dataset=None, image=0):
        """A matplotlib figure: the truth, the measurement, what each solver made.

        Parameters
        ----------
        dataset : str, one of ``table.dataset_name``; by default, the first one.
        image : int, from 0: pictures of the first two images are kept without loss,
            and of the next ones as previews.

        Raises
        ------
        ValueError
            There is no such dataset, or no picture of this image.
        """
        df = read_results(self.results)
        known = list(self.table["dataset_name"].unique())
        dataset = dataset or known[0]
        if dataset not in known:
            raise ValueError(f"There is no {dataset} here, but {', '.join(known)}.")
        rows = final_results(
            df, dataset, df["objective_name"].iloc[0], "reconstruction"
        )
        kept = rows["final_results"].iloc[0]
        if image not in range(len(kept["names"])):
            raise ValueError(
                f"image must be a number below {len(kept['names'])}, how many have "
                f"their pictures kept, and not {image!r}."
            )
        pictures = [
            (kept["names"][image], kept["truth"][image]),
            ("measurement", kept["measurement"][image]),
        ]
        values = self.scores[
            (self.scores["dataset_name"] == dataset)
            & (self.scores["image"] == kept["names"][image])
        ].set_index("solver_name")["psnr"]
        for solver, kept in zip(rows["solver_name"], rows["final_results"]):
            title = f"{solver}\n{values[solver]:.2f} dB"
            pictures.append((title, kept["reconstruction"][image]))
        figure, axes = plt.subplots(
            1, len(pictures), figsize=(2.4 * len(pictures), 2.8), layout="constrained"
        )
        for axis, (title, picture) in zip(axes, pictures):
            axis.imshow(decode(picture))
            axis.set_title(title, fontsize=8)
            axis.axis("off")
        return figure
