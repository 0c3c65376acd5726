import numpy as np
from benchopt.plotting.default_plots import ObjectiveCurvePlot

from benchmark_utils.scoring import (
    ANOMALY,
    LAST_ONLY,
    SCORE_NAMES,
    short_label,
    styles,
    versions_apart,
    with_gaps,
)

NO_CURVE = ["name", "diverged", "psnr_std", "fit_time", "n_network_calls", *LAST_ONLY]
CALLS = "objective_n_network_calls"
# What benchopt reads beside the score: other columns would be copied for nothing.
OF_CURVES = [
    *("dataset_name", "objective_name", "solver_name"),
    *("idx_rep", "stop_val", "time"),
]
TIME, ITERATION, NETWORK_CALLS = "time", "iteration", "network calls"
AXES = {
    TIME: "Time (seconds), learning apart",
    ITERATION: "Iteration",
    NETWORK_CALLS: "Network calls per test image",
}
NONE = "No solver here calls a network of the benchmark"
# dB below the best last point; and points of a curve, whose markers stay apart.
DEPTH = 20
MAX_POINTS = 25


def scores_of_curves(df):
    """{name in words: column} of the scores that each iterate has."""
    columns = [
        column
        for column in df
        if column.startswith("objective_")
        and column.removeprefix("objective_") not in NO_CURVE
        and not column.startswith(ANOMALY)
        and (df[column].notna().any() or column == "objective_psnr")
    ]
    names = [column.removeprefix("objective_") for column in columns]
    words = [SCORE_NAMES.get(name, name.replace("_", " ")) for name in names]
    return dict(zip(words, columns))


def score_options(df):
    return list(scores_of_curves(df))


def spaced(x):
    """At most MAX_POINTS indices of increasing x, evenly on a logarithmic axis."""
    if len(x) <= MAX_POINTS:
        return range(len(x))
    wanted = np.geomspace(max(x[0], x[-1] * 1e-6), x[-1], MAX_POINTS)
    found = np.unique(np.searchsorted(x, wanted).clip(max=len(x) - 1))
    return [0, *found[found > 0]]


class Plot(ObjectiveCurvePlot):
    """Scores of the iterates, against time, iterations or calls of networks.

    PSNRs far below the best are left out, so that a solver that diverges doesn't
    squeeze the others. The view has a name of its own: of two plots of one name,
    benchopt draws both and shows one.
    """

    name = "curves"
    _file = None
    options = {"dataset": ..., "objective": ...}
    options |= {"score": score_options, "against": list(AXES)}

    def plot(self, df, dataset, objective, score, against):
        style, curves = styles(df), self._curves(df, dataset, objective, score, against)
        lowest = self._lowest(curves, score)
        drawn = []
        for curve in curves:
            y = with_gaps(v if v >= lowest else np.nan for v in curve["y"])
            chosen = spaced(curve["x"])
            curve = curve | {"y": y} | style[curve["label"]]
            for key in {"x", "y", "x_low", "x_high"} & set(curve):
                curve[key] = [curve[key][i] for i in chosen]
            if any(value is not None for value in curve["y"]):
                drawn.append(curve)
        return drawn

    def get_metadata(self, df, dataset, objective, score, against):
        curves = self._curves(df, dataset, objective, score, against)
        lowest = self._lowest(curves, score)
        low = [c["label"] for c in curves if np.nanmin([*c["y"], np.inf]) < lowest]
        title = f"{objective}\n{short_label(dataset)}"
        if low:
            title += f"\nNot drawn below {lowest:.1f} dB: {', '.join(low)}"
        if against == NETWORK_CALLS:
            title += (
                "\nSolvers without networks are left out" if curves else f"\n{NONE}"
            )
        return {"title": title, "xlabel": AXES[against], "ylabel": score}

    def _curves(self, df, dataset, objective, score, against):
        """benchopt's, of all the points: dicts of x, y, label and quantiles of x."""
        column = scores_of_curves(df)[score]
        axis = "Time" if against == TIME else "Iteration"
        curves = self._of_benchopt(df, dataset, objective, column, column, axis)
        if against == NETWORK_CALLS and CALLS not in df:
            return []
        if against == NETWORK_CALLS:
            calls = self._of_benchopt(df, dataset, objective, CALLS, column, axis)
            curves = [c | {"x": n["y"]} for c, n in zip(curves, calls)]
            curves = [c for c in curves if c["x"][-1] > 0]
        return curves

    def _of_benchopt(self, df, dataset, objective, column, present, axis):
        """Its curves of a column, where another one is present.

        They are made once for all the choices: benchopt asks for the data and for the
        title apart, and axes share their values.
        """
        if self._file is not df:
            self._file, self._made = df, {}
            self._rows = versions_apart(df)
        asked = dataset, objective, column, present, axis
        if asked not in self._made:
            rows = self._rows[self._rows["dataset_name"] == dataset]
            # benchopt leaves out the scores that are not there, and not their times.
            rows = rows.dropna(subset=present)[[*OF_CURVES, column]]
            self._made[asked] = super().plot(rows, dataset, objective, column, axis)
        return self._made[asked]

    @staticmethod
    def _lowest(curves, score):
        """The lowest PSNR that is drawn."""
        last = [c["y"][-1] for c in curves if np.isfinite(c["y"][-1])]
        return max(last) - DEPTH if last and score.startswith("PSNR") else -np.inf
