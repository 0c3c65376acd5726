"""What the differences between solvers are worth: intervals and tests, paired by image.

Solvers are compared on the same images and the same draws of noise and operators. The
draws of an image are its own: they are averaged first, and images are resampled, each
with all of its draws (a cluster bootstrap; to resample the draws again would count
their spread twice: Davison and Hinkley, 1997, section 3.8).
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from benchmark_utils.scoring.results import kept_of_file, per_image_scores

LEVEL = 0.95
N_RESAMPLES = 9999
SEED = 0
LOWER_IS_BETTER = (
    "lpips",
    "nmse",
    "data_fit",
    "cost",
    "time",
    "fit_time",
    "n_network_calls",
)
TOGETHER = "cannot_be_told_apart"


def paired_interval(*groups, level=LEVEL):
    """Confidence interval of a mean difference, by bootstrap over the images.

    The percentile interval, which is too narrow for few images, is widened around the
    mean by sqrt(n / (n - 1)) t / z, with t and z the quantiles of Student's law of
    n - 1 degrees of freedom and of the normal law, in the spirit of Hesterberg (2015,
    "What teachers should know about the bootstrap", section 4.3), who widens the
    percentiles. Where differences are skewed, it covers less than ``level``, as
    Student's interval does. One image tells nothing: the interval is infinite.

    Parameters
    ----------
    groups : arrays (n, ...), the differences of n images, the mean of their draws.
        Of several groups, with images of their own, the interval is that of the sum
        of the means.
    level : float

    Returns
    -------
    low, high : arrays (...)
    """
    groups = [np.asarray(group, float) for group in groups]
    centre = sum(group.mean(0) for group in groups)
    n = min(len(group) for group in groups)
    if n < 2:
        return centre - np.inf, centre + np.inf
    finite = np.isfinite(centre)
    resampled = stats.bootstrap(
        [np.where(finite, group, 0) for group in groups],
        lambda *samples, axis: sum(sample.mean(axis) for sample in samples),
        axis=0,
        vectorized=True,
        n_resamples=N_RESAMPLES,
        batch=500,
        confidence_level=level,
        method="percentile",
        rng=np.random.default_rng(SEED),
    ).confidence_interval
    quantile = 0.5 + level / 2
    wider = stats.t.ppf(quantile, n - 1) / stats.norm.ppf(quantile)
    wider *= np.sqrt(n / (n - 1))
    middle = np.where(finite, centre, 0)
    ends = (middle + wider * (end - middle) for end in resampled)
    return tuple(np.where(finite, end, centre) for end in ends)


def sign(score):
    """1, or -1 where the best score is the lowest."""
    return -1 if score in LOWER_IS_BETTER else 1


def draws(scores, score="psnr"):
    """The scores of each draw of each image, a column per solver; the best is highest.

    An image that no solver has a score of (nothing is lost, say) is left out. Where a
    solver alone has none, and no PSNR, it diverged: -inf. With a PSNR, this score was
    not kept, which older files did not do: it counts as not run.

    Parameters
    ----------
    scores : DataFrame, what ``per_image_scores`` gives.
    score : str, one of its columns.

    Returns
    -------
    dict {dataset_name: DataFrame}, with an index (image, repetition); NaN where a
    solver was not run.
    """
    scores = scores.assign(value=sign(score) * scores[score])
    draw = ["dataset_name", "image", "repetition"]
    scored = scores.groupby(draw)["value"].transform("count") > 0
    was_kept = scores["value"].notna() | ~(scores["psnr"] > -np.inf)
    scores = scores[scored & was_kept].fillna({"value": -np.inf})
    return {
        dataset: rows.pivot(
            index=["image", "repetition"], columns="solver_name", values="value"
        )
        for dataset, rows in scores.groupby("dataset_name", sort=False)
    }


@kept_of_file
def draws_of_file(df, objective, score):
    """What ``draws`` gives for an objective of a benchopt result file."""
    return draws(per_image_scores(df, objective), score)


def by_image(draws, other):
    """Paired differences to a column or an array of scores, the mean of the draws."""
    # Two that are exact do not differ.
    same = draws.eq(other, axis=0)
    return draws.sub(other, axis=0).mask(same, 0.0).groupby("image").mean()


def with_the_same_draws(draws):
    """Of what ``draws`` gives, the draws that all solvers have, if each image has one.

    Files that were merged may have more repetitions of one solver than of another.
    """
    run = draws.dropna(axis="columns", how="all").dropna()
    images = [table.index.unique("image") for table in (draws, run)]
    return draws.loc[run.index] if len(images[0]) == len(images[1]) else draws


def compared_to_best(*datasets):
    """How each solver stands to the best one, over datasets.

    Parameters
    ----------
    datasets : DataFrames, of those that ``draws`` gives. Over several, differences are
        those of the means over the datasets; an image that several of them have is
        resampled with all that is known of it.

    Returns
    -------
    DataFrame, its index the solvers that have a score of all the images: difference
    (to the best, at most 0), low, high (its interval), cannot_be_told_apart.
    """
    datasets = [with_the_same_draws(dataset) for dataset in datasets]
    with np.errstate(invalid="ignore"):
        means = pd.concat(
            [d.groupby("image").mean().mean(skipna=False) for d in datasets], axis=1
        ).mean(axis=1, skipna=False)
        means = means.dropna()
        if means.empty:
            return pd.DataFrame(columns=["difference", "low", "high", TOGETHER])
        groups = of_own_images(
            by_image(dataset[means.index], dataset[means.idxmax()]) / len(datasets)
            for dataset in datasets
        )
        difference = sum(group.mean() for group in groups)
        low, high = paired_interval(*groups)
    found = pd.DataFrame({"difference": difference, "low": low, "high": high})
    return found.assign(**{TOGETHER: found["high"] >= 0})


def of_own_images(tables):
    """Tables (their index images) whose means have the same sum, no image in common.

    Tables that share images become one: what an image has in each of them counts for
    it, by the share of its table's images in all of them.
    """
    groups = []
    for table in tables:
        shares = [
            any(part.index.isin(table.index).any() for part in group)
            for group in groups
        ]
        place = shares.index(True) if any(shares) else len(groups)
        together = [
            part for group, is_one in zip(groups, shares) if is_one for part in group
        ]
        groups = [group for group, is_one in zip(groups, shares) if not is_one]
        groups.insert(place, [*together, table])
    return [_joined(group) for group in groups]


def _joined(tables):
    images = tables[0].index
    for table in tables[1:]:
        images = images.union(table.index, sort=False)
    return sum(
        table.reindex(images, fill_value=0.0) * (len(images) / len(table))
        for table in tables
    )


@dataclass(frozen=True)
class PairedComparison:
    """Two solvers on the same images: A minus B.

    Attributes
    ----------
    by_image : Series of float, a difference per image, positive where A is better; the
        mean of its draws.
    difference, low, high : float, the mean difference and its interval.
    p_value : float, of Wilcoxon's signed-rank test.
    n_repetitions : int
    """

    by_image: pd.Series
    difference: float
    low: float
    high: float
    p_value: float
    n_repetitions: int

    @property
    def wins(self):
        return int((self.by_image > 0).sum())

    @property
    def losses(self):
        return int((self.by_image < 0).sum())

    @property
    def cannot_be_told_apart(self):
        # An interval that is not a number tells nothing apart.
        return not (self.low > 0 or self.high < 0)


def compare(draws, a, b):
    """The ``PairedComparison`` of two columns of what ``draws`` gives for a dataset."""
    both = draws[[a, b]].dropna()
    ours = by_image(both[[a]], both[b])[a]
    low, high = paired_interval(ours)
    p_value = 1.0 if (ours == 0).all() else float(stats.wilcoxon(ours).pvalue)
    n_repetitions = both.index.get_level_values("repetition").nunique()
    return PairedComparison(
        ours, float(ours.mean()), float(low), float(high), p_value, n_repetitions
    )
