"""Trainings from several seeds as one solver: their mean, and their spread."""

from benchmark_utils.scoring.results import KEYS, OF_IMAGES, mean_or_nan, without


def without_seed(name):
    """The name of a solver without its seed: U-Net of U-Net[seed=1]."""
    return without(name, "seed")


def over_seeds(scores, of_images=None):
    """Rows that differ in their seed alone as one: means, and the spread of each score.

    Each image has the mean of its scores over the seeds, so that an interval is that
    of the images; how much a training depends on its seed is in the spread.

    Parameters
    ----------
    scores : DataFrame, with KEYS and scores: a row for each dataset and solver.
    of_images : DataFrame or None, what ``per_image_scores`` gives.

    Returns
    -------
    scores : DataFrame
        With {score}_spread, the standard deviation over the seeds of each column of
        numbers, NaN where there is one. Other columns are those of the first. What is
        given, where no name has a seed.
    of_images : DataFrame or None
    """
    named = scores.assign(solver_name=scores["solver_name"].map(without_seed))
    if named["solver_name"].equals(scores["solver_name"]):
        return scores, of_images
    numbers = list(scores.select_dtypes("number"))
    groups = named.groupby(KEYS, sort=False)
    found = groups.first()
    found[numbers] = groups[numbers].agg(mean_or_nan)
    found = found.join(groups[numbers].std().add_suffix("_spread"))
    if of_images is not None and not of_images.empty:
        drawn = [*KEYS, "repetition", "image"]
        of_images = of_images.assign(
            solver_name=of_images["solver_name"].map(without_seed)
        )
        kept = [score for score in OF_IMAGES if score in of_images]
        means = of_images.groupby(drawn, sort=False)[kept]
        of_images = means.agg(mean_or_nan).reset_index()
    return found.reset_index(), of_images
