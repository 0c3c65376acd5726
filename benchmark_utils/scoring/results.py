"""Reading benchopt's results: the last row of each curve, and its scores."""

import math
import re

SCORES = [
    "psnr",
    "psnr_std",
    "psnr_min",
    "ssim",
    "lpips",
    "nmse",
    "haarpsi",
    "data_fit",
    "psnr_range",
    "psnr_kernel",
    "diverged",
    "recovery",
    "recovery_oracle",
    "kernel_norm",
    "cost",
    "fit_time",
    "n_network_calls",
]
ANOMALY = "objective_anomaly_"
KEYS = ["dataset_name", "solver_name"]


def mean_or_nan(values):
    """The mean; NaN where a value is NaN: a run that diverged must not be hidden."""
    return values.mean(skipna=False)


def score_cell(score, is_best=False):
    """A score as tables show it, the best in bold.

    NaN and -inf are those of a solver that diverged; inf, of the truth, is "exact".
    """
    if math.isnan(score) or score == -math.inf:
        return "diverged"
    shown = "exact" if score == math.inf else score
    return f"**{shown}**" if is_best else shown


def short_label(dataset_name):
    """The name as titles show it: natural[problem=sr4] is "natural sr4"."""
    label = re.sub(r"problem=([^,\]]+)", r"\1", dataset_name)
    return label.replace("[", " ").replace("]", "").replace(",", " ")


def without(name, parameter):
    """The name of a solver or a dataset with one parameter less."""
    return re.sub(rf"(?<=[\[,]){parameter}=[^,\]]*,?", "", name)


def with_gaps(values):
    """The points of a curve, with a gap (None) where a value is NaN or infinite."""
    return [float(value) if math.isfinite(value) else None for value in values]


def last_rows(df, objective=None):
    """The last row of each curve: one per dataset, objective, solver and repetition."""
    if objective is not None:
        df = df[df["objective_name"] == objective]
    curve = ["dataset_name", "objective_name", "solver_name", "idx_rep"]
    return df.sort_values("stop_val", kind="stable").groupby(curve, sort=False).tail(1)


def with_final_results(df, key):
    """The rows whose final results have ``key``.

    They are what the objective's save_final_results returns: a dict or None. A result
    file has no such column where it was always None.
    """
    if "final_results" not in df:
        df = df.assign(final_results=None)
    return df.loc[[isinstance(d, dict) and key in d for d in df["final_results"]]]


def final_results(df, dataset, objective, key):
    """One row per solver whose final results have ``key``, in the order of the run.

    They are those of the first repetition that has some.
    """
    rows = last_rows(df[df["dataset_name"] == dataset], objective).sort_index()
    return with_final_results(rows, key).drop_duplicates("solver_name")


def final_scores(df, objective=None):
    """Final scores of each dataset and solver, averaged over the repetitions.

    Parameters
    ----------
    df : DataFrame of a benchopt result file.
    objective : str or None
        Keep one objective only.

    Returns
    -------
    DataFrame: dataset_name, solver_name, the scores that were measured, time (s).
    """
    rows = last_rows(df, objective)
    asked_for = [column for column in rows if column.startswith(ANOMALY)]
    scores = rows[[*rows.filter([f"objective_{s}" for s in SCORES]), *asked_for]]
    scores.columns = scores.columns.str.removeprefix("objective_")
    scores = rows[KEYS].join(scores).assign(time=rows["time"])
    return scores.groupby(KEYS, sort=False).agg(mean_or_nan).reset_index()
