"""Reading benchopt's results: the last row of each curve, and its scores."""

import json
import math
import re
from functools import wraps

import pandas as pd

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
# The scores that are kept of each image; only the last iterate has LAST_ONLY.
LAST_ONLY = ["ssim", "lpips", "psnr_range", "psnr_kernel", "nmse", "haarpsi"]
OF_IMAGES = ["psnr", *LAST_ONLY]
ANOMALY = "objective_anomaly_"
KEYS = ["dataset_name", "solver_name"]
METHOD = ["dataset_name", "objective_name", "solver_name"]


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
    left = re.sub(rf"(?<=[\[,]){parameter}=[^,\]]*,?", "", name)
    return left.replace(",]", "]").replace("[]", "")


def with_gaps(values):
    """The points of a curve, with a gap (None) where a value is NaN or infinite."""
    return [float(value) if math.isfinite(value) else None for value in values]


def check_one_objective(df):
    """Raise ``ValueError`` for results of several, which would be averaged.

    Or for a table of results/, which has no curves.
    """
    if "stop_val" not in df:
        raise ValueError(
            "This is not the result file of a run (a published table?): give one of "
            "outputs/."
        )
    objectives = sorted(df["objective_name"].unique())
    if len(objectives) > 1:
        raise ValueError(
            f"These results have several objectives ({', '.join(objectives)}): give a "
            "file with one of them."
        )


def of_datasets(df, pattern):
    """The rows of the datasets whose name has ``pattern`` in it.

    Raises
    ------
    ValueError
        There are none; the sentence says which there are.
    """
    chosen = df[df["dataset_name"].str.contains(pattern, regex=False)]
    if chosen.empty:
        known = ", ".join(df["dataset_name"].unique())
        raise ValueError(f"No name of a dataset has {pattern} in it: {known}.")
    return chosen


def kept_of_file(read):
    """``read(df, ...)``, which is worked out once for the DataFrame of a result file.

    The views of a dashboard ask hundreds of times for the same of one file. What they
    are given is a copy; the file must not be changed in place meanwhile.
    """
    kept = {"file": None}

    @wraps(read)
    def found(df, *args):
        if kept["file"] is not df:
            kept.clear()
            kept["file"] = df
        if args not in kept:
            kept[args] = read(df, *args)
        return kept[args].copy()

    return found


def paths_apart(df):
    """The rows, where runs of several paths have one name, renamed.

    Names show the end of a path alone: each says in the name of the solver which one it
    is of.
    """
    for column in df.filter(regex="^p_(dataset|solver)_"):
        values = df[column].map(str)
        if not any("/" in value for value in values.unique()):
            continue
        several = values.groupby([df[key] for key in METHOD]).transform("nunique") > 1
        if several.any():
            parameter = column.split("_", 2)[2]
            longer = df["solver_name"] + f" ({parameter}=" + values + ")"
            df = df.assign(solver_name=df["solver_name"].mask(several, longer))
    return df


def versions_apart(df):
    """The rows, where several versions of the code made curves of one name, renamed.

    ``benchopt merge`` puts them under one name: each says in the name of the solver
    which code it is of. The last row of a curve alone carries its code, and all the
    rows of a file have one date. Those of several paths are told apart as well.
    """
    df = paths_apart(df)
    if "final_results" not in df:
        return df
    columns = [df[k].tolist() for k in (*METHOD, "idx_rep", "run_date") if k in df]
    runs, code_of_run, codes_of_curve = list(zip(*columns)), {}, {}
    for run, kept in zip(runs, df["final_results"]):
        code_of_run[run] = code_of(kept) or code_of_run.get(run, "")
    for run, code in code_of_run.items():
        codes_of_curve.setdefault(run[: len(METHOD)], set()).add(code)
    # Views ask for this hundreds of times, mostly of files with one version.
    if all(len(codes) == 1 for codes in codes_of_curve.values()):
        return df
    names = [
        f"{solver} (code {code_of_run[run][:6] or 'unknown'})"
        if len(codes_of_curve[run[: len(METHOD)]]) > 1
        else solver
        for solver, run in zip(df["solver_name"], runs)
    ]
    return df.assign(solver_name=names)


@kept_of_file
def last_rows(df, objective=None):
    """The last row of each curve: one per dataset, objective, solver and repetition."""
    if objective is not None:
        df = df[df["objective_name"] == objective]
    rows = versions_apart(df)
    # The columns of curves alone are sorted: views ask for this hundreds of times.
    order = rows["stop_val"].to_numpy().argsort(kind="stable")
    curves = rows[[*METHOD, "idx_rep"]].iloc[order]
    return rows.iloc[order[~curves.duplicated(keep="last").to_numpy()]]


def code_of(final_results):
    """The digest of the code that made a row, or None."""
    return final_results.get("code") if isinstance(final_results, dict) else None


def with_final_results(df, key):
    """The rows whose final results have ``key``.

    They are what the objective's save_final_results returns: a dict or None. A result
    file has no such column where it was always None.
    """
    if "final_results" not in df:
        df = df.assign(final_results=None)
    return df.loc[[isinstance(d, dict) and key in d for d in df["final_results"]]]


@kept_of_file
def final_results(df, dataset, objective, key):
    """One row per solver whose final results have ``key``, in the order of the run.

    They are those of the first repetition that has some.
    """
    rows = last_rows(df, objective)
    rows = rows[rows["dataset_name"] == dataset].sort_index()
    return with_final_results(rows, key).drop_duplicates("solver_name")


@kept_of_file
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


@kept_of_file
def per_image_scores(df, objective=None):
    """The scores of each image with the last iterates of a benchopt result file.

    Returns
    -------
    DataFrame: dataset_name, solver_name, repetition, image, then OF_IMAGES. Empty for
    files of before they were kept, and for vectors.
    """
    rows = with_final_results(last_rows(df, objective), "per_image")
    keys = [*KEYS, "idx_rep"]
    tables = [
        pd.DataFrame({**dict(zip([*KEYS, "repetition"], key)), **json.loads(text)})
        for *key, text in zip(
            *(rows[key] for key in keys),
            (kept["per_image"] for kept in rows["final_results"]),
        )
    ]
    scores = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()
    return scores.rename(columns={"name": "image"}).reindex(
        columns=[*KEYS, "repetition", "image", *OF_IMAGES]
    )


def packed(scores):
    """What ``per_image_scores`` gives, as a JSON text per dataset and solver: Series.

    ``unpacked`` reads it again, with the names of the datasets and solvers.
    """
    texts = {
        key: json.dumps(rows.to_dict("list"))
        for key, rows in scores.groupby(KEYS, sort=False)
    }
    return pd.Series(texts).rename_axis(KEYS)


def unpacked(texts):
    """A table of the texts that ``packed`` made of each dataset and solver.

    Scores that were not kept then are NaN.
    """
    kept = [json.loads(text) for text in texts]
    # One table of all the rows: a table of each text would take a second for 200.
    rows = [dict(zip(each, row)) for each in kept for row in zip(*each.values())]
    scores = pd.DataFrame(rows)
    return scores.reindex(columns=list(dict.fromkeys([*scores, *OF_IMAGES])))


@kept_of_file
def values_from(df, objective=None):
    """Where the hyper-parameters of a dataset and solver come from: {KEYS: str}.

    "tuned", "given", "default", or "borrowed from ..."; files of before this was kept
    give none.
    """
    rows = with_final_results(last_rows(df, objective), "run")
    return {
        (row["dataset_name"], row["solver_name"]): json.loads(
            row["final_results"]["run"]
        ).get("values_from", "")
        for row in rows.to_dict("records")
    }


def is_untuned(origin):
    """Whether values that come from there were not tuned for this very problem."""
    return any(word in str(origin) for word in ("default", "borrowed"))
