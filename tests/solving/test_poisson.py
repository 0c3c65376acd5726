"""Noise that depends on the signal: solvers take it through the weighted data term."""

import pytest
import torch
from operators import make_physics

from benchmark_utils.data import IMAGES, Batch
from benchmark_utils.physics import unweighted_data_term
from benchmark_utils.physics.noise import draw_measurements
from benchmark_utils.priors.denoisers import CountedDenoiser
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


def test_a_denoiser_is_told_the_noise_of_each_image(get_iterates, monkeypatch):
    """Dark pixels have little noise, and do not hide that of the bright ones."""
    x = torch.full((2, 3, 32, 32), 0.002)
    x[0, :, 16:], x[1] = 0.8, 0.1
    options = {"noise": "poisson", "gain": 0.01}
    generator = torch.Generator().manual_seed(0)
    physics = make_physics("denoising", (3, 32, 32), generator, **options)
    y = draw_measurements(physics, x, generator)
    told = []
    monkeypatch.setattr(
        CountedDenoiser, "__call__", lambda self, y, sigma: told.append(sigma) or y
    )
    get_iterates("Denoiser", Batch(y, physics, domain=IMAGES))
    assert told == pytest.approx((y - x).std((1, 2, 3)).tolist(), rel=0.1)


def test_the_noise_is_in_the_name_of_the_dataset(run):
    rows = run(["Initial guess"], ["simulated[noise=poisson,gain=0.05]"])
    (name,) = rows.dataset_name.unique()
    assert name == "simulated[gain=0.05,noise=poisson,problem=denoising]"


def test_a_noise_that_does_not_exist_is_answered_with_those_that_do(get_data):
    reason = get_data("simulated", noise="salt")["unavailable"]
    assert reason == (
        "noise must be one of gaussian, poisson, poisson_gaussian, not 'salt'."
    )


@pytest.mark.parametrize("problem", ["denoising", "gaussian_deblurring", "sr4"])
def test_the_adjoint_is_that_of_the_operator_without_weights(problem, get_iterates):
    generator = torch.Generator().manual_seed(0)
    physics = make_physics(problem, (3, 32, 32), generator, noise="poisson", gain=0.01)
    y = draw_measurements(physics, torch.rand(1, 3, 32, 32), generator)
    (x_hat,) = get_iterates("Adjoint", Batch(y, physics, domain=IMAGES))
    lipschitz = unweighted_data_term(physics, y).lipschitz
    torch.testing.assert_close(x_hat, physics.A_adjoint(y) / lipschitz)
