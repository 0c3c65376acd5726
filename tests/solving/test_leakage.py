"""What a solver must not see does not move its answer."""

from dataclasses import replace

import pytest
import torch
from walk import DATA, SOLVERS, answer, prepared

from benchmark_utils.data import image_dataset
from benchmark_utils.scoring.evaluation import evaluate


def with_test(data, **changes):
    """The same data, but for what ``changes`` make of each test batch."""
    test = [
        replace(batch, **{name: make(batch) for name, make in changes.items()})
        for batch in data["test"]
    ]
    return {**data, "test": test}


OTHER_TRUTHS = {
    "another truth": lambda batch: torch.rand_like(batch.x),
    "no number": lambda batch: torch.full_like(batch.x, torch.nan),
}


PROBLEMS = ["inpainting", "denoising", "vectors", "ct_sparse", "mri", "multicoil_mri"]


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("name", SOLVERS)
def test_the_truth_does_not_move_the_answer(name, problem, get_data, get_objective):
    dataset, parameters = DATA[problem]
    data = get_data(dataset, **parameters)
    expected = answer(SOLVERS[name], data, get_objective)
    for make in OTHER_TRUTHS.values():
        ours = answer(SOLVERS[name], with_test(data, x=make), get_objective)
        for x_hat, x in zip(ours, expected, strict=True):
            torch.testing.assert_close(x_hat, x, rtol=0, atol=0, equal_nan=True)


def tensors(value):
    """The tensors in an attribute."""
    if isinstance(value, torch.nn.Module):
        return list(value.state_dict().values())
    if isinstance(value, list | tuple):
        return [tensor for part in value for tensor in tensors(part)]
    return [value] if torch.is_tensor(value) else []


LEARNING = [name for name, solver in SOLVERS.items() if solver.learns()]
OF_A_MODALITY = {"Learned primal-dual": "ct_sparse", "VarNet": "mri"}


@pytest.mark.parametrize("name", LEARNING)
def test_the_test_signals_do_not_move_what_is_learned(name, get_data, get_objective):
    of_images = OF_A_MODALITY.get(name, "inpainting")
    kind = "vectors" if "vector" in SOLVERS[name].domains else of_images
    dataset, parameters = DATA[kind]
    data = get_data(dataset, **parameters)
    others = with_test(
        data,
        x=lambda batch: torch.rand_like(batch.x),
        y=lambda batch: torch.rand_like(batch.y),
    )

    def learned(data):
        solver = prepared(SOLVERS[name], data, get_objective)
        kept = {key: tensors(value) for key, value in vars(solver).items()}
        return {key: found for key, found in kept.items() if found}

    ours, expected = learned(others), learned(data)
    assert expected and ours.keys() == expected.keys()
    for key, found in expected.items():
        torch.testing.assert_close(ours[key], found, rtol=0, atol=0)


def test_there_are_solvers_that_learn():
    assert {"CDL supervised", "Dictionary supervised"} <= set(LEARNING)


def test_a_function_that_is_evaluated_is_given_nothing_of_the_truth(monkeypatch):
    measure = image_dataset.measure
    given = []

    def function(y, physics):
        held = [v for part in physics.modules() for v in vars(part).values()]
        given.append([y.clone(), *tensors(physics), *tensors(held)])
        return physics.A_adjoint(y)

    def run():
        given.clear()
        report = evaluate(function, "simulated", output="test_leakage")
        report.results.unlink(), report.page.unlink()
        return list(given)

    def measure_and_change(*args, **kwargs):
        batch = measure(*args, **kwargs)
        return replace(batch, x=torch.full_like(batch.x, 0.5))

    expected = run()
    monkeypatch.setattr(image_dataset, "measure", measure_and_change)
    assert len(expected) == 2
    torch.testing.assert_close(run(), expected, rtol=0, atol=0)
