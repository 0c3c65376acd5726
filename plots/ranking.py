import numpy as np
from benchopt import BasePlot

from benchmark_utils.scoring import (
    KEYS,
    OF_IMAGES,
    SCORE_NAMES,
    about_run,
    compared_to_best,
    draws_of_file,
    final_scores,
    is_untuned,
    last_rows,
    mean_or_nan,
    per_image_scores,
    problem_of,
    short_label,
    sign,
    values_from,
)
from benchmark_utils.scoring.page_cells import breakable, number, seconds, wide

ALL = "all"
SCORES = {SCORE_NAMES[score]: score for score in OF_IMAGES}
OF_VIEWS = ("psnr", "psnr_kernel")
NONE = "No run here has this score: does A lose nothing?"
# With more columns, a window of 1400 pixels shows a part of them.
MAX_COLUMNS = 5
DAGGER = "†"
RANK = "#"
LEGEND = (
    "± half of the 95% interval of the difference to the best; bold: may be the best"
)
# The page cuts the headers that are wider than their cells, and gives a window of 1400
# pixels no room for longer ones.
SHORT = {
    "denoising": "noise",
    "gaussian_deblurring": "gauss",
    "motion_deblurring": "motion",
    "inpainting": "inpaint",
}


def family(dataset):
    return dataset.split("[")[0]


def data_options(df):
    """Kinds of data, and all together: first, unless they are too many to be seen."""
    datasets = df["dataset_name"].unique()
    families = list(dict.fromkeys(map(family, datasets)))
    if len(families) == 1:
        return [ALL]
    return [ALL, *families] if len(datasets) <= MAX_COLUMNS else [*families, ALL]


def of_data(rows, data):
    """The rows of one kind of data, or all."""
    return rows if data == ALL else rows[rows["dataset_name"].map(family) == data]


def score_options(df):
    """The scores of the views of config.yml, and those that some run has."""
    scores = final_scores(df).dropna(axis=1, how="all")
    return [name for name, s in SCORES.items() if s in scores or s in OF_VIEWS]


def problem_labels(datasets):
    """{dataset: a short label}: the problem, or where two share it, what differs."""
    words = {dataset: short_label(dataset).split() for dataset in datasets}
    common = set.intersection(*map(set, words.values()))
    problems = list(map(problem_of, datasets))
    return {
        dataset: SHORT.get(problem, problem.replace("_", " "))
        if problems.count(problem) == 1
        else " ".join([w for w in words[dataset] if w not in common] or words[dataset])
        for dataset, problem in zip(datasets, problems)
    }


def columns_in_words(datasets):
    """In their order, "natural img_size=64: sr4, inpainting; chest: ct_sparse"."""
    found = {}
    for dataset in datasets:
        name, *words = short_label(dataset).split()
        found.setdefault(name, []).append(words)
    said = []
    for name, columns in found.items():
        shared = [w for w in columns[0] if all(w in words for words in columns)]
        own = [" ".join(w for w in words if w not in shared) for words in columns]
        own = f": {', '.join(own)}" if any(own) else ""
        said.append(" ".join([name, *shared]) + own)
    return "; ".join(said)


def count(numbers, what):
    """4 images; 4 to 20 images."""
    low, high = min(numbers), max(numbers)
    several = f"{low} to {high}" if low < high else f"{high}"
    return f"{several} {what}{'s' * (high > 1)}"


class Standing:
    """Scores of a column of the table, and which cannot be told from the best.

    Parameters
    ----------
    values : Series {solver: score}, NaN where it diverged.
    draws : list of DataFrames, the scores of each image on each dataset.
        Empty for files of before they were kept: the best alone is in bold.
    score : str
    """

    def __init__(self, values, draws, score):
        self.values, self.best = values, (sign(score) * values).max() * sign(score)
        # The best of some is not the best.
        are_all = all(set(values.dropna().index) <= set(table) for table in draws)
        self.found = compared_to_best(*draws) if draws and are_all else None
        self.digits = 2 if score.startswith("psnr") else 3

    def cell(self, solver):
        """27.05 ±0.12, the first number in bold where it may be the best."""
        value = self.values[solver]
        if np.isnan(value) or value == -np.inf:
            return "diverged"
        is_best, interval = value == self.best, ""
        if self.found is not None and solver in self.found.index:
            found = self.found.loc[solver]
            is_best = found["cannot_be_told_apart"]
            half_width = (found["high"] - found["low"]) / 2
            if 0 < half_width < np.inf and value < np.inf:
                interval = f" ±{half_width:.{self.digits}f}"
        text = "exact" if value == np.inf else number(value, self.digits)
        return (f"**{text}**" if is_best else text) + interval


class Plot(BasePlot):
    """The score that each solver ends with, and its rank, over datasets and problems.

    Rank 1 is the best, and ties share their mean rank. A solver that diverged
    somewhere, or that did not run on all the datasets (``runs`` says on how many it
    did), comes last, and has no mean. An infinite PSNR, that of the truth, is called
    exact.
    """

    name = "ranking"
    type = "table"
    options = {"objective": ..., "data": data_options, "score": score_options}

    def plot(self, df, objective, data, score):
        score = SCORES[score]
        scores = self._scores(df, objective, data, score)
        if scores.empty:
            return []
        labels = problem_labels(scores["dataset_name"].unique())
        by_dataset = (sign(score) * scores[score]).groupby(scores["dataset_name"])
        scores["rank"] = by_dataset.rank(ascending=False, na_option="bottom")
        by_solver = scores.groupby("solver_name", sort=False)
        average, rank = by_solver[score].agg(mean_or_nan), by_solver["rank"].mean()
        complete = by_solver.size() == len(labels)
        has_mean = complete & average.gt(-np.inf)
        origins = values_from(df, objective)
        untuned = {k for k, origin in origins.items() if is_untuned(origin)}

        of_images = draws_of_file(df, objective, score)
        columns = {
            dataset: Standing(
                runs.set_index("solver_name")[score],
                [of_images[dataset]] if dataset in of_images else [],
                score,
            )
            for dataset, runs in scores.groupby("dataset_name")
        }
        ranked = [
            of_images[d][of_images[d].columns.intersection(average.index[has_mean])]
            for d in labels
            if d in of_images
        ]
        means = Standing(
            average[has_mean], ranked if len(ranked) == len(labels) else [], score
        )

        rows = []
        for solver, runs in by_solver:
            cells = dict.fromkeys(labels, "not run")
            for dataset, time in zip(runs["dataset_name"], runs["time"]):
                dagger = DAGGER * ((dataset, solver) in untuned)
                cells[dataset] = (
                    f"{columns[dataset].cell(solver)}{dagger} ({seconds(time)})"
                )
            cells = [wide(cell, labels[dataset]) for dataset, cell in cells.items()]
            if len(labels) > 1:
                no_mean = "diverged" if complete[solver] else "incomplete"
                mean = means.cell(solver) if has_mean[solver] else no_mean
                cells.append(wide(mean, "mean"))
            if not complete.all():
                cells.append(wide(f"{len(runs)}/{len(labels)}", "runs"))
            place = number(rank[solver], 1) if has_mean[solver] else "not ranked"
            rows.append([breakable(short_label(solver)), place, *cells])
        return rows

    def get_metadata(self, df, objective, data, score):
        about = about_run(df)
        scores = self._scores(df, objective, data, SCORES[score])
        of_images = of_data(per_image_scores(df, objective), data)
        if scores.empty:
            return {"title": f"{score}\n{NONE}", "columns": ["solver"]}
        labels = problem_labels(scores["dataset_name"].unique())
        ends = of_data(last_rows(df, objective), data)
        lines = [
            f"{objective}: {about}" if about else objective,
            f"{score}, seconds and rank (#), mean over {self._counts(ends, of_images)}",
            LEGEND if not of_images.empty else "",
        ]
        origins = values_from(df, objective)
        if any(is_untuned(origins.get(key)) for key in zip(*(ends[k] for k in KEYS))):
            lines.append(f"{DAGGER} with values that were not tuned for this problem")
        lines.append(columns_in_words(labels))
        columns = ["solver", RANK, *labels.values()]
        runs = scores.groupby("solver_name").size()
        columns += ["mean"] * (len(labels) > 1)
        columns += ["runs"] * bool((runs < len(labels)).any())
        return {
            "title": "\n".join(filter(None, lines)),
            "columns": columns,
            "default_order_column": RANK,
            "default_order_ascending": True,
        }

    @staticmethod
    def _scores(df, objective, data, score):
        """Final scores of the datasets that have some."""
        scores = of_data(final_scores(df, objective), data)
        scores = scores.reindex(columns=[*KEYS, score, "time"])
        counts = scores.groupby("dataset_name")[score].transform("count")
        return scores[(counts > 0) | (score == "psnr")]

    @staticmethod
    def _counts(ends, of_images):
        n_repetitions = ends.groupby("dataset_name")["idx_rep"].nunique()
        n_images = of_images.groupby("dataset_name")["image"].nunique()
        images = count(n_images, "image") if n_images.size else "the test images"
        return f"{images} and {count(n_repetitions, 'repetition')}"
