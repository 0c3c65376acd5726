import numpy as np
from benchopt import BasePlot

from benchmark_utils.scoring import (
    compared_to_best,
    draws,
    final_scores,
    is_untuned,
    last_rows,
    mean_or_nan,
    per_image_scores,
    short_label,
    values_from,
)

DAGGER = "†"
LEGEND = (
    "± half of the 95% interval of the paired difference to the best; in bold, "
    "all that cannot be told from the best"
)


def column_labels(datasets):
    """Short labels, without the words that they all have.

    The page breaks a header at its spaces.
    """
    words = [short_label(dataset).split() for dataset in datasets]
    common = set.intersection(*map(set, words))
    return [
        " ".join([w for w in label if w not in common] or label).replace("_", " ")
        for label in words
    ]


def padded(number, digits):
    """A number with the same width below and above 10, so that texts sort well."""
    return f"{number:{digits + 3}.{digits}f}".replace(" ", "\u00a0")


def psnr_cell(psnr, is_best, half_width=np.inf):
    """27.05 ±0.12, or 27.05 dB where there is no interval.

    It never is a number alone, which benchopt shows with four decimals.
    """
    if np.isnan(psnr) or psnr == -np.inf:
        return "diverged"
    text = "exact" if psnr == np.inf else padded(psnr, 2)
    text = f"**{text}**" if is_best else text
    if psnr == np.inf:
        return text
    return f"{text} ±{half_width:.2f}" if 0 < half_width < np.inf else f"{text} dB"


def count(numbers, what):
    """4 images; 4 to 20 images."""
    low, high = min(numbers), max(numbers)
    several = f"{low} to {high}" if low < high else f"{high}"
    return f"{several} {what}{'s' * (high > 1)}"


class Standing:
    """PSNRs of a column of the table, and which cannot be told from the best.

    Parameters
    ----------
    psnr : Series {solver: PSNR in dB}, NaN where it diverged.
    draws : list of DataFrames, the scores of each image on each dataset.
        Empty for files of before they were kept: the best alone is in bold.
    """

    def __init__(self, psnr, draws):
        self.psnr, self.best = psnr, psnr.max()
        self.found = compared_to_best(*draws) if draws else None

    def cell(self, solver):
        psnr = self.psnr[solver]
        if self.found is None or solver not in self.found.index:
            return psnr_cell(psnr, psnr == self.best)
        found = self.found.loc[solver]
        half_width = (found["high"] - found["low"]) / 2
        return psnr_cell(psnr, found["cannot_be_told_apart"], half_width)


class Plot(BasePlot):
    """The PSNR that each solver ends with, and its rank, over datasets and problems.

    Rank 1 is the best, and ties share their mean rank. A solver that diverged
    somewhere, or that did not run on all the datasets (``runs`` says on how many it
    did), comes last, and has no mean. An infinite PSNR, that of the truth, is called
    exact.
    """

    name = "ranking"
    type = "table"
    options = {"objective": ...}

    def plot(self, df, objective):
        datasets = self._datasets(df, objective)
        scores = final_scores(df, objective)
        by_dataset = scores.groupby("dataset_name")["psnr"]
        scores["rank"] = by_dataset.rank(ascending=False, na_option="bottom")
        by_solver = scores.groupby("solver_name")
        psnr, rank = by_solver["psnr"].agg(mean_or_nan), by_solver["rank"].mean()
        untuned = {k for k, v in values_from(df, objective).items() if is_untuned(v)}

        of_images = draws(per_image_scores(df, objective))
        columns = {
            dataset: Standing(
                runs.set_index("solver_name")["psnr"],
                [of_images[dataset]] if dataset in of_images else [],
            )
            for dataset, runs in scores.groupby("dataset_name")
        }
        complete = by_solver.size() == len(datasets)
        has_mean = complete & (psnr > -np.inf)
        means = Standing(
            psnr[has_mean],
            [
                of_images[d][of_images[d].columns.intersection(psnr.index[has_mean])]
                for d in datasets
                if d in of_images
            ]
            if len(of_images) == len(datasets)
            else [],
        )

        rows = []
        for solver, runs in by_solver:
            place, mean = "not ranked", "diverged" if complete[solver] else "incomplete"
            if has_mean[solver]:
                place = f"{padded(rank[solver], 1)} of {len(psnr)}"
                mean = means.cell(solver)
            cells = [
                columns[dataset].cell(solver)
                + f" {DAGGER}" * ((dataset, solver) in untuned)
                if dataset in set(runs["dataset_name"])
                else "not run"
                for dataset in datasets
            ]
            runs = f"{len(runs)}/{len(datasets)}"
            rows.append([short_label(solver), place, mean, runs, *cells])
        return rows

    def get_metadata(self, df, objective):
        title = f"{objective}\nPSNR in dB, mean over {self._counts(df, objective)}"
        if not per_image_scores(df, objective).empty:
            title += f"\n{LEGEND}"
        if any(map(is_untuned, values_from(df, objective).values())):
            title += f"\n{DAGGER} with values that were not tuned for this problem"
        columns = column_labels(self._datasets(df, objective))
        return {
            "title": title,
            "columns": ["solver", "rank", "mean", "runs", *columns],
            "default_order_column": "rank",
            "default_order_ascending": True,
        }

    @staticmethod
    def _datasets(df, objective):
        return df.loc[df["objective_name"] == objective, "dataset_name"].unique()

    @staticmethod
    def _counts(df, objective):
        by_dataset = last_rows(df, objective).groupby("dataset_name")
        counts = [count(by_dataset["idx_rep"].nunique(), "repetition")]
        scores = per_image_scores(df, objective)
        if not scores.empty:
            by_dataset = scores.groupby("dataset_name")
            counts.insert(0, count(by_dataset["image"].nunique(), "image"))
        else:
            counts.insert(0, "the test images")
        return " and ".join(counts)
