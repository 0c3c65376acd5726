"""Reading benchopt's result files: the final row of each curve, and its scores."""

import pandas as pd

SCORES = [
    "psnr",
    "psnr_std",
    "psnr_min",
    "ssim",
    "lpips",
    "data_fit",
    "psnr_range",
    "psnr_kernel",
    "fit_time",
    "n_network_calls",
]
RUN = ["dataset_name", "objective_name", "solver_name", "idx_rep"]


def final_rows(rows):
    """The last row of each curve of a benchopt DataFrame, whatever its scores."""
    return rows.sort_values("stop_val", kind="stable").groupby(RUN, sort=False).tail(1)


def final_scores(results):
    """Final scores of a result file, averaged over the repetitions.

    Parameters
    ----------
    results : path of a parquet file.

    Returns
    -------
    DataFrame: dataset_name, solver_name, the scores that were measured, and time (s).
    """
    rows = final_rows(pd.read_parquet(results))
    scores = rows.filter([f"objective_{score}" for score in SCORES])
    scores.columns = scores.columns.str.removeprefix("objective_")
    keys = ["dataset_name", "solver_name"]
    scores = rows[[*keys, "time"]].join(scores)
    # A mean that skipped NaN would hide a repetition that diverged.
    means = scores.groupby(keys, sort=False).agg(lambda x: x.mean(skipna=False))
    return means[[*means.columns.drop("time"), "time"]].reset_index()
