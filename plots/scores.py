import numpy as np
from benchopt import BasePlot

from benchmark_utils.scoring import final_scores, score_cell, short_label
from benchmark_utils.scoring.page_cells import breakable, number, seconds, wide

# As short as the cells: the page cuts what is longer.
SHORT = {
    "psnr": "PSNR",
    "psnr_min": "worst",
    "psnr_kernel": "ker A",
    "psnr_range": "range",
    "ssim": "SSIM",
    "lpips": "LPIPS",
    "data_fit": "fit",
    "n_network_calls": "calls",
    "fit_time": "learning",
}
LEGEND = (
    "PSNR (dB), that of the worst image, inside (ker A) and outside (range) of ker A"
)
NOT_SHOWN = ["dataset_name", "psnr_std", "diverged"]


def cell(name, value):
    if not np.isfinite(value):
        return score_cell(value) if name == "psnr" else "-"
    if name in ("time", "fit_time"):
        return seconds(value)
    if name == "n_network_calls":
        return f"{value:.0f}"
    if name == "data_fit":
        return number(value, 6)
    return number(value, 2 if name.startswith("psnr") else 4)


class Plot(BasePlot):
    """The final scores of each solver, all those that some solver has."""

    name = "scores"
    type = "table"
    options = {"dataset": ..., "objective": ...}

    def plot(self, df, dataset, objective):
        scores = self._scores(df, dataset, objective)
        return [
            [
                breakable(short_label(solver)),
                *(wide(cell(k, v), SHORT.get(k, k)) for k, v in row.items()),
            ]
            for solver, row in scores.iterrows()
        ]

    def get_metadata(self, df, dataset, objective):
        names = self._scores(df, dataset, objective).columns
        return {
            "title": f"{short_label(dataset)}\n{LEGEND}",
            "columns": ["solver", *(SHORT.get(name, name) for name in names)],
            "default_order_column": "PSNR",
            "default_order_ascending": False,
        }

    @staticmethod
    def _scores(df, dataset, objective):
        """A row per solver; what is 0 for all, or near it for times, is left out."""
        scores = final_scores(df, objective)
        scores = scores[scores["dataset_name"] == dataset].set_index("solver_name")
        scores = scores.drop(columns=NOT_SHOWN, errors="ignore")
        counts = scores.abs().max() > [
            0.01 if name == "fit_time" else 0 for name in scores
        ]
        return scores.loc[:, counts]
