"""Rows are carried over a change of code where short runs by both codes agree."""

import json

import pandas as pd
import pytest
from conftest import BENCHMARK, ROOT

from benchmark_utils.scoring.present import digests_now
from tools import carry_over

DATASET = "natural[problem=denoising]"
OLD, NEW = ("old", "values"), ("new", "values")
SCORES = json.dumps({"psnr": 30.0})


def published(code="old", tuned="values"):
    row = {"dataset_name": DATASET, "solver_name": "TV", "code": code, "tuned": tuned}
    return pd.DataFrame([{**row, "psnr": 31.0}])


def carried(results, before, now):
    key = DATASET, "TV"
    return carry_over.carried_over(results, {key: before}, {key: now})


def test_a_row_gets_the_present_digest_where_both_codes_agree():
    results, others = carried(published(), (OLD, SCORES), (NEW, SCORES))
    assert results.loc[0, ["code", "tuned", "psnr"]].tolist() == ["new", "values", 31.0]
    assert others == []


def test_a_row_whose_short_runs_differ_in_any_digit_stays_old():
    now = NEW, json.dumps({"psnr": 30.000001})
    kept, ((*_, said),) = carried(published(), (OLD, SCORES), now)
    assert kept.loc[0, "code"] == "old" and said == "Its short runs differ."


def scores_of(psnr=30.0, name="a", fit=1e-6, total=50.0):
    per_image = json.dumps({"name": [name], "psnr": [psnr, None]})
    return json.dumps(
        {"psnr": psnr, "data_fit": fit, "per_image": per_image, "sum": [total]}
    )


@pytest.mark.parametrize(
    "now, is_same",
    [
        (scores_of(30.0009, fit=1.0009e-6, total=50.01), True),
        (scores_of(30.002), False),
        (scores_of(fit=1.002e-6), False),
        (scores_of(total=50.1), False),
        (scores_of(name="b"), False),
        (scores_of(float("nan")), False),
        (json.dumps({"psnr": 30.0}), False),
    ],
)
def test_another_order_of_sums_may_move_scores_by_what_is_allowed(now, is_same):
    before = scores_of()
    assert carry_over.agree(before, now, within=0.001) == is_same
    assert not carry_over.agree(before, now)


def test_vectors_have_no_scores_of_each_and_infinite_ones_are_the_same():
    before, now = (
        json.dumps({"psnr": psnr, "data_fit": float("inf"), "per_image": None})
        for psnr in (30.0, 30.0001)
    )
    assert carry_over.agree(before, now, within=0.001)


@pytest.mark.parametrize(
    "now, why",
    [
        ((("new", "others"), SCORES), "Its tuned values are others."),
        ((NEW, "No GPU."), "Now: No GPU."),
    ],
)
def test_a_row_that_is_not_known_to_be_the_same_stays_old(now, why):
    kept, ((*_, said),) = carried(published(), (OLD, SCORES), now)
    assert kept.loc[0, "code"] == "old" and said == why


def test_a_short_run_that_diverges_says_nothing(monkeypatch):
    runs = carry_over.ShortRuns(ROOT)
    make = runs.instance

    def diverging(kind, name):
        instance = make(kind, name)
        if kind == "solver":
            instance.iterate = lambda y, physics: iter([y * float("nan")])
        return instance

    monkeypatch.setattr(runs, "instance", diverging)
    assert runs.scores(DATASET, "TV") == "Its short run is not finite."


def test_a_row_that_the_code_before_does_not_run_stays_old():
    kept, ((*key, said),) = carried(published(), (OLD, "No GPU."), None)
    assert kept.loc[0, "code"] == "old"
    assert (key, said) == ([DATASET, "TV"], "No GPU.")


def test_rows_that_were_not_of_the_code_before_are_not_run():
    digests = list(digests_now(DATASET, "TV"))
    rows = [[DATASET, "TV", digests], [DATASET, "TV", ["older", digests[1]]]]
    for row, runs in zip(rows, (True, False)):
        ((_, scores),) = carry_over.short_runs(ROOT, [row]).values()
        assert carry_over.is_run(scores) == runs


@pytest.mark.parametrize(
    "name, given, short",
    [
        ("PnP-HQS", {"n_iter": "tuned"}, {"n_iter": 4}),
        ("Unrolled", {"n_iter": 2, "n_steps": 150}, {"n_iter": 2, "n_steps": 2}),
        ("Pseudo-inverse", {}, {}),
    ],
)
def test_a_short_run_keeps_all_but_what_makes_it_long(name, given, short):
    (solver,) = BENCHMARK.check_solver_patterns([name], class_only=True)
    found = carry_over.shortened(solver, given)
    assert {n: v for n, v in found.items() if n in {*given, *short}} == short


def test_images_are_small_and_few_are_learned_from():
    """More than a batch of eight: they are measured one batch after the other."""
    (dataset,) = BENCHMARK.check_dataset_patterns(["bsd"], class_only=True)
    given = {"problem": "inpainting", "n_train": 200, "img_size": None}
    found = carry_over.shortened(dataset, given)
    assert found == {**given, "n_train": 12, "img_size": 64}


@pytest.mark.parametrize(
    "name, expected",
    [
        ("U-Net[seed=1]", "U-Net"),
        ("Self-supervised[loss=ei,seed=2]", "Self-supervised[loss=ei]"),
        ("Mine[batch=1,seed=2,width=3]", "Mine[batch=1,width=3]"),
        ("Mine[my_seed=2]", "Mine[my_seed=2]"),
    ],
)
def test_seeds_share_a_short_run(name, expected):
    assert carry_over.without_seed(name) == expected


def test_short_runs_are_those_of_the_code_and_come_out_the_same():
    rows = [[DATASET, "TV", None], [DATASET, "TV[reg=0.5]", None]]
    runs = carry_over.short_runs(ROOT, rows)
    again = carry_over.short_runs(ROOT, rows[:1])
    digests, scores = runs[DATASET, "TV"]
    assert digests == digests_now(DATASET, "TV")
    assert again[DATASET, "TV"] == (digests, scores)
    assert runs[DATASET, "TV[reg=0.5]"][1] != scores
    found = json.loads(scores)
    assert found["psnr"] > 20 and len(json.loads(found["per_image"])["psnr"]) == 4


def test_measurements_to_learn_from_count_where_a_solver_learns():
    dataset = "natural[masks=2,problem=inpainting]"
    rows = [[dataset, "U-Net", None], [dataset, "Initial guess", None]]
    runs = carry_over.short_runs(ROOT, rows)
    learned, other = (json.loads(scores) for _, scores in runs.values())
    assert len(learned["train"]) == 1 and "train" not in other


def test_what_is_no_benchmark_is_refused(tmp_path, capsys):
    with pytest.raises(SystemExit):
        carry_over.main([str(tmp_path)])
    assert "is no folder of this benchmark" in capsys.readouterr().err
