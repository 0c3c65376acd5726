from benchopt import BasePlot

from benchmark_utils.results import final_scores, mean_or_nan, short_label

SUMMARY = ["mean rank", "mean PSNR"]


class Plot(BasePlot):
    """The PSNR that each solver ends with, and its rank, over datasets and problems.

    Rank 1 is the best, ties share their mean rank, solvers that diverged are last. A
    solver is ranked among those that ran on the same dataset; ``runs`` says on how
    many it did. Only those that ran on all can be the best in the means.
    """

    name = "ranking"
    type = "table"
    options = {"objective": ...}

    def plot(self, df, objective):
        scores = final_scores(df, objective)
        by_dataset = scores.groupby("dataset_name")["psnr"]
        scores["rank"] = by_dataset.rank(ascending=False, na_option="bottom")
        by_solver = scores.groupby("solver_name")

        psnr = scores.pivot(index="solver_name", columns="dataset_name", values="psnr")
        psnr = psnr[scores["dataset_name"].unique()]
        runs = by_solver.size()
        complete = runs == psnr.shape[1]

        table = psnr.copy()
        table.insert(0, "mean rank", by_solver["rank"].mean())
        table.insert(1, "mean PSNR", by_solver["psnr"].agg(mean_or_nan))
        best = psnr.max()
        best["mean rank"] = table.loc[complete, "mean rank"].min()
        best["mean PSNR"] = table.loc[complete, "mean PSNR"].max()

        ran = set(zip(scores["solver_name"], scores["dataset_name"]))
        return [
            [solver]
            + [
                self._cell(
                    value,
                    is_best=value == best[column]
                    and (column not in SUMMARY or complete[solver]),
                    ran=column in SUMMARY or (solver, column) in ran,
                )
                for column, value in row.items()
            ]
            + [f"{runs[solver]}/{psnr.shape[1]}"]
            for solver, row in table.iterrows()
        ]

    @staticmethod
    def _cell(value, is_best, ran):
        if not ran:
            return "not run"
        if value != value:
            return "diverged"
        return f"**{value}**" if is_best else value

    def get_metadata(self, df, objective):
        datasets = final_scores(df, objective)["dataset_name"].unique()
        return {
            "title": f"{objective}\nPSNR in dB, averaged over the test images",
            "columns": ["solver", *SUMMARY, *map(short_label, datasets), "runs"],
            "default_order_column": "mean rank",
            "default_order_ascending": True,
        }
