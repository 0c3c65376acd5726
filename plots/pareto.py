import numpy as np
from benchopt import BasePlot

from benchmark_utils.scoring import final_scores, mean_or_nan, short_label, styles

ALL = "all datasets"
FRONT = "Pareto front"
GREY = (0.6, 0.6, 0.6, 1.0)
OPEN_CIRCLE = 100


def dataset_options(df):
    return [ALL, *df["dataset_name"].unique()]


def pareto_front(points):
    """The points (columns psnr, time) that no other beats in both, fastest first."""
    fastest_first = points.sort_values(["time", "psnr"], ascending=[True, False])
    best_so_far = fastest_first["psnr"].cummax().shift(fill_value=-np.inf)
    return fastest_first[fastest_first["psnr"] > best_so_far]


class Plot(BasePlot):
    """PSNR against time at the end of the curves: a point per solver.

    The grey line goes through the solvers that no other beats in both. Over all
    datasets: mean PSNR and total time of the solvers that have a result on each. An
    infinite PSNR, that of the truth, counts in the front, and the title names it.
    """

    name = "pareto"
    type = "scatter"
    options = {"dataset": dataset_options, "objective": ...}

    def plot(self, df, dataset, objective):
        style = styles(df)
        points, _ = self._points(df, dataset, objective)
        front = pareto_front(points)
        front, drawn = (p[p["psnr"] < np.inf] for p in (front, points))
        traces = [
            {
                "x": front["time"].tolist(),
                "y": front["psnr"].tolist(),
                "label": FRONT,
                "color": GREY,
                "marker": OPEN_CIRCLE,
            }
        ]
        for solver, point in drawn.iterrows():
            traces.append(
                {
                    "x": [point["time"]],
                    "y": [point["psnr"]],
                    "label": solver,
                    **style[solver],
                }
            )
        return traces

    def get_metadata(self, df, dataset, objective):
        points, left_out = self._points(df, dataset, objective)
        title = f"{objective}\n{short_label(dataset)}"
        exact = points.index[points["psnr"] == np.inf]
        if len(exact):
            title += f"\nExact, above all points: {', '.join(exact)}"
        if left_out:
            title += f"\nLeft out, not run or diverged: {', '.join(left_out)}"
        whole = dataset == ALL
        return {
            "title": title,
            "xlabel": f"{'Total time' if whole else 'Time'} (s), learning apart",
            "ylabel": "Mean PSNR (dB)" if whole else "PSNR (dB)",
            "scale": "semilog-x",
        }

    @staticmethod
    def _points(df, dataset, objective):
        scores = final_scores(df, objective)
        solvers = scores["solver_name"].unique()
        if dataset != ALL:
            scores = scores[scores["dataset_name"] == dataset]
        points = scores.groupby("solver_name").agg(
            psnr=("psnr", mean_or_nan), time=("time", "sum"), runs=("time", "size")
        )
        complete = points["runs"] == scores["dataset_name"].nunique()
        points = points[complete & (points["psnr"] > -np.inf)]
        return points, [solver for solver in solvers if solver not in points.index]
