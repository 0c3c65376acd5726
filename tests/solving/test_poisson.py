"""Noise that depends on the signal: solvers take it through the weighted data term."""

import pytest

from benchmark_utils.scoring.results import last_rows

SOLVERS = ["Initial guess", "TV[n_iter=60]", "PnP-HQS", "PnP-ADMM[n_iter=6]"]


@pytest.fixture(scope="module")
def psnr(run):
    """{(problem, solver): PSNR} with Poisson noise of fifty photons."""
    options = "img_size=48,noise=poisson_gaussian,gain=0.02"
    problems = "problem=[denoising,inpainting,gaussian_deblurring]"
    rows = last_rows(run(SOLVERS, [f"simulated[{problems},{options}]"]))
    assert (rows.objective_diverged == 0).all()
    names = rows.solver_name.str.partition("[")[0]
    return rows.set_index([rows.p_dataset_problem, names]).objective_psnr


@pytest.mark.parametrize("problem", ["denoising", "inpainting", "gaussian_deblurring"])
@pytest.mark.parametrize("solver", ["TV", "PnP-HQS", "PnP-ADMM"])
def test_priors_improve_on_the_measurements(problem, solver, psnr):
    gain = 3 if problem == "denoising" else 1
    assert psnr[problem, solver] > psnr[problem, "Initial guess"] + gain


def test_the_noise_is_in_the_name_of_the_dataset(run):
    rows = run(["Initial guess"], ["simulated[noise=poisson,gain=0.05]"])
    (name,) = rows.dataset_name.unique()
    assert name == "simulated[gain=0.05,noise=poisson,problem=denoising]"


def test_a_noise_that_does_not_exist_is_answered_with_those_that_do(get_data):
    reason = get_data("simulated", noise="salt")["unavailable"]
    assert reason == (
        "noise must be one of gaussian, poisson, poisson_gaussian, not 'salt'."
    )
