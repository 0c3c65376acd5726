import numpy as np
from benchopt import BasePlot
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from benchmark_utils.common import NotApplicable, one_or_each
from benchmark_utils.scoring import final_scores, in_words, short_label, without

PARAMETERS = {"p_solver_priors": "priors", "p_solver_gamma": "gamma"}
INCHES, DPI = 6, 120
NONE = "No map here: run a solver with two priors and several values of both gamma"


def two_numbers(gamma):
    """0.5+0.25 as [0.5, 0.25]; one number is for both; NaN where it is not numbers."""
    try:
        return one_or_each("gamma", gamma, 2)
    except NotApplicable:
        return [np.nan, np.nan]


def grids(df, dataset, objective):
    """PSNR over gamma_1 (columns) and gamma_2 (rows) of the solvers with two priors.

    Returns
    -------
    dict: {solver without its gamma: (names of the two priors, DataFrame)}. A cell that
    was not run is NaN, one that diverged -inf, one that is exact inf.
    """
    if not set(PARAMETERS) <= set(df):
        return {}
    solvers = df.drop_duplicates("solver_name").set_index("solver_name")
    solvers = solvers[list(PARAMETERS)].rename(columns=PARAMETERS)
    solvers = solvers[solvers["priors"].astype(str).str.count(r"\+") == 1]
    pairs = [two_numbers(gamma) for gamma in solvers["gamma"]]
    gamma_1, gamma_2 = np.reshape(pairs, (-1, 2)).T
    solvers = solvers.assign(gamma_1=gamma_1, gamma_2=gamma_2)

    scores = final_scores(df, objective)
    scores = scores[scores["dataset_name"] == dataset]
    cells = scores.join(solvers, on="solver_name")
    cells = cells.assign(psnr=cells["psnr"].fillna(-np.inf))

    found = {}
    maps = cells["solver_name"].map(lambda solver: without(solver, "gamma"))
    for solver, group in cells.groupby(maps):
        grid = group.groupby(["gamma_2", "gamma_1"])["psnr"].mean().unstack()
        if min(grid.shape) > 1:
            found[solver] = group["priors"].iloc[0].split("+"), grid
    return found


def best_cell(grid):
    """Row, column and PSNR of the best cell; None where all diverged."""
    psnr = grid.fillna(-np.inf).to_numpy()
    row, column = np.unravel_index(psnr.argmax(), psnr.shape)
    if psnr[row, column] == -np.inf:
        return None
    return int(row), int(column), psnr[row, column]


def draw(priors, grid):
    """The map of one grid, its best cell framed: float array (H, W, 3) in [0, 1]."""
    # Figure, and not pyplot, whose figures and backend belong to the caller.
    figure = Figure((INCHES, INCHES), dpi=DPI, layout="constrained")
    axes = figure.subplots()
    axes.set_facecolor("0.9")
    psnr = np.ma.masked_invalid(grid.to_numpy())
    colours = axes.imshow(psnr, origin="lower", aspect="auto")
    axes.set_xlabel(rf"$\gamma_1$: {priors[0]}", fontsize=15)
    axes.set_ylabel(rf"$\gamma_2$: {priors[1]}", fontsize=15)
    axes.set_xticks(range(grid.shape[1]), [f"{gamma:g}" for gamma in grid.columns])
    axes.set_yticks(range(grid.shape[0]), [f"{gamma:g}" for gamma in grid.index])
    axes.tick_params(labelsize=12, length=0)

    style = {"ha": "center", "va": "center", "fontsize": min(14, 75 / max(grid.shape))}
    best = best_cell(grid)
    for (row, column), value in np.ndenumerate(grid.to_numpy()):
        if np.isnan(value):
            continue
        text = "exact" if value > 0 else "diverged"
        colour, weight = "black", "normal"
        if np.isfinite(value):
            text = f"{value:.2f}"
            colour = "white" if colours.norm(value) < 0.6 else "black"
        if best is not None and best[:2] == (row, column):
            weight = "bold"
            corner = column - 0.46, row - 0.46
            frame = Rectangle(corner, 0.92, 0.92, fill=False, edgecolor="red", lw=3)
            axes.add_patch(frame)
        axes.text(column, row, text, color=colour, weight=weight, **style)

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3] / 255


class Plot(BasePlot):
    """PSNR over the weights (gamma_1, gamma_2) of two restoration priors.

    A map per solver and pair of priors, wherever several values of both weights were
    run; its best cell is framed.
    """

    name = "gamma_map"
    type = "image"
    options = {"dataset": ..., "objective": ...}

    def plot(self, df, dataset, objective):
        maps = []
        for solver, (priors, grid) in grids(df, dataset, objective).items():
            label = f"{short_label(solver)}: all diverged"
            best = best_cell(grid)
            if best is not None:
                row, column, psnr = best
                gamma = f"{grid.columns[column]:g}+{grid.index[row]:g}"
                label = f"{short_label(solver)}: best {psnr:.2f} dB, gamma = {gamma}"
            maps.append({"image": draw(priors, grid), "label": label})
        return maps or in_words(NONE)

    def get_metadata(self, df, dataset, objective):
        title = f"{short_label(dataset)}: PSNR (dB) over the weights of the priors"
        return {"title": title, "ncols": 2}
