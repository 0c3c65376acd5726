import numpy as np
import pandas as pd
from benchopt import BasePlot

from benchmark_utils.scoring import (
    OF_IMAGES,
    SCORE_NAMES,
    draws_of_file,
    per_image_scores,
    short_label,
    sign,
)
from benchmark_utils.scoring.page_cells import breakable, number

SCORES = {SCORE_NAMES[score]: score for score in OF_IMAGES}
NONE = "No scores of images here"


def score_options(df):
    """The scores that some image has."""
    scores = per_image_scores(df).dropna(axis=1, how="all")
    return [name for name, s in SCORES.items() if s in scores] or [SCORE_NAMES["psnr"]]


def shown(value, score):
    if np.isinf(value):
        return "exact" if value > 0 else "diverged"
    return number(value, 2 if score.startswith("psnr") else 3)


class Plot(BasePlot):
    """Which method is best on which image, and which comes second.

    Scores are the means of the repetitions; a solver that diverged on an image is not
    the best of it.
    """

    name = "per_image"
    type = "table"
    options = {"dataset": ..., "objective": ..., "score": score_options}

    def plot(self, df, dataset, objective, score):
        rows, score = [], SCORES[score]
        for image, scores in self._scores(df, dataset, objective, score).iterrows():
            first, *others = scores.sort_values(ascending=False).items()
            row = [
                image,
                breakable(short_label(first[0])),
                shown(first[1] * sign(score), score),
            ]
            for solver, value in others[:1]:
                row += [
                    breakable(short_label(solver)),
                    shown(value * sign(score), score),
                ]
            rows.append(row + [""] * (5 - len(row)))
        return rows

    def get_metadata(self, df, dataset, objective, score):
        scores = self._scores(df, dataset, objective, SCORES[score])
        wins = scores.idxmax(axis=1).value_counts()
        best = ", ".join(f"{short_label(s)} {n}" for s, n in wins.items())
        return {
            "title": f"{short_label(dataset)}, {score}\nBest on how many of "
            f"{len(scores)} images: {best}"
            if wins.size
            else f"{short_label(dataset)}\n{NONE}",
            "columns": ["image", "best", "its score", "second", "second score"],
            "default_order_column": "image",
        }

    @staticmethod
    def _scores(df, dataset, objective, score):
        """One row per image, one column per solver; the best is the highest."""
        of_draws = draws_of_file(df, objective, score).get(dataset)
        if of_draws is None:
            return pd.DataFrame()
        return of_draws.groupby("image").mean()
