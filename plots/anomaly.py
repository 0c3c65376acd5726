from benchopt import BasePlot

from benchmark_utils.scoring import (
    ANOMALY,
    last_rows,
    mean_or_nan,
    score_cell,
    short_label,
)

TRUTH = "_truth"
SCALE = "Anomaly: 10 log10 of ||x - T(x)||^2 per value (dB), low where x suits prior T"
NONE = "No scores here: run with the objective's anomaly set, to denoiser+sr2 say"


class Plot(BasePlot):
    """How far the results and the truth are from restoration priors.

    A row per solver and one for the truth, averaged over images and repetitions; the
    lowest of each column is in bold. A result below the truth suits the prior more
    than a real image does: it is too smooth, say.
    """

    name = "anomaly"
    type = "table"
    options = {"dataset": ..., "objective": ...}

    def plot(self, df, dataset, objective):
        rows = self._rows(df, dataset, objective)
        tasks = self._tasks(rows)
        if not tasks:
            return []
        scored = [f"{ANOMALY}{task}" for task in tasks]
        by_solver = rows.groupby("solver_name", sort=False)
        scores = by_solver[["objective_psnr", *scored]].agg(mean_or_nan)
        # It is the same for all solvers, but those that diverged don't have it.
        by_repetition = rows.groupby("idx_rep")
        truth = by_repetition[[f"{name}{TRUTH}" for name in scored]].first().mean()
        truth.index = scored
        lowest = scores[scored].min().combine(truth, min)

        def cells(values):
            return [
                score_cell(values[name], values[name] == lowest[name])
                for name in scored
            ]

        table = [
            [short_label(solver), score_cell(values["objective_psnr"]), *cells(values)]
            for solver, values in scores.iterrows()
        ]
        return [*table, ["truth", "", *cells(truth)]]

    def get_metadata(self, df, dataset, objective):
        tasks = self._tasks(self._rows(df, dataset, objective))
        return {
            "title": f"{short_label(dataset)}\n{SCALE if tasks else NONE}",
            "columns": ["solver", "PSNR", *tasks],
            "default_order_column": tasks[0] if tasks else "solver",
            "default_order_ascending": True,
        }

    @staticmethod
    def _rows(df, dataset, objective):
        rows = last_rows(df, objective)
        return rows[rows["dataset_name"] == dataset]

    @staticmethod
    def _tasks(rows):
        """The priors whose distance to the truth was scored in these rows."""
        return [
            column.removeprefix(ANOMALY).removesuffix(TRUTH)
            for column in rows.filter(regex=f"^{ANOMALY}.*{TRUTH}$")
            if rows[column].notna().any()
        ]
