import numpy as np
from benchopt import BasePlot

from benchmark_utils.scoring import (
    KEYS,
    last_rows,
    mean_or_nan,
    short_label,
    with_gaps,
    without,
)

COLUMNS = {
    "p_dataset_m": "m",
    "p_dataset_n_operators": "n_operators",
    "objective_recovery": "recovery",
    "objective_recovery_oracle": "expected",
}
NONE = "No curve here: run synthetic_dictionary with several m"
N_DASHES = 24
# plotly's "line-ew", which it draws with a width of 0.
NO_MARKER = 41


def recoveries(df, objective):
    """What was found of the true dictionaries, averaged over the repetitions.

    Returns
    -------
    DataFrame: data (name of the dataset without its m and its number of operators),
    n_operators, solver_name, m, recovery, expected (sqrt(rank / n)). Empty where no
    data were run with several m.
    """
    rows = last_rows(df, objective)
    rows = rows.reindex(columns=[*KEYS, *COLUMNS]).rename(columns=COLUMNS)
    rows = rows.dropna(subset=["m", "n_operators", "expected"])
    rows["data"] = [
        without(without(name, "m"), "n_operators") for name in rows["dataset_name"]
    ]
    keys = ["data", "n_operators", "solver_name", "m"]
    means = rows.groupby(keys)[["recovery", "expected"]].agg(mean_or_nan).reset_index()
    return means[means.groupby("data")["m"].transform("nunique") > 1]


def dashed(x, y):
    """The line through points, cut into dashes: benchopt only draws whole lines.

    Returns
    -------
    x, y : lists of float, with None for each gap.
    """
    ends = np.linspace(x[0], x[-1], 2 * N_DASHES)
    pairs = (v.reshape(-1, 2).tolist() for v in (ends, np.interp(ends, x, y)))
    return [[value for pair in v for value in (*pair, None)] for v in pairs]


class Plot(BasePlot):
    """How much of the true dictionary is learned from m measurements per signal.

    The figure of Malezieux, Michel, Moreau and Kowalski (2024): recovery against the
    number of rows of each sensing matrix. The dashed lines are sqrt(rank / n), what is
    expected of a dictionary that lies in what all the operators see.
    """

    name = "recovery"
    type = "scatter"
    options = {"objective": ...}

    def plot(self, df, objective):
        means = recoveries(df, objective)
        one_data = means["data"].nunique() == 1
        one_number = means["n_operators"].nunique() == 1
        traces = []
        for (data, n), group in means.groupby(["data", "n_operators"]):
            name = f"{n:g} operator{'s' * (n > 1)}"
            if not one_data:
                name += f", {short_label(data)}"
            colour = self.get_style(name)["color"]
            for solver, curve in group.groupby("solver_name"):
                style = self.get_style(solver)
                traces.append(
                    {
                        "x": curve["m"].tolist(),
                        "y": with_gaps(curve["recovery"]),
                        "label": f"{short_label(solver)}, {name}",
                        "color": style["color"] if one_number else colour,
                        "marker": style["marker"],
                    }
                )
            expected = group.groupby("m")["expected"].mean()
            if expected.min() < 1:
                x, y = dashed(expected.index, expected)
                traces.append(
                    {
                        "x": x,
                        "y": y,
                        "label": f"sqrt(rank / n), {name}",
                        "color": colour,
                        "marker": NO_MARKER,
                    }
                )
        return traces

    def get_metadata(self, df, objective):
        data = recoveries(df, objective)["data"].unique()
        shown = f"Data: {', '.join(map(short_label, data))}" if len(data) else NONE
        return {
            "title": f"{objective}\n{shown}",
            "xlabel": "m, rows of each sensing matrix",
            "ylabel": "Recovery of the true dictionary, 1 at best",
            "scale": "linear",
        }
