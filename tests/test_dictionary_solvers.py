"""The solvers whose prior is a dictionary, on small synthetic signals."""

import math

import pytest

SOLVERS = ["Dictionary oracle", "Dictionary learning", "Dictionary supervised"]
SMALL = "m=12,n_signals=600,n_train=600,dim=16,n_atoms=16"


@pytest.fixture(scope="module")
def last_rows(run):
    rows = run(
        [*SOLVERS, "TV"],
        [f"synthetic_dictionary[n_operators=[1,4],{SMALL}]"],
    )
    return rows.groupby(["dataset_name", "solver_name"]).last().reset_index()


def score(rows, solver, n_operators, name):
    (dataset,) = {d for d in rows.dataset_name if f"n_operators={n_operators}" in d}
    chosen = rows[(rows.dataset_name == dataset) & (rows.solver_name == solver)]
    return chosen[f"objective_{name}"].item()


def test_every_score_is_finite(last_rows):
    names = ["psnr", "recovery", "recovery_oracle", "kernel_norm", "cost"]
    for name in names:
        assert last_rows[f"objective_{name}"].map(math.isfinite).all()


def test_the_oracle_has_the_true_dictionary(last_rows):
    for n in (1, 4):
        recovery = score(last_rows, "Dictionary oracle", n, "recovery")
        assert recovery == pytest.approx(1)


def test_several_operators_find_more_of_the_dictionary_than_one(last_rows):
    one, four = (score(last_rows, "Dictionary learning", n, "recovery") for n in (1, 4))
    assert four > one + 0.05


def test_one_operator_leaves_nothing_in_its_kernel(last_rows):
    learned, supervised = (
        score(last_rows, solver, 1, "kernel_norm")
        for solver in ("Dictionary learning", "Dictionary supervised")
    )
    assert learned < 0.05 < supervised


def test_solvers_of_images_say_that_they_do_not_take_vectors(last_rows):
    assert "TV" not in set(last_rows.solver_name)
