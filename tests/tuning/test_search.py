"""The search for hyper-parameters does what the protocol says."""

import itertools
import math

import optuna
import pytest

from benchmark_utils.solving.search import Choice, Iterations, Range
from benchmark_utils.tuning.search import Search

REG = Range(0.01, 10.0, default=0.3)
SPACES = {
    "one": ({"reg": REG}, 20),
    "two": ({"reg": REG, "step": Range(0.1, 1.9, default=1.0)}, 30),
    "iterations are free": ({"reg": REG, "n_iter": Iterations(5, 9)}, 20),
    "iterations alone": ({"n_iter": Iterations(5, 9)}, 1),
    "a choice": ({"reg": REG, "n_iter": Choice(8, (8, 15, 30))}, 30),
    "shared": ({"gamma": Range(0.2, 1.6, 1.2, shared_by="priors"), "reg": REG}, 50),
}


def peak(at=1.0):
    """A curve of one point that is best where reg is ``at``."""
    return lambda values: [30 - math.log(values["reg"] / at) ** 2]


@pytest.fixture
def search(tmp_path):
    """search(space, curve): a new one; the same path gives the same search again."""

    def make(space, curve, seed=0, path="trials", replaced=None):
        parameters = {"priors": "a+b+c"}
        return Search(space, parameters, curve, seed, tmp_path / path, replaced)

    return make


@pytest.mark.parametrize("space, n_trials", SPACES.values(), ids=SPACES)
def test_trials_are_ten_and_ten_for_each_value(space, n_trials, search):
    seen = []
    found = search(space, lambda values: seen.append(values) or [1.0])
    assert len(list(found.trials())) == found.n_done == len(seen) == n_trials
    different = {str(values) for values in seen}
    assert len(different) == n_trials


@pytest.mark.parametrize("space", [s for s, _ in SPACES.values()], ids=SPACES)
def test_the_published_values_come_first(space, search):
    seen = []
    next(search(space, lambda values: seen.append(values) or [1.0]).trials())
    published = {n: s.default for n, s in space.items()}
    if "gamma" in space:
        published["gamma"] = [0.4, 0.4, 0.4]
    if isinstance(space.get("n_iter"), Iterations):
        published["n_iter"] = 9
    assert seen == [published]


@pytest.mark.parametrize("at", [0.05, 4.0])
def test_the_best_values_are_found(at, search):
    found = search({"reg": REG}, peak(at))
    list(found.trials())
    assert found.values["reg"] == pytest.approx(at, rel=0.1)
    assert found.best.value == pytest.approx(30, abs=0.01)


def test_the_best_of_a_choice_is_found(search):
    space = {"n_iter": Choice(8, (8, 15, 30))}
    found = search(space, lambda values: [-abs(values["n_iter"] - 14)])
    list(found.trials())
    assert found.values == {"n_iter": 15}


def test_choices_share_half_of_the_trials_and_the_best_one_has_the_rest(search):
    space = {"reg": REG, "n_iter": Choice(8, (8, 15, 30))}
    # More iterations are better with a reg of their own, and worse with the published.
    best = {8: 0.3, 15: 0.05, 30: 5.0}

    def curve(values):
        reg, n = values["reg"], values["n_iter"]
        return [30 + 0.1 * n - math.log(reg / best[n]) ** 2]

    found = search(space, curve)
    tried = [trial.values["n_iter"] for trial in found.trials()]
    assert tried[:6] == [8, 15, 30] * 2
    assert [tried[:15].count(n) for n in (8, 15, 30)] == [5, 5, 5]
    assert tried[15:] == [30] * 15
    assert found.values["reg"] == pytest.approx(5.0, rel=0.1)


def test_each_choice_begins_with_the_published_values(search):
    space = {"reg": REG, "n_iter": Choice(15, (8, 15, 30))}
    first = list(itertools.islice(search(space, peak()).trials(), 3))
    assert [t.values for t in first] == [
        {"reg": REG.default, "n_iter": n} for n in (15, 8, 30)
    ]


def test_iterations_that_gain_a_hundredth_of_a_decibel_in_all_are_not_kept(search):
    def curve(values):
        return [20.0, 24.0, 24.989, 24.991, 25.0, 24.0]

    found = search({"n_iter": Iterations(5, 6)}, curve)
    list(found.trials())
    assert found.values == {"n_iter": 4} and found.best.value == 24.991


def test_the_number_of_iterations_is_the_best_point_of_the_mean_curve(search):
    def curve(values):
        assert values["n_iter"] == 8
        best = 3 if values["reg"] > 1 else 6
        return [20 + values["reg"] - abs(i - best) for i in range(1, 9)]

    found = search({"reg": REG, "n_iter": Iterations(5, 8)}, curve)
    list(found.trials())
    assert found.values["n_iter"] == 3
    assert found.best.value == pytest.approx(20 + found.values["reg"], abs=0.01)


def test_without_iterations_to_tune_the_last_point_counts(search):
    found = search({"reg": REG}, lambda values: [40.0, 10 - values["reg"]])
    list(found.trials())
    assert found.best.value < 10


@pytest.mark.parametrize("end", [math.nan, math.inf, -math.inf])
def test_a_trial_that_diverges_is_minus_infinity_and_the_search_goes_on(end, search):
    def curve(values):
        return [20.0, end if values["reg"] > 0.2 else 25.0]

    found = search({"reg": REG}, curve)
    scores = [trial.score for trial in found.trials()]
    assert scores[0] == -math.inf and len(scores) >= 20
    assert found.best.value == 25.0
    iterations = search({"n_iter": Iterations(1, 2)}, lambda v: [20.0, end], path="b")
    list(iterations.trials())
    assert (iterations.best.value, iterations.values["n_iter"]) == (20.0, 1)


def test_an_error_in_a_trial_keeps_its_traceback_and_the_trials_before(search):
    calls = itertools.count()

    def curve(values):
        if next(calls) == 3:
            raise ZeroDivisionError("a bug of the solver")
        return peak()(values)

    with pytest.raises(ZeroDivisionError, match="a bug of the solver"):
        list(search({"reg": REG}, curve).trials())
    assert len(list(search({"reg": REG}, curve).trials())) == 17


def test_a_value_on_a_bound_widens_the_range_once(search):
    found = search({"reg": REG}, lambda values: [values["reg"]])
    list(found.trials())
    wider = found.widened["reg"]
    assert (wider.low, wider.high) == (0.01, 100.0)
    assert found.n_done == 30
    assert 10 < found.values["reg"] <= 100
    assert found.on_bound() == ["reg"]


def test_a_range_is_not_widened_beyond_its_limits(search):
    limited = Range(0.3, 1.9, default=1.0, limits=(0.1, 1.99))
    found = search({"step": limited}, lambda values: [values["step"]])
    list(found.trials())
    assert (found.widened["step"].low, found.widened["step"].high) == (0.3, 1.99)
    at_limit = Range(0.3, 1.9, default=1.0, limits=(0.1, 1.9))
    found = search({"step": at_limit}, lambda values: [values["step"]], path="b")
    list(found.trials())
    assert (found.widened, found.n_done, found.on_bound()) == ({}, 20, ["step"])


def test_a_value_inside_of_its_range_does_not_widen_it(search):
    found = search({"reg": REG}, peak())
    list(found.trials())
    assert (found.widened, found.on_bound()) == ({}, [])


@pytest.mark.parametrize(
    "value, bound",
    [(0.01, "low"), (0.0106, "low"), (0.0108, None), (9.3, None), (9.4, "high")],
)
def test_a_bound_is_a_hundredth_of_the_range_in_logarithms(value, bound):
    # (10 / 0.01)^0.01 = 1.0715
    assert REG.bound(value) == bound


@pytest.mark.parametrize("slope, n, rises", [(0.5, 50, True), (0.001, 40, False)])
def test_a_curve_that_still_rises_at_the_maximum_is_on_a_bound(slope, n, rises, search):
    space = {"n_iter": Iterations(5, 50)}
    found = search(space, lambda values: [slope * i for i in range(50)])
    list(found.trials())
    assert found.values == {"n_iter": n}
    assert found.on_bound() == (["n_iter"] if rises else [])


@pytest.mark.parametrize("stopped_at", [0, 1, 7, 20, 24])
def test_a_search_that_was_stopped_goes_on_as_if_it_had_not_been(stopped_at, search):
    space = {"reg": Range(0.1, 0.5, default=0.3)}
    whole = search(space, peak(), path="whole")
    expected = list(whole.trials())
    assert len(expected) == 30 and whole.widened
    stopped = search(space, peak())
    before = list(itertools.islice(stopped.trials(), stopped_at))
    resumed = search(space, peak())
    assert before + list(resumed.trials()) == expected
    assert resumed.values == whole.values
    assert resumed.seconds == pytest.approx(sum_of_seconds(resumed))
    # A search at its end has nothing to do, and gives the same.
    again = search(space, None)
    assert list(again.trials()) == []
    assert (again.values, again.widened) == (whole.values, whole.widened)


def sum_of_seconds(search):
    return sum(trial.user_attrs["seconds"] for trial in search._trials)


def test_a_trial_that_is_stopped_within_is_done_again(search):
    calls = itertools.count()

    def curve(values):
        if next(calls) == 5:
            raise KeyboardInterrupt
        return peak()(values)

    expected = list(search({"reg": REG}, peak(), path="whole").trials())
    with pytest.raises(KeyboardInterrupt):
        list(search({"reg": REG}, curve).trials())
    assert list(search({"reg": REG}, curve).trials()) == expected[5:]


def test_seeds_give_other_trials(search):
    trials = [
        [t.values for t in search({"reg": REG}, peak(), seed, str(seed)).trials()]
        for seed in (0, 1)
    ]
    assert trials[0][0] == trials[1][0]
    assert all(a != b for a, b in zip(trials[0][1:], trials[1][1:]))


def test_the_sampler_is_the_multivariate_one(search, monkeypatch):
    asked, make = [], optuna.samplers.TPESampler
    monkeypatch.setattr(
        optuna.samplers, "TPESampler", lambda **kw: asked.append(kw) or make(**kw)
    )
    list(search({"reg": REG}, peak()).trials())
    # One more is optuna's own, and draws nothing.
    drawing = [kw for kw in asked if kw]
    assert len(drawing) == 19 and all(kw["multivariate"] for kw in drawing)


SPACE = {
    "gamma": Range(0.2, 1.6, 1.2, shared_by="priors"),
    "n_iter": Choice(8, (8, 15, 30)),
}


def test_the_values_that_are_replaced_are_tried_last_and_kept_if_better(search):
    old = {"gamma": [0.5, 1.0, 0.25], "n_iter": 15}

    def curve(values):
        return [40.0 if values == old else 20.0 + values["gamma"][0]]

    fresh = search(SPACE, curve)
    drawn = [trial.values for trial in fresh.trials()]
    again = search(SPACE, curve, path="again", replaced=old)
    *trials, last = again.trials()
    assert [trial.values for trial in trials] == drawn
    assert last.values == again.values == old and again.best.value == 40.0
    assert again.n_done == again.n_trials == fresh.n_trials + 1
    assert not list(search(SPACE, curve, path="again", replaced=old).trials())


@pytest.mark.parametrize(
    "old",
    [
        {"gamma": [0.5, 1.0, 0.25], "n_iter": 12},
        {"gamma": [0.5, 1.0], "n_iter": 15},
        {"gamma": 0.5, "n_iter": 15},
        {"gamma": [0.5, 1.0, 99.0], "n_iter": 15},
        {"n_iter": 15},
        {},
    ],
)
def test_values_of_another_space_are_not_tried(old, search):
    found = search(SPACE, lambda values: [1.0], replaced=old)
    list(found.trials())
    assert found.n_done == search(SPACE, None, path="other").n_trials


def test_two_numbers_of_iterations_are_refused(search):
    space = {"n_steps": Iterations(1, 2), "n_coding": Iterations(1, 2)}
    with pytest.raises(TypeError, match="n_steps and n_coding are both Iterations"):
        search(space, peak())
