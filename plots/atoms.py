import math

from benchopt import BasePlot

from benchmark_utils.scoring import decode, final_results, in_words, short_label

# The page shows a picture in its own size, in pixels.
MIN_WIDTH = 400
NONE = "No atoms here: they are those of the dictionaries that a solver has learned"


def enlarged(picture):
    """The picture, of MIN_WIDTH at least, by a whole factor."""
    factor = math.ceil(MIN_WIDTH / picture.shape[1])
    return picture.repeat(factor, 0).repeat(factor, 1)


class Plot(BasePlot):
    """The atoms that each dictionary solver has learned, all of them on one sheet.

    Each atom is scaled by its largest absolute value, and 0 is mid-grey; atoms are
    those of the first repetition.
    """

    name = "atoms"
    type = "image"
    options = {"dataset": ..., "objective": ...}

    def plot(self, df, dataset, objective):
        rows = final_results(df, dataset, objective, "atoms")
        return [
            {
                "image": enlarged(decode(kept["atoms"])) / 255,
                "label": short_label(solver),
            }
            for solver, kept in zip(rows["solver_name"], rows["final_results"])
        ] or in_words(NONE)

    def get_metadata(self, df, dataset, objective):
        return {"title": f"{short_label(dataset)}: learned atoms", "ncols": 2}
