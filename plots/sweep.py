import numpy as np
import pandas as pd
from benchopt import BasePlot

from benchmark_utils.physics import ALL_PROBLEMS, default_strength
from benchmark_utils.scoring import (
    SCORE_NAMES,
    final_scores,
    short_label,
    styles,
    with_gaps,
    without,
)

STRENGTHS = {
    "missing": "Share of missing pixels",
    "blur_std": "Standard deviation of the blur (pixels)",
    "noise_level": "Standard deviation of the noise",
    "gain": "Gain of the noise: its variance over the signal",
    "factor": "Downsampling factor",
    "acceleration": "Acceleration",
    "n_coils": "Number of coils",
    "n_angles": "Number of angles",
    "angular_range": "Angular range (degrees)",
    "photons": "Photons per ray",
    "told_noise": "Deviation of the noise that solvers are told, over the true one",
    "told_blur": "Width of the kernel that solvers are told, over the true one",
    "told_rotation": "Rotation of the kernel that solvers are told (degrees)",
    "map_error": "Error of the coil maps that solvers are told",
    "centre_error": "Error of the centre of rotation that solvers are told (bins)",
    "masks": "Number of masks (0: one for each image)",
    "n_train": "Number of training images",
}
LOGARITHMIC = {"n_train"}
COLUMNS = [f"p_dataset_{name}" for name in ("problem", *STRENGTHS)]
SCORES = ("psnr_kernel", "psnr_range", "psnr")
NONE = "No curve here: run a problem with several values of its strength"
# An option is a part of the names of files.
NO_PROBLEM = "none"


def sweeps_over(strength, datasets):
    """The sets of datasets that differ by this strength and by nothing else.

    Parameters
    ----------
    datasets : DataFrame
        A row per dataset, its index the names and its columns ``COLUMNS``.

    Returns
    -------
    list of (problem, data, strength, values): ``data`` is the name that is left without
    the strength, and ``values`` a Series of float, {dataset_name: value}.
    """
    problems = datasets["p_dataset_problem"]
    # Some have words where others have numbers: masks=per_image.
    values = pd.to_numeric(datasets[f"p_dataset_{strength}"], errors="coerce")
    defaults = problems.map(lambda p: default_strength(p, strength, ALL_PROBLEMS))
    values = values.fillna(pd.to_numeric(defaults, errors="coerce"))
    groups = values.groupby(lambda dataset: without(dataset, strength))
    return [
        (problems[group.index[0]], data, strength, group)
        for data, group in groups
        if group.nunique() > 1
    ]


def sweeps(df):
    """All the sweeps of a run, by a short label.

    The label is the problem, with what tells the data of this sweep from the others',
    and with the strength where the same data were swept over several.

    Returns
    -------
    dict: {label: (problem, data, strength, values)}
    """
    datasets = df.drop_duplicates("dataset_name").set_index("dataset_name")
    datasets = datasets.reindex(columns=COLUMNS).dropna(subset="p_dataset_problem")
    found = [sweep for name in STRENGTHS for sweep in sweeps_over(name, datasets)]
    words = [short_label(data).split() for _, data, *_ in found]
    labels = [
        " ".join(
            word
            for word in label
            if word == problem or not all(word in others for others in words)
        )
        for label, (problem, *_) in zip(words, found)
    ]
    return {
        label if labels.count(label) == 1 else f"{label} {sweep[2]}": sweep
        for label, sweep in zip(labels, found)
    }


def problem_options(df):
    return list(sweeps(df)) or [NO_PROBLEM]


class Plot(BasePlot):
    """Scores against the strength of a problem, wherever several values were run.

    The error inside ker A, where the prior is alone, is apart from the error outside of
    it, of which the measurements tell.
    """

    name = "sweep"
    type = "scatter"
    options = {"objective": ..., "problem": problem_options, "score": list(SCORES)}

    def plot(self, df, objective, problem, score):
        scores, style = self._scores(df, objective, problem), styles(df)
        return [
            {
                "x": curve["strength"].tolist(),
                "y": with_gaps(curve[score]),
                "label": solver,
                **style[solver],
            }
            for solver, curve in scores.groupby("solver_name")
            if curve[score].notna().any()
        ]

    def get_metadata(self, df, objective, problem, score):
        scores = self._scores(df, objective, problem)
        _, data, strength, _ = sweeps(df).get(problem, ("", "", "", {}))
        title = f"{objective}\n{f'Data: {short_label(data)}' if data else NONE}"
        psnr = scores["psnr"].fillna(-np.inf)
        for what, value in {"Diverged": -np.inf, "Exact": np.inf}.items():
            solvers = scores.loc[psnr == value, "solver_name"].unique()
            if len(solvers):
                title += f"\n{what} where there is no point: {', '.join(solvers)}"
        return {
            "title": title,
            "xlabel": STRENGTHS.get(strength, ""),
            "ylabel": SCORE_NAMES[score],
            "scale": "semilog-x" if strength in LOGARITHMIC else "linear",
        }

    @staticmethod
    def _scores(df, objective, problem):
        """Final scores, of the weakest problem first, with a column ``strength``."""
        *_, values = sweeps(df).get(problem, ("", "", "", {}))
        scores = final_scores(df, objective)
        scores = scores.reindex(columns=["dataset_name", "solver_name", *SCORES])
        scores["strength"] = scores["dataset_name"].map(values)
        return scores.dropna(subset="strength").sort_values("strength")
