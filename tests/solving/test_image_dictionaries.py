"""Priors learned from the degraded image itself, or from clean ones: CDL and DIP."""

from dataclasses import replace

import pytest
import torch
from benchopt.utils.run_context import RunContext
from conftest import BENCHMARK

from benchmark_utils.physics.data_term import data_term
from benchmark_utils.scoring.metrics import psnr

SMALL = {"n_atoms": 8, "atom_size": 6, "low": 4}


@pytest.fixture(scope="module")
def data(get_data):
    """data(problem): two small images of coloured rectangles, measured."""

    def data(problem="inpainting"):
        return get_data("simulated", problem=problem)

    return data


def named(parameters):
    return ",".join(f"{name}={value}" for name, value in parameters.items())


def prepared(name, batches, **parameters):
    """A solver that has received these batches, as in a run."""
    (solver_class,) = BENCHMARK.check_solver_patterns([name], class_only=True)
    solver = solver_class.get_instance(**parameters)
    RunContext().set_run_context("objective", "dataset", solver, 0, 0)
    options = {"dataset": "none", "problem": "none", "device": "cpu"}
    test = [batch.without_truth() for batch in batches]
    skipped, reason = solver.skip(train=[], test=test, **options)
    assert not skipped, reason
    solver.set_objective(train=[], test=test, **options)
    return solver


def stop_reason(name, data, train, **parameters):
    (solver_class,) = BENCHMARK.check_solver_patterns([name], class_only=True)
    solver = solver_class.get_instance(**parameters)
    options = {"dataset": "none", "problem": "none", "device": "cpu"}
    test = [batch.without_truth() for batch in data["test"]]
    return solver.skip(train=train, test=test, **options)


@pytest.mark.parametrize("nonnegative", [False, True], ids=["signed", "nonnegative"])
@pytest.mark.parametrize("init", ["patches", "random"])
def test_cdl_fits_the_measurements_better_and_better(
    init, nonnegative, data, get_iterates
):
    (batch,) = data()["test"]
    fit = data_term(batch.physics, batch.y)
    options = {"init": init, "nonnegative": nonnegative, "n_steps": 20, "reg": 0.5}
    iterates = get_iterates("CDL", batch, **SMALL, **options)
    first, last = fit.value(iterates[0]), fit.value(iterates[-1])
    assert (last < 0.5 * first).all()


def test_cdl_fills_holes_better_than_the_mean_around_them(data, get_iterates):
    (batch,) = data()["test"]
    guess = data_term(batch.physics, batch.y).initial_guess()
    *_, ours = get_iterates("CDL", batch, **SMALL, n_steps=30)
    assert (psnr(ours, batch.x) > psnr(guess, batch.x) + 0.5).all()


def test_cdl_without_low_frequencies_is_the_model_of_the_paper(data, get_iterates):
    (batch,) = data()["test"]
    options = {**SMALL, "low": 0, "reg": 1e4, "n_steps": 2, "n_coding": 10}
    with pytest.warns(UserWarning, match="lambda_max"):
        *_, ours = get_iterates("CDL", batch, **options)
    # No code is used: nothing is left of the image, its mean included.
    assert ours.abs().max() == 0


def test_an_unknown_start_of_cdl_is_refused(data):
    skipped, reason = stop_reason("CDL", data(), [], init="ones")
    assert skipped and reason == "init must be one of patches, random, not 'ones'."


@pytest.mark.parametrize("name", ["CDL", "CDL supervised"])
def test_learning_takes_one_step_at_least(name, data):
    training = data()
    skipped, reason = stop_reason(name, training, training["train"], n_steps=0)
    assert skipped and reason == "n_steps must be a whole number, 1 or more, not 0."


def test_supervised_atoms_need_training_images(data):
    skipped, reason = stop_reason("CDL supervised", data(), [])
    assert skipped and "there are none" in reason


def test_supervised_atoms_are_learned_once_and_restore_images(data, get_iterates):
    training = data()
    (batch,) = training["test"]
    options = {**SMALL, "n_steps": 20, "n_iter": 50}
    iterates = get_iterates("CDL supervised", batch, training["train"], **options)
    again = get_iterates("CDL supervised", batch, training["train"], **options)
    guess = data_term(batch.physics, batch.y).initial_guess()
    assert len(iterates) == 5
    assert (psnr(iterates[-1], batch.x) > psnr(guess, batch.x)).all()
    assert torch.equal(iterates[-1], again[-1])


def test_supervised_atoms_come_from_one_photograph_per_step(data, get_iterates):
    training = data()
    (batch,), (both,) = training["test"], training["train"]
    options = {**SMALL, "low": 0, "n_steps": 1, "n_iter": 10}
    of_both, of_first = (
        get_iterates("CDL supervised", batch, [replace(both, x=x)], **options)[-1]
        for x in (both.x, both.x[:1])
    )
    assert len(both.x) == 2
    assert torch.equal(of_both, of_first)


def test_learned_atoms_are_in_the_results(run):
    rows = run([f"CDL[n_steps=3,n_coding=10,{named(SMALL)}]"], ["simulated"])
    assert rows.final_results.iloc[-1]["atoms"].startswith(b"\x89PNG")


def test_the_atoms_that_cdl_shows_are_those_of_the_first_image(data):
    options = {**SMALL, "n_steps": 3, "n_coding": 10}
    (batch,) = data()["test"]
    (other,) = data("denoising")["test"]
    # The warm-up is on the largest batch, which is not the first.
    batch = replace(batch, x=batch.x[:1], y=batch.y[:1])

    def atoms(*batches):
        solver = prepared("CDL", batches, **options)
        solver.warm_up()
        solver.pre_run_hook(None)
        solver.run(lambda: True)
        return solver.get_result()["atoms"]

    assert torch.equal(atoms(batch, other), atoms(batch))
    assert not torch.equal(atoms(batch, other), atoms(other))


def test_dip_fits_the_measurements_and_repeats_itself(data, get_iterates):
    (batch,) = data("gaussian_deblurring")["test"]
    options = {"n_iter": 60, "channels": 16, "layers": 4}
    iterates = get_iterates("DIP", batch, **options)
    again = get_iterates("DIP", batch, **options)
    fit = data_term(batch.physics, batch.y)
    assert (fit.value(iterates[-1]) < 0.1 * fit.value(iterates[0])).all()
    assert torch.equal(iterates[-1], again[-1])
    assert not iterates[-1].requires_grad


def test_dip_leaves_the_random_state_of_its_caller(data, get_iterates):
    (batch,) = data()["test"]
    torch.manual_seed(3)
    expected = torch.rand(3)
    torch.manual_seed(3)
    get_iterates("DIP", batch, n_iter=1, channels=8, layers=3)
    assert torch.equal(torch.rand(3), expected)
