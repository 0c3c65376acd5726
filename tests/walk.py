"""Every solver of the benchmark, on small data, for a few iterations."""

import pytest
from benchopt.utils.run_context import RunContext
from conftest import BENCHMARK

SOLVERS = {solver.name: solver for solver in BENCHMARK.get_solvers()}
IMAGES = {
    problem: ("simulated", {"problem": problem, "img_size": 32})
    for problem in ("denoising", "inpainting", "sr4")
}
VECTORS = {
    "vectors": (
        "synthetic_dictionary",
        {
            "n_signals": 40,
            "n_train": 20,
            "dim": 12,
            "n_atoms": 12,
            "m": 8,
            "n_operators": 2,
        },
    )
}
COMPLEX = {
    problem: ("brain", {"problem": problem, "img_size": 32, "n_images": 2})
    for problem in ("mri", "multicoil_mri")
}
SINOGRAMS = {
    "ct_sparse": ("chest", {"problem": "ct_sparse", "img_size": 32, "n_angles": 12})
}
DATA = {**IMAGES, **VECTORS, **COMPLEX, **SINOGRAMS}
FEW = {"n_iter": 2, "n_steps": 2, "n_coding": 2}
# Of large networks, which are trained for two steps.
FEWER = {"Fine-tuned": {"n_iter": 1}, "Unrolled": {"n_iter": 1}}


def with_few_iterations(solver_class, **parameters):
    few = FEW | FEWER.get(solver_class.name, {})
    known = {n: v for n, v in few.items() if n in solver_class.parameters}
    return solver_class.get_instance(**known | parameters)


def prepared(solver_class, data, get_objective, **parameters):
    """A solver that has received these data and learned from them, as in a run."""
    solver = with_few_iterations(solver_class, **parameters)
    RunContext().set_run_context("objective", "dataset", solver, 0, 0)
    seen = {**get_objective(data).get_objective(), "device": "cpu"}
    skipped, reason = solver.skip(**seen)
    if skipped:
        pytest.skip(reason)
    solver.set_objective(**seen)
    solver.pre_run_hook(None)
    return solver


def answer(solver_class, data, get_objective, **parameters):
    """What a solver restores, on the CPU."""
    solver = prepared(solver_class, data, get_objective, **parameters)
    solver.run(lambda: True)
    return solver.get_result()["x_hat"]


def solved(solver_class, data, get_objective, device, seed=0, **parameters):
    """The last result of a solver and its scores; a sentence where it is skipped.

    What a run keeps of the result, its pictures too, is made as well.
    """
    seeded = {"seed": seed} if "seed" in solver_class.parameters else {}
    solver = with_few_iterations(solver_class, **seeded, **parameters)
    RunContext().set_run_context("objective", "dataset", solver, 0, seed)
    objective = get_objective(data)
    seen = {**objective.get_objective(), "device": device}
    skipped, reason = solver.skip(**seen)
    if skipped:
        return reason, None
    solver.set_objective(**seen)
    solver.pre_run_hook(None)
    scores = []

    def callback():
        scores.append(objective.evaluate_result(**solver.get_result()))
        return True

    solver.run(callback)
    result = solver.get_result()
    objective.save_final_results(**{**result, "code": None})
    return result, scores[-1]
