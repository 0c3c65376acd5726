"""Every noise model keeps its law, its draws have a generator, and f weighs by it."""

import deepinv as dinv
import pytest
import torch
from operators import make_physics

from benchmark_utils.common.errors import NotApplicable
from benchmark_utils.physics.closed_forms import MaskDataTerm
from benchmark_utils.physics.ct import CT_PROBLEMS
from benchmark_utils.physics.data_term import data_term
from benchmark_utils.physics.least_squares import DataTerm
from benchmark_utils.physics.mri import MRI_PROBLEMS
from benchmark_utils.physics.noise import (
    SMALLEST_LEVEL,
    draw_measurements,
    noise_level,
    variance,
)
from benchmark_utils.physics.problems import PROBLEMS, make_problem


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def denoising(noise, **options):
    return make_physics("denoising", (1, 200, 200), generator(), noise=noise, **options)


def test_the_model_of_a_physics_is_kept_and_has_its_variance():
    physics = dinv.physics.Denoising()
    physics.noise_model = dinv.physics.PoissonGaussianNoise(gain=0.1, sigma=0.01)
    x = torch.full((1, 1, 300, 300), 0.5)
    y = draw_measurements(physics, x, generator())
    assert isinstance(physics.noise_model, dinv.physics.PoissonGaussianNoise)
    assert (y - x).std() == pytest.approx(0.224, abs=0.003)
    assert physics.noise_model.rng is None


@pytest.mark.parametrize(
    "noise, levels, expected",
    [
        ("gaussian", {"noise_level": 0.04}, 0.04),
        ("poisson", {"gain": 0.02}, (0.02 * 0.5) ** 0.5),
        (
            "poisson_gaussian",
            {"noise_level": 0.04, "gain": 0.02},
            (0.02 * 0.5 + 0.04**2) ** 0.5,
        ),
    ],
)
def test_the_noise_of_a_problem_has_the_deviation_asked_for(noise, levels, expected):
    physics = denoising(noise, **levels)
    x = torch.full((1, 1, 200, 200), 0.5)
    y = draw_measurements(physics, x, generator())
    assert (y - x).std() == pytest.approx(expected, rel=0.03)
    assert (y - x).mean() == pytest.approx(0, abs=0.05 * expected)
    assert noise_level(physics, y) == pytest.approx(expected, rel=0.1)
    assert variance(physics, y).mean() == pytest.approx(expected**2, rel=0.05)


@pytest.mark.parametrize(
    "problem, noise, levels, rather",
    [
        ("denoising", "gaussian", {"gain": 0.02}, "poisson or poisson_gaussian"),
        ("sr4", "poisson", {"noise_level": 0.04}, "gaussian or poisson_gaussian"),
        ("denoising", "poisson", {"noise_level": 0.2}, "gaussian or poisson_gaussian"),
        ("ct", "gaussian", {"photons": 1e4}, "low_dose"),
        ("ct", "low_dose", {"noise_level": 0.01}, "gaussian"),
    ],
)
def test_a_level_that_a_noise_does_not_have_is_refused(problem, noise, levels, rather):
    """It was without effect, and in the name of the results."""
    problems = CT_PROBLEMS if problem == "ct" else PROBLEMS
    (level,) = levels
    sentence = f"{level} means nothing with noise={noise}: .* set noise={rather}[.]"
    with pytest.raises(NotApplicable, match=sentence):
        make_problem(problem, problems, noise=noise, **levels)


def test_a_level_that_no_noise_of_the_problem_has_is_refused():
    with pytest.raises(NotApplicable, match=r"means nothing .*: leave it out[.]"):
        make_problem("mri", MRI_PROBLEMS, gain=0.1)


def test_the_usual_level_may_be_written_out_with_any_noise():
    assert make_problem("sr4", noise="poisson", noise_level=0.01).noise == "poisson"


@pytest.mark.parametrize("noise", ["poisson", "poisson_gaussian"])
def test_the_level_of_noise_of_the_signal_does_not_depend_on_the_holes(noise):
    x = 0.2 + 0.6 * torch.rand(2, 3, 32, 32, generator=generator())
    levels = []
    for missing in (0, 0.1, 0.8):
        options = {"missing": missing, "noise": noise, "gain": 0.01}
        physics = make_physics("inpainting", (3, 32, 32), generator(), 2, **options)
        levels.append(noise_level(physics, draw_measurements(physics, x, generator())))
    assert levels[1:] == pytest.approx(levels[:1] * 2, rel=0.05)


def test_where_nothing_is_measured_the_level_is_the_smallest():
    physics = make_physics("inpainting", (3, 8, 8), generator(), noise="poisson")
    physics.mask = torch.zeros_like(physics.mask)
    assert noise_level(physics, torch.zeros(1, 3, 8, 8)) == SMALLEST_LEVEL


def test_the_same_generator_draws_the_same_noise_and_then_another():
    physics, x = denoising("poisson"), torch.rand(1, 1, 200, 200, generator=generator())
    draws = generator(3)
    first, second = (draw_measurements(physics, x, draws) for _ in range(2))
    assert torch.equal(first, draw_measurements(physics, x, generator(3)))
    assert not torch.equal(first, second)


def test_a_physics_keeps_no_trace_of_a_generator_that_it_came_with():
    own = generator(7)
    physics = dinv.physics.Denoising(dinv.physics.GaussianNoise(0.1, rng=own))
    x = torch.zeros(1, 1, 16, 16)
    y = draw_measurements(physics, x, generator(3))
    assert torch.equal(y, draw_measurements(physics, x, generator(3)))
    assert physics.noise_model.rng is None
    assert not hasattr(physics.noise_model, "initial_random_state")


def test_another_noise_is_refused_with_its_name():
    physics = dinv.physics.Denoising(dinv.physics.UniformNoise(0.1))
    with pytest.raises(NotApplicable, match="not UniformNoise"):
        data_term(physics, torch.rand(1, 1, 8, 8))


def poisson_case(problem, n=12, **options):
    """A physics with Poisson-Gaussian noise, its measurements, and its data term."""
    draws = generator(1)
    options = {"noise": "poisson_gaussian", "gain": 0.05, "noise_level": 0.02} | options
    physics = make_physics(problem, (1, n, n), draws, **options)
    y = draw_measurements(physics, torch.rand(1, 1, n, n, generator=draws), draws)
    return physics, y, data_term(physics, y)


def dense(function, shape):
    basis = torch.eye(shape.numel(), dtype=torch.float32).unflatten(1, shape)
    return torch.cat([function(e[None]).flatten(1) for e in basis]).T.double()


@pytest.mark.parametrize(
    "problem, options, kind",
    [
        ("denoising", {}, MaskDataTerm),
        ("inpainting", {}, MaskDataTerm),
        ("sr4", {"factor": 2}, DataTerm),
    ],
)
def test_the_weighted_prox_is_the_weighted_least_squares_solution(
    problem, options, kind
):
    physics, y, f = poisson_case(problem, **options)
    assert type(f) is kind
    z = torch.rand(1, 1, 12, 12, generator=generator(5))
    A = dense(physics.A, torch.Size((1, 12, 12)))
    W = f.noise_level**2 / variance(physics, y).double().flatten()
    gamma = 3.0
    normal = gamma * A.T @ (W[:, None] * A) + torch.eye(144)
    right = gamma * A.T @ (W * y.double().flatten()) + z.double().flatten()
    expected = torch.linalg.solve(normal, right)
    found = f.prox(z, gamma).double().flatten()
    torch.testing.assert_close(found, expected, rtol=0, atol=2e-4)
    assert f.lipschitz == pytest.approx(
        float(torch.linalg.eigvalsh(A.T @ (W[:, None] * A))[-1]), rel=0.01
    )


def test_the_weighted_data_term_is_half_of_the_noise_variance_at_the_truth():
    draws = generator(1)
    options = {"noise": "poisson", "gain": 0.01}
    physics = make_physics("denoising", (1, 200, 200), draws, **options)
    x = 0.2 + 0.6 * torch.rand(1, 1, 200, 200, generator=draws)
    f = data_term(physics, draw_measurements(physics, x, draws))
    expected = f.noise_level**2 / 2
    # The variance is estimated from y itself, and so goes with its noise.
    assert float(f.value(x)) / x.numel() == pytest.approx(expected, rel=0.1)


def test_without_is_the_data_term_of_the_rest():
    for problem in ("gaussian_deblurring", "sr4", "inpainting"):
        physics = make_physics(problem, (3, 32, 32), generator())
        x, low, z = (torch.rand(1, 3, 32, 32, generator=generator(k)) for k in range(3))
        y = physics.A(x)
        rest = data_term(physics, y).without(low)
        expected = data_term(physics, y - physics.A(low))
        torch.testing.assert_close(rest.grad(z), expected.grad(z), rtol=0, atol=1e-5)
        torch.testing.assert_close(rest.prox(z, 5.0), expected.prox(z, 5.0))
