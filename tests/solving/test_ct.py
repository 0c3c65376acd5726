"""Every image solver takes sinograms, and those of tomography nothing else."""

import pytest
from benchopt.utils.run_context import RunContext
from conftest import BENCHMARK
from scipy.optimize import lsq_linear

from benchmark_utils.scoring import metrics

# With few iterations where each is slow.
SOLVERS = {
    "Filtered back-projection": {},
    "SIRT": {},
    "Pseudo-inverse": {},
    "Initial guess": {},
    "TV": {"n_iter": 60},
    "Wavelets": {"n_iter": 20},
    "PnP-HQS": {},
    "PnP-PGD": {"n_iter": 4},
    "PnP-ADMM": {"n_iter": 4},
    "SNORE": {"n_iter": 4},
    "FiRe-HQS": {"priors": "denoiser+jpeg", "n_iter": 4},
    "DRP": {"n_iter": 2},
    "SHARP": {"n_iter": 2},
    "Restoration-PnP": {"n_iter": 1},
    "DIP": {"n_iter": 3},
    "CDL": {"n_steps": 2, "n_coding": 3},
    "CDL supervised": {"n_steps": 2},
    "U-Net": {"n_steps": 3},
    "Self-supervised": {"n_steps": 3, "loss": "noise2inverse"},
    "Learned primal-dual": {"n_steps": 3},
}


@pytest.fixture(scope="module", params=["gaussian", "low_dose"])
def data(request, get_data):
    options = {"n_angles": 40, "n_train": 2, "noise": request.param}
    return get_data("chest", problem="ct_sparse", img_size=64, **options)


def solve(name, data, **parameters):
    (solver_class,) = BENCHMARK.check_solver_patterns([name], class_only=True)
    solver = solver_class.get_instance(**parameters)
    RunContext().set_run_context("objective", "dataset", solver, 0, 0)
    given = {**data, "test": [b.without_truth() for b in data["test"]]}
    skipped, reason = solver.skip(**given, device="cpu")
    assert not skipped, reason
    solver.set_objective(**given, device="cpu")
    solver.pre_run_hook(None)
    solver.run(lambda: True)
    (x_hat,) = solver.get_result()["x_hat"]
    return float(metrics.psnr(x_hat, data["test"][0].x).mean())


@pytest.fixture(scope="module")
def psnr(data):
    return {name: solve(name, data, **options) for name, options in SOLVERS.items()}


@pytest.mark.parametrize("name", SOLVERS)
def test_every_image_solver_takes_sinograms(name, psnr):
    assert psnr[name] > (3 if name == "DIP" else 15)


@pytest.mark.parametrize("name", ["TV", "PnP-HQS", "PnP-ADMM", "FiRe-HQS"])
def test_priors_improve_on_filtered_back_projection(name, psnr):
    assert psnr[name] > psnr["Filtered back-projection"] + 1


@pytest.mark.parametrize("name", ["Filtered back-projection", "SIRT"])
def test_solvers_of_tomography_take_sinograms_alone(name, get_data):
    (solver_class,) = BENCHMARK.check_solver_patterns([name], class_only=True)
    data = get_data("simulated", problem="denoising")
    skipped, reason = solver_class.get_instance().skip(**data, device="cpu")
    assert skipped
    assert reason == (
        f"{name} takes sinograms: choose a problem of tomography (ct, ct_sparse, "
        "ct_limited or ct_fan)."
    )


def test_sirt_goes_to_the_non_negative_weighted_least_squares(get_data, get_iterates):
    data = get_data("phantoms", problem="ct_sparse", img_size=8, n_images=1)
    (batch,) = data["test"]
    (*_, x) = get_iterates("SIRT", batch.without_truth(), n_iter=3000)
    physics, n = batch.physics, 64
    basis = batch.x.new_zeros(n, 1, 8, 8)
    basis.view(n, n).fill_diagonal_(1)
    A = physics.A(basis).flatten(1).T.double().numpy()
    weights = A.sum(1) > 1e-6
    root = A.sum(1)[weights] ** -0.5
    y = batch.y.flatten().double().numpy()[weights]
    A, y = root[:, None] * A[weights], root * y
    best = lsq_linear(A, y, (0, 10), tol=1e-12).x

    def cost(x):
        return ((A @ x - y) ** 2).sum()

    assert cost(best) <= cost(x.flatten().numpy()) < 1.01 * cost(best)
