from benchopt import BasePlot

from benchmark_utils.scoring import (
    centre,
    decode,
    final_results,
    in_words,
    light,
    picture_psnr,
    short_label,
    with_final_results,
)

# A column is about this wide on the page, which holds all the pictures: larger ones
# are shown by their centre.
MAX_SIDE = 192
NONE = "No iterates here: they are kept of the solvers of fixed points"


def snapshots(final_results):
    """{iteration: list of PNG}; empty in the files of before solvers kept any."""
    return final_results.get("snapshots") or {}


def numbers(pictures):
    """The numbers, from 1, of the pictures that have snapshots."""
    counts = map(len, snapshots(pictures).values())
    return range(1, max(counts, default=0) + 1)


def picture_numbers(df):
    kept = with_final_results(df, "names")["final_results"]
    counts = [len(numbers(pictures)) for pictures in kept]
    return list(range(1, max([1, *counts]) + 1))


def strip(solver, pictures, index, iterations):
    """The row of a solver: the truth, then its iterates, or an empty cell."""
    kept = snapshots(pictures)
    truth = decode(pictures["truth"][index])
    label = f"{short_label(solver)}\nTruth"
    if pictures["measurement"][index] == pictures["truth"][index]:
        label += ", k = 0"
    shown = [{"image": light(centre(truth, MAX_SIDE)), "label": label}]
    for k in iterations:
        image, label = None, ""
        if k in kept:
            iterate = decode(kept[k][index])
            image = light(centre(iterate, MAX_SIDE))
            label = f"k = {k}: {picture_psnr(iterate, truth):.2f} dB"
        shown.append({"image": image, "label": label})
    return shown


class Plot(BasePlot):
    """One picture over the iterations, for the solvers that keep snapshots.

    A row per solver: the truth, then its iterates x_k with the PSNR of the whole
    picture, values clipped to [0, 1]; pictures are those of the first repetition.
    """

    name = "snapshots"
    type = "image"
    options = {"dataset": ..., "objective": ..., "picture": picture_numbers}

    def plot(self, df, dataset, objective, picture):
        rows = self._rows(df, dataset, objective, picture)
        iterations = self._iterations(rows)
        return [
            shown
            for solver, pictures in zip(rows["solver_name"], rows["final_results"])
            for shown in strip(solver, pictures, picture - 1, iterations)
        ] or in_words(NONE)

    def get_metadata(self, df, dataset, objective, picture):
        rows = self._rows(df, dataset, objective, picture)
        title = short_label(dataset)
        if not rows.empty:
            title += f": {rows['final_results'].iloc[0]['names'][picture - 1]}"
        diverged = rows.loc[rows["objective_diverged"] == 1, "solver_name"]
        if not diverged.empty:
            title += f" (diverged: {', '.join(diverged)})"
        return {"title": title, "ncols": 1 + max(1, len(self._iterations(rows)))}

    @staticmethod
    def _iterations(rows):
        """All that some solver kept: the columns."""
        return sorted(set().union(*map(snapshots, rows["final_results"])))

    @staticmethod
    def _rows(df, dataset, objective, picture):
        """One row per solver with such snapshots, in the order of the run."""
        rows = final_results(df, dataset, objective, "names")
        return rows.loc[[picture in numbers(kept) for kept in rows["final_results"]]]
