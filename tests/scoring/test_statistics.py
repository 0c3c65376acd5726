"""Intervals and tests of paired differences: what they promise."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from benchmark_utils.scoring.statistics import (
    compare,
    compared_to_best,
    draws,
    of_own_images,
    paired_interval,
)
from benchmark_utils.scoring.tables import cells

INF, NAN = np.inf, np.nan


def scores(values, dataset="d", repetition=0, score="psnr"):
    """A long table from {solver: scores of the images}."""
    tables = [
        pd.DataFrame(
            {
                "dataset_name": dataset,
                "solver_name": solver,
                "repetition": repetition,
                "image": [f"image{i}" for i in range(len(of_images))],
                "psnr": 30.0,
                score: of_images,
            }
        )
        for solver, of_images in values.items()
    ]
    return pd.concat(tables, ignore_index=True)


def standing(values, **options):
    (of_draws,) = draws(
        scores(values, **options), options.get("score", "psnr")
    ).values()
    return compared_to_best(of_draws)


def test_solvers_are_compared_over_the_draws_that_all_have():
    once = scores({"A": [30.0, 31.0], "B": [29.0, 30.0]})
    easier = scores({"B": [39.0, 40.0]}, repetition=1)
    (of_draws,) = draws(pd.concat([once, easier])).values()
    assert compared_to_best(of_draws).loc["B", "difference"] == pytest.approx(-1)


def test_what_is_no_number_tells_nothing_apart():
    one, other = [NAN, 31.0, 30.0], [30.0, NAN, 30.0]
    (of_draws,) = draws(scores({"A": one, "B": other})).values()
    with np.errstate(invalid="ignore"):
        assert compare(of_draws, "A", "B").cannot_be_told_apart


def test_the_interval_is_the_percentile_bootstrap_widened_for_few_images():
    values = np.random.default_rng(3).normal(0.3, 1, 9)
    low, high = paired_interval(values)
    expected = stats.bootstrap(
        (values,),
        np.mean,
        method="percentile",
        n_resamples=20000,
        rng=np.random.default_rng(5),
    ).confidence_interval
    wider = np.sqrt(9 / 8) * stats.t.ppf(0.975, 8) / stats.norm.ppf(0.975)
    mean = values.mean()
    assert low == pytest.approx(mean - wider * (mean - expected.low), abs=0.03)
    assert high == pytest.approx(mean + wider * (expected.high - mean), abs=0.03)


@pytest.mark.parametrize("n_images", [3, 4, 10, 20])
def test_95_of_100_intervals_hold_the_true_mean(n_images):
    values = np.random.default_rng(0).normal(0.5, 2, (n_images, 1000))
    low, high = paired_interval(values)
    covered = np.mean((low <= 0.5) & (high >= 0.5))
    assert 0.92 < covered < 0.975


def test_the_interval_of_many_images_is_that_of_student():
    values = np.random.default_rng(1).normal(0, 1, 100)
    expected = stats.t.interval(0.95, 99, values.mean(), stats.sem(values))
    assert paired_interval(values) == pytest.approx(expected, abs=0.03)


def test_the_same_numbers_give_the_same_interval():
    values = np.arange(6.0)
    assert paired_interval(values) == paired_interval(values)


def test_one_image_tells_nothing():
    assert paired_interval(np.ones(1)) == (-INF, INF)


def test_solvers_that_differ_by_less_than_their_spread_cannot_be_told_apart():
    base = np.random.default_rng(0).normal(28, 3, 20)
    noise = np.random.default_rng(1).normal(0, 0.1, 20)
    found = standing({"best": base, "near": base - 0.01 + noise, "far": base - 0.5})
    assert found["cannot_be_told_apart"].to_dict() == {
        "best": True,
        "near": True,
        "far": False,
    }
    # Images differ by 3 dB; the pairs do not.
    assert found.loc["far", "high"] - found.loc["far", "low"] < 0.1
    assert found.loc["far", "difference"] == pytest.approx(-0.5, abs=0.05)


def test_the_lowest_lpips_is_the_best():
    low, high = np.full(5, 0.1), np.linspace(0.3, 0.4, 5)
    found = standing({"low": low, "high": high}, score="lpips")
    assert found["cannot_be_told_apart"].to_dict() == {"low": True, "high": False}


def test_a_score_that_was_not_kept_is_not_that_of_a_solver_that_diverged():
    table = scores({"kept": [0.1, 0.2], "older": [NAN, NAN]}, score="nmse")
    assert list(draws(table, "nmse")["d"]) == ["kept"]
    table.loc[table["solver_name"] == "older", "psnr"] = NAN
    assert (draws(table, "nmse")["d"]["older"] == -INF).all()


def test_the_best_of_those_whose_images_were_kept_is_not_that_of_all():
    values = {"kept": [0.14, 0.15, 0.15, 0.16], "older": [NAN] * 4}
    of_images = scores(values, score="nmse")
    means = pd.DataFrame(
        {"dataset_name": "d", "solver_name": ["kept", "older"], "nmse": [0.15, 0.05]}
    )
    kept, older = cells(means, "nmse", of_images)
    assert older.is_best and not kept.is_best and not kept.has_interval
    of_images["nmse"] = of_images["nmse"].fillna(0.05)
    kept, older = cells(means, "nmse", of_images)
    assert older.is_best and not kept.is_best and kept.has_interval


def test_what_diverged_is_far_from_the_best_and_what_is_exact_is_the_best():
    values = {
        "diverged": [30.0, NAN, 30.0],
        "good": [20.0, 21.0, 22.0],
        "exact": [INF] * 3,
        "exact too": [INF] * 3,
    }
    found = standing(values)
    assert found["cannot_be_told_apart"].to_dict() == {
        "diverged": False,
        "good": False,
        "exact": True,
        "exact too": True,
    }
    del values["exact"], values["exact too"]
    assert standing(values)["difference"].to_dict() == {"diverged": -INF, "good": 0}


def test_a_solver_without_all_of_the_images_is_left_out():
    table = scores({"full": [1.0, 2.0], "partial": [9.0, 9.0]})[:-1]
    assert list(compared_to_best(*draws(table).values()).index) == ["full"]


def test_images_where_nobody_has_a_score_are_left_out():
    found = standing({"a": [1.0, NAN, 3.0], "b": [2.0, NAN, 4.5]})
    assert found["difference"].to_dict() == {"a": -1.25, "b": 0.0}


def test_repetitions_are_averaged_within_their_image_before_anything_is_drawn():
    a = np.array([20.0, 22, 25, 21])
    twice = [
        scores({"a": a + shift, "b": a - 1 + spread * shift}, repetition=i)
        for i, (shift, spread) in enumerate([(5, 1.01), (-5, 1.01)])
    ]
    (of_draws,) = draws(pd.concat(twice)).values()
    found = compare(of_draws, "a", "b")
    assert found.by_image.tolist() == pytest.approx([1.0] * 4)
    assert found.n_repetitions == 2
    assert (found.low, found.high) == pytest.approx((1, 1))


def test_repetitions_that_one_solver_lacks_are_not_compared():
    both = scores({"a": [20.0, 30.0], "b": [21.0, 31.5]})
    more = scores({"a": [90.0, 90.0]}, repetition=1)
    (of_draws,) = draws(pd.concat([both, more])).values()
    found = compare(of_draws, "a", "b")
    assert found.by_image.tolist() == [-1.0, -1.5] and found.n_repetitions == 1


def test_over_datasets_an_image_is_drawn_with_all_that_is_known_of_it():
    # A gains on one dataset what it loses on the other, image by image.
    rng = np.random.default_rng(0)
    base, gain = rng.normal(28, 2, 8), rng.normal(0, 3, 8)
    one = draws(scores({"a": base + gain, "b": base}, "one"))["one"]
    two = draws(scores({"a": base - gain + 0.1, "b": base}, "two"))["two"]
    found = compared_to_best(one, two)
    assert found.loc["b", "difference"] == pytest.approx(-0.05)
    assert found.loc["b", ["low", "high"]].tolist() == pytest.approx([-0.05] * 2)
    # With images of its own, each dataset is drawn alone.
    two.index = two.index.set_levels([f"{i}" for i in range(8)], level="image")
    assert compared_to_best(one, two)["cannot_be_told_apart"].all()


def test_datasets_that_share_some_of_their_images_are_drawn_together():
    rng = np.random.default_rng(1)
    gain = rng.normal(0.2, 1, 20)

    def on(dataset, n):
        values = {"a": 30 + gain[:n], "b": np.full(n, 30.0)}
        return draws(scores(values, dataset))[dataset]

    both = compared_to_best(on("one", 20), on("two", 20)).loc["b"]
    nearly = compared_to_best(on("one", 20), on("two", 19)).loc["b"]
    assert nearly["high"] - nearly["low"] == pytest.approx(
        both["high"] - both["low"], rel=0.1
    )
    expected = -(gain.mean() + gain[:19].mean()) / 2
    assert nearly["difference"] == pytest.approx(expected)


def test_what_two_datasets_share_with_a_third_brings_all_together():
    tables = [
        pd.DataFrame({"a": [1.0, 3.0]}, index=["x", "y"]),
        pd.DataFrame({"a": [5.0]}, index=["z"]),
        pd.DataFrame({"a": [7.0, 8.0]}, index=["y", "z"]),
        pd.DataFrame({"a": [2.0]}, index=["w"]),
    ]
    together, alone = of_own_images(tables)
    assert sorted(together.index) == ["x", "y", "z"] and list(alone.index) == ["w"]
    assert together["a"].mean() == pytest.approx(sum(t["a"].mean() for t in tables[:3]))
    # x is one of the two images of the first table, and of three in all.
    assert together.loc["x", "a"] == pytest.approx(1.0 * 3 / 2)


def test_a_comparison_counts_wins_and_has_the_p_value_of_wilcoxon():
    rng = np.random.default_rng(4)
    a, b = rng.normal(30, 1, (2, 12))
    b[0] = a[0]
    (of_draws,) = draws(scores({"a": a, "b": b})).values()
    found = compare(of_draws, "a", "b")
    assert found.wins == (a > b).sum() and found.losses == (a < b).sum()
    assert found.wins + found.losses == 11
    assert found.p_value == pytest.approx(stats.wilcoxon(a - b).pvalue)
    assert found.difference == pytest.approx((a - b).mean())
    assert found.cannot_be_told_apart == (found.low <= 0 <= found.high)


def test_two_that_are_the_same_have_a_p_value_of_one():
    (of_draws,) = draws(scores({"a": [1.0, 2.0], "b": [1.0, 2.0]})).values()
    found = compare(of_draws, "a", "b")
    assert (found.p_value, found.low, found.high) == (1, 0, 0)
