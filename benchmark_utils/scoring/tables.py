"""Tables of solvers and problems: means, intervals, and what may be as good."""

import math
from dataclasses import dataclass

import pandas as pd

from benchmark_utils.scoring.labels import column_labels, without_common_options
from benchmark_utils.scoring.results import (
    KEYS,
    OF_IMAGES,
    final_scores,
    is_untuned,
    per_image_scores,
    values_from,
)
from benchmark_utils.scoring.seeds import over_seeds
from benchmark_utils.scoring.statistics import TOGETHER, compared_to_best, draws, sign
from benchmark_utils.scoring.times import in_digits
from benchmark_utils.scoring.views import SCORE_NAMES

# What tables may show, with this many digits.
DIGITS = {
    "psnr": 2,
    "psnr_min": 2,
    "psnr_range": 2,
    "psnr_kernel": 2,
    "ssim": 3,
    "lpips": 3,
    "nmse": 4,
    "haarpsi": 3,
    "recovery": 2,
}
LATEX = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        **{c: rf"\{c}" for c in "&%$#_{}"},
    }
)


@dataclass(frozen=True)
class Cell:
    """What a table says of a solver on a problem.

    Attributes
    ----------
    mean : float, -inf or NaN where it diverged, inf where it is exact.
    is_best : bool, whether it is the best or cannot be told from it.
    half_width : float
        Of the 95% interval of the paired difference to the best; 0 for the best, inf
        where nothing is known of the images.
    is_untuned : bool, whether its values were not tuned for what ran.
    seconds : float, NaN where they are not shown.
    spread : float, the standard deviation over the seeds of a training, NaN for one.
    """

    mean: float
    is_best: bool = False
    half_width: float = math.inf
    is_untuned: bool = False
    seconds: float = math.nan
    spread: float = math.nan

    @property
    def has_interval(self):
        return 0 < self.half_width < math.inf

    @property
    def word(self):
        """In place of what is no number, or None."""
        if math.isfinite(self.mean):
            return None
        return "exact" if self.mean == math.inf else "diverged"


def cells(scores, score, of_images=None, columns="dataset_name", rows="solver_name"):
    """A ``Cell`` for each row of a table of scores: a list.

    Parameters
    ----------
    scores : DataFrame
        With the columns that are named, dataset_name, and values_from, seconds and
        {score}_spread where they are known.
    score : str
    of_images : DataFrame or None, what ``per_image_scores`` gives.
    """
    standings = {}
    if rows == "solver_name" and score in OF_IMAGES and of_images is not None:
        standings = standings_of(scores, of_images, score)
    signed = sign(score) * scores[score]
    is_best = signed == signed.groupby(scores[columns]).transform("max")
    found = []
    for row, best in zip(scores.to_dict("records"), is_best):
        standing, half_width = standings.get(row.get("dataset_name")), math.inf
        if standing is not None and row[rows] in standing.index:
            low, high, together = standing.loc[row[rows], ["low", "high", TOGETHER]]
            # Of floats of Python: inf - inf is NaN without a warning.
            half_width = (float(high) - float(low)) / 2
            # One image tells nothing of the others.
            best = together if half_width < math.inf else best
        found.append(
            Cell(
                row[score],
                bool(best),
                half_width,
                is_untuned(row.get("values_from", "")),
                row.get("seconds", math.nan),
                row.get(f"{score}_spread", math.nan),
            )
        )
    return found


def standings_of(scores, of_images, score):
    """How solvers stand to the best one: {dataset: what ``compared_to_best`` gives}.

    Of the datasets where this score of each image is known of all solvers that have it:
    the best of some may not be the best.
    """
    scored = scores.dropna(subset=score).groupby("dataset_name")["solver_name"]
    solvers = scored.agg(set).to_dict()
    return {
        dataset: compared_to_best(values)
        for dataset, values in draws(of_images, score).items()
        if solvers.get(dataset, set()) <= set(values)
    }


def table_of(df, score="psnr", seconds=False):
    """DataFrame of ``Cell``: solvers in rows, the best mean first, datasets in columns.

    None where a solver was not run; solvers that differ in their seed alone have one
    row (``over_seeds``). Datasets where no solver has the score are left
    out: nothing is lost in the kernel of a denoising problem, say.

    Parameters
    ----------
    df : DataFrame of a benchopt result file.
    score : str, one of ``DIGITS``.
    seconds : bool, whether cells have the time.

    Raises
    ------
    ValueError
        No dataset has the score; the sentence says which ones there are.
    """
    scores, of_images = over_seeds(scores_with_origins(df), per_image_scores(df))
    if score not in DIGITS or score not in scores or scores[score].isna().all():
        known = [s for s in DIGITS if s in scores and scores[s].notna().any()]
        if not known:
            raise ValueError("Every solver diverged here: there is no score to show.")
        raise ValueError(f"There is no {score} here, but {', '.join(known)}.")
    scores["seconds"] = scores["time"] if seconds else math.nan
    scores["cell"] = cells(scores, score, of_images)
    scored = scores.groupby("dataset_name")[score].transform("count") > 0
    worst = -sign(score) * math.inf
    values = scores[scored].fillna({score: worst})
    order = values.groupby("solver_name")[score].mean()
    table = values.pivot(index="solver_name", columns="dataset_name", values="cell")
    table = table.astype(object).where(table.notna(), None)
    return table.loc[
        order.sort_values(ascending=sign(score) < 0).index,
        values["dataset_name"].unique(),
    ]


def scores_with_origins(df):
    """The final scores, and where the values are from, "" where that is unknown."""
    scores, origins = final_scores(df), values_from(df)
    keys = zip(*(scores[key] for key in KEYS))
    return scores.assign(values_from=[origins.get(key, "") for key in keys])


def scores_with_intervals(df, score="psnr"):
    """All the final scores, and how each solver stands to the best: for a CSV file.

    A row for each dataset and solver: the scores, time (s), values_from, and of
    ``score`` the difference to the best, low, high, cannot_be_told_apart.
    """
    scores, of_images = scores_with_origins(df), per_image_scores(df)
    if score not in OF_IMAGES:
        return scores
    standings = standings_of(scores, of_images, score)
    if not standings:
        return scores
    found = pd.concat(standings, names=KEYS).reset_index()
    return scores.merge(found, on=KEYS, how="left")


def tabular(table, score="psnr", digits=None):
    """LaTeX (booktabs) of a table that ``table_of`` gives."""
    lines = [
        rf"\begin{{tabular}}{{l{'c' * table.shape[1]}}}",
        r"\toprule",
        " & ".join(["", *map(latex, column_labels(table.columns))]) + r" \\",
        r"\midrule",
    ]
    for solver, (_, row) in zip(without_common_options(table.index), table.iterrows()):
        of_row = [latex_cell(cell, score, digits) for cell in row]
        lines.append(" & ".join([latex(solver), *of_row]) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"])


def captioned(df, table, score="psnr"):
    """``tabular`` with its caption, for a paper of two columns: a table of LaTeX."""
    kind = "table" if table.shape[1] < 3 else "table*"
    lines = [
        rf"\begin{{{kind}}}[t]",
        r"\centering",
        rf"\caption{{{caption(df, score, table)}}}",
        rf"\label{{tab:{score}}}",
        r"\smallskip\footnotesize",
        r"\setlength{\tabcolsep}{4pt}",
        tabular(table, score),
        rf"\end{{{kind}}}",
    ]
    return "\n".join(lines)


def caption(df, score, table):
    """What the signs of a table mean, in LaTeX."""
    cells = [cell for cell in table.to_numpy().flat if cell is not None]
    sentences = [f"{SCORE_NAMES[score]}, mean over {count_of_images(df)}."]
    if any(cell.has_interval for cell in cells):
        sentences.append(
            "In bold, the best and all that cannot be told from it; "
            r"$\pm$ is half of the 95\% interval of the paired difference to the best."
        )
    else:
        sentences.append("The best is in bold.")
    if any(cell.is_untuned for cell in cells):
        sentences.append(r"$^\dagger$ with values that were not tuned for the problem.")
    if any(cell.spread >= 0 for cell in cells):
        sentences.append("In brackets, the standard deviation over the seeds.")
    return " ".join(sentences)


def count_of_images(df):
    scores = per_image_scores(df)
    if scores.empty:
        return "the test signals"
    n = scores.groupby("dataset_name")["image"].nunique()
    images = f"{n.max()}" if n.min() == n.max() else f"{n.min()} to {n.max()}"
    repetitions = scores["repetition"].nunique()
    draws = f" and {repetitions} draws of the noise" if repetitions > 1 else ""
    return f"{images} image{'s' * bool(n.max() > 1)}{draws}"


def latex_cell(cell, score="psnr", digits=None):
    """27.05 +- 0.12, a dagger and seconds, in LaTeX; a dash where nothing was run."""
    if cell is None:
        return "--"
    digits = DIGITS[score] if digits is None else digits
    text = cell.word or f"{cell.mean:.{digits}f}"
    text = rf"\textbf{{{text}}}" if cell.is_best else text
    if cell.has_interval and not cell.word:
        text += rf" {{\scriptsize $\pm$ {cell.half_width:.{digits}f}}}"
    if cell.is_untuned:
        text += r"$^\dagger$"
    if not math.isnan(cell.spread):
        text += rf" {{\scriptsize [{cell.spread:.{digits}f}]}}"
    if not math.isnan(cell.seconds):
        text += rf" {{\scriptsize ({in_digits(cell.seconds)}\,s)}}"
    return text


def latex(text):
    """A name, with what LaTeX would take for its own escaped."""
    return text.translate(LATEX)
