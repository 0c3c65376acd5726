from benchopt import BasePlot

from benchmark_utils.scoring import final_scores, mean_or_nan, score_cell, short_label


def column_labels(datasets):
    """Short labels, without the name of the dataset where they all have the same."""
    labels = [short_label(dataset) for dataset in datasets]
    if len({label.split()[0] for label in labels}) > 1:
        return labels
    return [label.partition(" ")[2] or label for label in labels]


class Plot(BasePlot):
    """The PSNR that each solver ends with, and its rank, over datasets and problems.

    Rank 1 is the best, ties share their mean rank, solvers that diverged are last. A
    solver is ranked among those that ran on the same dataset; ``runs`` says on how
    many it did. Only those that ran on all can be the best in the means. An infinite
    PSNR, that of the truth, is called exact.
    """

    name = "ranking"
    type = "table"
    options = {"objective": ...}

    def plot(self, df, objective):
        datasets = self._datasets(df, objective)
        scores = final_scores(df, objective)
        by_dataset = scores.groupby("dataset_name")["psnr"]
        scores["rank"] = by_dataset.rank(ascending=False, na_option="bottom")
        by_solver = scores.groupby("solver_name")

        best = by_dataset.max()
        rank, psnr = by_solver["rank"].mean(), by_solver["psnr"].agg(mean_or_nan)
        complete = by_solver.size() == len(datasets)
        best_rank, best_psnr = rank[complete].min(), psnr[complete].max()

        rows = []
        for solver, runs in by_solver:
            final = runs.set_index("dataset_name")["psnr"]
            rows.append(
                [
                    solver,
                    score_cell(
                        rank[solver], complete[solver] and rank[solver] == best_rank
                    ),
                    score_cell(
                        psnr[solver], complete[solver] and psnr[solver] == best_psnr
                    ),
                    f"{len(runs)}/{len(datasets)}",
                    *(
                        score_cell(final[dataset], final[dataset] == best[dataset])
                        if dataset in final
                        else "not run"
                        for dataset in datasets
                    ),
                ]
            )
        return rows

    def get_metadata(self, df, objective):
        columns = column_labels(self._datasets(df, objective))
        return {
            "title": f"{objective}\nPSNR in dB, averaged over the test images",
            "columns": ["solver", "mean rank", "mean PSNR", "runs", *columns],
            "default_order_column": "mean rank",
            "default_order_ascending": True,
        }

    @staticmethod
    def _datasets(df, objective):
        return df.loc[df["objective_name"] == objective, "dataset_name"].unique()
