from benchopt.plotting.default_plots import ObjectiveCurvePlot

from benchmark_utils.scoring import ANOMALY, LAST_ONLY

NO_CURVE = {"objective_name", *(f"objective_{score}" for score in LAST_ONLY)}


def scores_of_curves(df):
    """The columns of the scores that each iterate has."""
    return [
        column
        for column in df
        if column.startswith("objective_")
        and column not in NO_CURVE
        and not column.startswith(ANOMALY)
    ]


class Plot(ObjectiveCurvePlot):
    """benchopt's curves, of the scores that each iterate has, at their own times.

    Under another name: of two plots of one name, benchopt draws both and shows one.
    """

    name = "curves"
    options = {**ObjectiveCurvePlot.options, "objective_column": scores_of_curves}

    def plot(self, df, dataset, objective, objective_column, X_axis):
        # benchopt leaves out the scores that are not there, and not their times.
        df = df.dropna(subset=objective_column)
        return super().plot(df, dataset, objective, objective_column, X_axis)
