"""The solvers whose prior is a dictionary, on small synthetic signals."""

import math

import pytest
import torch
from conftest import BENCHMARK

SOLVERS = ["Dictionary oracle", "Dictionary learning", "Dictionary supervised"]
SMALL = "m=12,n_signals=600,n_train=600,dim=16,n_atoms=16"


@pytest.fixture(scope="module")
def last_rows(run):
    rows = run(
        SOLVERS,
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


def test_only_an_oracle_is_given_the_true_dictionary_and_it_is_a_copy(get_data):
    data = get_data("synthetic_dictionary", dim=16, n_atoms=12, m=8, n_signals=100)
    for name in SOLVERS:
        (solver_class,) = BENCHMARK.check_solver_patterns([name], class_only=True)
        solver = solver_class.get_instance()
        assert solver.skip(**data, device="cpu") == (False, None)
        assert solver.n_true_atoms == 12
        if name == "Dictionary oracle":
            assert torch.equal(solver.true_dictionary, data["dictionary"])
            assert solver.true_dictionary.data_ptr() != data["dictionary"].data_ptr()
        else:
            assert solver.true_dictionary is None


def test_solvers_of_images_say_that_they_do_not_take_vectors(get_data):
    data = get_data("synthetic_dictionary", dim=16, n_atoms=12, m=8, n_signals=100)
    (TV,) = BENCHMARK.check_solver_patterns(["TV"], class_only=True)
    skipped, reason = TV.get_instance().skip(**data, device="cpu")
    assert skipped and reason == "TV takes images, and these signals are vectors."
