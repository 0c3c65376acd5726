"""FiRe and its relatives do what their formulas say, where the result is known."""

import math
from dataclasses import dataclass, replace

import deepinv as dinv
import pytest
import torch
from benchopt.utils.run_context import RunContext
from conftest import BENCHMARK
from operators import make_physics
from torch.nn import functional as F

from benchmark_utils.common.parameters import one_or_each
from benchmark_utils.data.batches import Batch
from benchmark_utils.data.images import center_crop, load_images
from benchmark_utils.physics.data_term import data_term
from benchmark_utils.physics.degradations import (
    DEGRADATIONS,
    Degraded,
    Downscaling,
    GaussianBlur,
    Identity,
    Measurement,
    Noise,
)
from benchmark_utils.physics.degraded import adjoint
from benchmark_utils.priors import denoisers, restoration
from benchmark_utils.priors.restoration import RestorationModel
from benchmark_utils.scoring.metrics import psnr
from benchmark_utils.solving.search import Range

INVERSE_PROBLEMS = ["gaussian_deblurring", "sr4", "inpainting"]
# FiRe reduced to x_{k+1} = prox(x_k - gamma (x_k - R(x_k))).
PLAIN = {
    "degradation": "none",
    "gamma": 1.0,
    "lambda_": 40.0,
    "noise_start": 0.05,
    "noise": 0.05,
    "sigma_factor": 1.0,
    "strength": 1.0,
    "shifts": False,
    "average": False,
}


def random(shape, seed=0, **options):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), **options)


def make_batch(problem, shape=(3, 32, 28), n_images=2, **strengths):
    generator = torch.Generator().manual_seed(0)
    physics = make_physics(problem, shape, generator, n_images, **strengths)
    x = random((n_images, *shape))
    return Batch(x=x, y=physics(x), physics=physics)


def instance(name, batch, seed=0, **parameters):
    """A solver, and why it is skipped (None if it is not)."""
    (solver_class,) = BENCHMARK.check_solver_patterns([name], class_only=True)
    solver = solver_class.get_instance(**parameters)
    RunContext().set_run_context("objective", "dataset", solver, 0, seed)
    data = {"dataset": "none", "problem": "none", "device": "cpu"}
    skipped, reason = solver.skip(train=[], test=[batch], **data)
    if not skipped:
        solver.set_objective(train=[], test=[batch], **data)
    return solver, reason


def solve(name, batch, **parameters):
    """All that a solver yields for one batch."""
    solver, reason = instance(name, batch, **parameters)
    assert reason is None
    solver.pre_run_hook(None)
    with torch.inference_mode(not solver.requires_grad):
        return list(solver.iterate(batch.y, batch.physics))


@pytest.fixture
def network(monkeypatch):
    """network(task, R): R(degraded, size) becomes the network of the task."""

    def put(task, restorer):
        monkeypatch.setitem(
            restoration.RESTORERS["compact"], task, lambda device: restorer
        )

    return put


@pytest.fixture
def recorded(network):
    """recorded(task, R): likewise, and a list of what it is given."""

    def put(task, restorer):
        given = []

        def record(degraded, size):
            given.append(degraded)
            return restorer(degraded, size)

        network(task, record)
        return given

    return put


@pytest.fixture
def spied(monkeypatch):
    """spied(task): a list of the images that the task's degradation is given."""

    def put(task):
        given, own = [], DEGRADATIONS[task]

        @dataclass(frozen=True)
        class Spied(type(own)):
            def __call__(self, x, generator):
                given.append(x)
                return super().__call__(x, generator)

        spy = replace(Spied(), **vars(own))
        monkeypatch.setitem(DEGRADATIONS, task, spy)
        return given

    return put


def unchanged(degraded, size):
    return degraded.y


def circular_mean(degraded, size):
    """A linear restorer that commutes with circular shifts."""
    y = F.pad(degraded.y, (1, 1, 1, 1), mode="circular")
    return 0.9 * F.avg_pool2d(y, 3, 1)


def assert_same(actual, expected, atol=1e-5):
    assert len(actual) == len(expected)
    for ours, theirs in zip(actual, expected):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=atol)


# What FiRe is in special cases


@pytest.mark.parametrize("problem", INVERSE_PROBLEMS)
def test_a_denoiser_without_degradation_is_plug_and_play(problem, monkeypatch):
    batch = make_batch(problem)
    # PnP-HQS weighs the data by sigma_k^2 / (reg noise^2): lambda_ at the last sigma.
    sigmas = {"sigma_start": 0.2, "end_ratio": 5.0}
    hqs = solve("PnP-HQS", batch, n_iter=4, reg=0.5, **sigmas)
    levels = {"noise_start": 0.2, "noise": 0.05, "lambda_": 0.05**2 / (0.5 * 0.01**2)}
    # PnP-HQS starts by the prox.
    fit = data_term(batch.physics, batch.y)
    start = fit.prox(fit.initial_guess(), 0.2**2 / (0.5 * 0.01**2))
    monkeypatch.setattr(type(fit), "initial_guess", lambda self: start)
    options = PLAIN | levels | {"priors": "denoiser", "output": "prior"}
    assert_same(solve("FiRe-HQS", batch, n_iter=4, **options), hqs)
    assert (hqs[0] - start).abs().max() > 0.01


@pytest.mark.parametrize("problem", INVERSE_PROBLEMS)
def test_without_weight_the_prox_is_repeated_and_no_network_called(problem, recorded):
    batch = make_batch(problem)
    given = recorded("sr2", unchanged)
    iterates = solve("FiRe-HQS", batch, n_iter=5, **PLAIN | {"gamma": 0})
    fit = data_term(batch.physics, batch.y)
    expected = [fit.initial_guess()]
    for _ in iterates:
        expected.append(fit.prox(expected[-1], PLAIN["lambda_"]))
    assert_same(iterates, expected[1:])
    assert not given


@pytest.mark.parametrize("options", [{}, {"shifts": True, "average": True}])
@pytest.mark.parametrize("problem", ["sr4", "inpainting", "motion_deblurring"])
def test_without_weight_it_converges_to_the_pseudo_inverse(problem, options, network):
    batch = make_batch(problem, kernel=None)
    network("sr2", unchanged)
    options = PLAIN | {"gamma": 0, "init": "adjoint", "lambda_": 1e4} | options
    x = solve("FiRe-HQS", batch, n_iter=200, **options)[-1]
    fit = data_term(batch.physics, batch.y)
    torch.testing.assert_close(
        fit.project_on_range(x),
        fit.project_on_range(fit.pseudo_inverse(0)),
        rtol=0,
        atol=2e-3,
    )
    assert fit.value(x).max() < 1e-3 * fit.value(torch.zeros_like(x)).min()


def dense(function, shape):
    """The matrix of a linear map of images (C, H, W), in double precision."""
    n = math.prod(shape)
    columns = function(torch.eye(n, dtype=torch.float64).reshape(n, *shape))
    return columns.flatten(1).mT


def penalised_solution(batch, shape, lambda_, gammas, maps):
    """argmin lambda_/2 ||A x - y||^2 + sum_n gamma_n/2 ||x - T_n x||^2."""
    A, identity = dense(batch.physics.A, shape), torch.eye(math.prod(shape))
    system = lambda_ * A.mT @ A
    for gamma, T in zip(gammas, maps):
        residual = identity - dense(T, shape)
        system = system + gamma * residual.mT @ residual
    solution = torch.linalg.solve(system, lambda_ * A.mT @ batch.y.flatten(1).mT)
    return solution.mT.reshape(-1, *shape)


def double_batch(physics, shape):
    physics.noise_model = dinv.physics.GaussianNoise(sigma=0.01)
    y = physics.A(random((2, *shape), dtype=torch.float64))
    return Batch(y=y + 0.1 * random(y.shape, seed=1), physics=physics)


def small_problem(name, shape):
    if name == "inpainting":
        mask = (random((1, 1, *shape[1:]), seed=5) > 0.3).double()
        return double_batch(dinv.physics.Inpainting(shape, mask=mask), shape)
    kernel = random((1, 1, 3, 3), seed=6, dtype=torch.float64)
    return double_batch(dinv.physics.BlurFFT(shape, kernel / kernel.sum()), shape)


def projection(shape, rank, seed):
    """The orthogonal projection on a random subspace, as a map of images."""
    vectors = random((math.prod(shape), rank), seed, dtype=torch.float64)
    basis = torch.linalg.qr(vectors - 0.5).Q
    return lambda x: (x.flatten(1) @ basis @ basis.mT).reshape(x.shape)


@pytest.mark.parametrize("problem", ["inpainting", "blur"])
@pytest.mark.parametrize("gammas", [(1.0,), (0.4,), (0.3, 0.7)])
def test_with_projections_it_minimises_the_penalised_data_term(
    problem, gammas, network
):
    """The proposition of the paper: lambda f + sum_n gamma_n/2 d_{C_n}^2."""
    shape = (3, 8, 8)
    batch = small_problem(problem, shape)
    tasks = ["deblur", "sr2"][: len(gammas)]
    maps = [projection(shape, 60, seed) for seed in range(len(tasks))]
    for task, T in zip(tasks, maps):
        network(task, lambda degraded, size, T=T: T(degraded.y))
    options = PLAIN | {"gamma": "+".join(map(str, gammas)), "lambda_": 2.0}
    x = solve("FiRe-HQS", batch, priors="+".join(tasks), n_iter=600, **options)[-1]
    expected = penalised_solution(batch, shape, 2.0, gammas, maps)
    torch.testing.assert_close(x, expected, rtol=0, atol=1e-4)


def test_with_downscaling_the_fixed_points_are_what_the_small_images_say(network):
    """T = H^+ H for both factors: projections that come from the degradations."""
    shape = (1, 12, 12)
    batch = small_problem("inpainting", shape)
    maps = []
    for task, factor in (("sr2", 2), ("sr3", 3)):
        H = Downscaling(factor).downscale
        inverse = torch.linalg.pinv(dense(H, shape))

        def R(degraded, size, inverse=inverse):
            return (degraded.y.flatten(1) @ inverse.mT).reshape(-1, *shape)

        network(task, R)
        maps.append(lambda x, H=H, R=R: R(Degraded(H(x), None), shape))
    options = {**PLAIN, "degradation": "own", "lambda_": 2.0}
    options |= {"noise_start": 1e-9, "noise": 1e-9}
    x = solve(
        "FiRe-HQS", batch, priors="sr2+sr3", n_iter=100, **options | {"gamma": 0.5}
    )[-1]
    expected = penalised_solution(batch, shape, 2.0, (0.5, 0.5), maps)
    torch.testing.assert_close(x, expected, rtol=0, atol=1e-5)


SCHEDULE = {"noise_start": 0.2, "noise": 0.05, "n_iter": 3}
LEVELS = [0.2, 0.1, 0.05]


def told_levels(given):
    """The noise level that a network was told of the first image, at each call."""
    return [float(degraded.sigma[0]) for degraded in given]


@pytest.mark.parametrize("factor", [1.0, 3.0])
def test_the_noise_and_the_weight_of_the_data_decrease_together(factor, recorded):
    batch = make_batch("sr4")
    given = recorded("sr2", circular_mean)
    options = PLAIN | SCHEDULE | {"sigma_factor": factor}
    iterates = solve("FiRe-HQS", batch, **options)
    assert told_levels(given) == pytest.approx([factor * level for level in LEVELS])
    fit = data_term(batch.physics, batch.y)
    # The data term precedes the next D, and goes with its noise.
    for ours, degraded, level in zip(iterates, given, [*LEVELS[1:], LEVELS[-1]]):
        weight = PLAIN["lambda_"] * (level / 0.05) ** 2
        expected = fit.prox(circular_mean(degraded, None), weight)
        torch.testing.assert_close(ours, expected, rtol=0, atol=1e-5)


def test_the_noise_stays_where_the_iterates_are_averaged(recorded):
    given = recorded("sr2", circular_mean)
    options = PLAIN | SCHEDULE | {"n_iter": 6, "average": True}
    solve("FiRe-HQS", make_batch("sr4"), **options)
    assert told_levels(given) == pytest.approx([*LEVELS, 0.05, 0.05, 0.05])


def test_the_output_of_the_prior_is_where_the_data_term_is_taken(network):
    batch = make_batch("gaussian_deblurring")
    network("sr2", circular_mean)
    data = solve("FiRe-HQS", batch, **PLAIN, n_iter=5)
    prior = solve("FiRe-HQS", batch, **PLAIN, n_iter=5, output="prior")
    fit = data_term(batch.physics, batch.y)
    for x, u in zip(data, prior):
        torch.testing.assert_close(fit.prox(u, PLAIN["lambda_"]), x)


def test_the_output_of_the_prior_is_averaged_apart(network):
    batch = make_batch("gaussian_deblurring")
    network("sr2", circular_mean)
    options = PLAIN | {"n_iter": 6, "output": "prior"}
    alone = solve("FiRe-HQS", batch, **options)
    *_, averaged = solve("FiRe-HQS", batch, **options | {"average": True})
    torch.testing.assert_close(averaged, torch.stack(alone[3:]).mean(0))


@pytest.mark.parametrize("level", [0.005, 0.01, 0.1])
def test_the_weight_of_the_data_is_relative_to_their_noise(level, network):
    batch = make_batch("gaussian_deblurring", noise_level=level)
    network("sr2", circular_mean)
    (x,) = solve("FiRe-HQS", batch, **PLAIN | {"n_iter": 1})
    fit = data_term(batch.physics, batch.y)
    u = circular_mean(Degraded(fit.initial_guess(), None), None)
    expected = fit.prox(u, PLAIN["lambda_"] * (0.01 / level) ** 0.8)
    torch.testing.assert_close(x, expected, rtol=0, atol=1e-5)


def test_the_factor_is_told_but_not_added(recorded, spied):
    batch = make_batch("inpainting")
    clean, given = spied("denoiser"), recorded("denoiser", unchanged)
    options = PLAIN | {"degradation": "own", "sigma_factor": 3.0, "n_iter": 3}
    solve("FiRe-HQS", batch, priors="denoiser", **options)
    for x, degraded in zip(clean, given, strict=True):
        assert float((degraded.y - x).std()) == pytest.approx(0.05, rel=0.1)
    assert told_levels(given) == pytest.approx([0.15] * 3)


# FiRe-ADMM


@pytest.mark.parametrize("problem", INVERSE_PROBLEMS)
def test_admm_with_a_denoiser_and_without_degradation_is_plug_and_play(problem):
    batch = make_batch(problem, noise_level=0.32)
    pnp = solve("PnP-ADMM", batch, n_iter=5, sigma=0.05, reg=0.5)
    # sigma^2 / (reg noise^2) at noise 0.01.
    options = {"lambda_": 0.05**2 / (0.5 * 0.01**2), "noise": 0.05, "gamma": 1.0}
    options |= {"degradation": "none", "sigma_factor": 1.0, "average": False}
    ours = solve("FiRe-ADMM", batch, priors="denoiser", n_iter=5, **options)
    assert_same(ours, pnp)
    assert (ours[0] - ours[-1]).abs().max() > 0.01


@pytest.mark.parametrize("problem", ["inpainting", "blur"])
@pytest.mark.parametrize("gammas", [(1.0,), (0.4,), (0.3, 0.5)])
def test_admm_with_projections_minimises_the_data_term_and_the_prior(
    problem, gammas, network
):
    """S = 1 - sum_n gamma_n (1 - P_n) is the prox of 1/2 <x, (S^-1 - 1) x>.

    That is mu/2 d_C^2 with mu = gamma / (1 - gamma) for one prior, and x in C where
    gamma = 1, here the limit.
    """
    shape = (3, 8, 8)
    batch = small_problem(problem, shape)
    tasks = ["deblur", "sr2"][: len(gammas)]
    maps = [projection(shape, 60, seed) for seed in range(len(tasks))]
    for task, T in zip(tasks, maps):
        network(task, lambda degraded, size, T=T: T(degraded.y))
    A, identity = dense(batch.physics.A, shape), torch.eye(192, dtype=torch.float64)
    residuals = (g * (identity - dense(T, shape)) for g, T in zip(gammas, maps))
    S = identity - sum(residuals)
    prior = torch.linalg.inv(S + 1e-9 * identity) - identity
    target = 2.0 * A.mT @ batch.y.flatten(1).mT
    expected = torch.linalg.solve(2.0 * A.mT @ A + prior, target)
    options = {"gamma": "+".join(map(str, gammas)), "lambda_": 2.0}
    options |= {"degradation": "none", "sigma_factor": 1.0, "average": False}
    x = solve("FiRe-ADMM", batch, priors="+".join(tasks), n_iter=600, **options)[-1]
    torch.testing.assert_close(x, expected.mT.reshape(x.shape), rtol=0, atol=1e-4)


def test_admm_takes_all_residuals_at_one_point_with_a_new_degradation_each_time(
    recorded, spied
):
    batch = make_batch("sr4", noise_level=0.32)
    seen = {task: spied(task) for task in ("deblur", "inpaint")}
    given = {task: recorded(task, circular_mean) for task in seen}
    options = {"gamma": "0.3+0.4", "lambda_": 20.0, "noise": 0.03, "sigma_factor": 2.0}
    options |= {"priors": "deblur+inpaint", "average": False, "n_iter": 3}
    iterates = solve("FiRe-ADMM", batch, **options)
    fit = data_term(batch.physics, batch.y)
    z, u = fit.initial_guess(), torch.zeros_like(batch.x)
    for k, ours in enumerate(iterates):
        # lambda_ and noise are for noise 0.01: 32 times as much to the power 0.8, 0.6.
        v = fit.prox(z - u, 20.0 / 16) + u
        blurred, masked = (given[task][k] for task in seen)
        for task in seen:
            torch.testing.assert_close(seen[task][k], v, rtol=0, atol=1e-5)
            assert told_levels(given[task])[k] == pytest.approx(2 * 8 * 0.03)
        z = v - 0.3 * (v - circular_mean(blurred, None))
        z = z - 0.4 * (v - circular_mean(masked, None))
        u = v - z
        torch.testing.assert_close(ours, z, rtol=0, atol=1e-5)
    first, second, _ = (d.mask for d in given["inpaint"])
    assert not torch.equal(first, second)


def test_admm_shows_the_mean_of_its_last_third_and_feeds_nothing_back(network):
    batch = make_batch("gaussian_deblurring")
    network("sr2", circular_mean)
    options = {"degradation": "none", "gamma": 0.8, "lambda_": 20.0, "n_iter": 9}
    alone = solve("FiRe-ADMM", batch, **options, average=False)
    averaged = solve("FiRe-ADMM", batch, **options)
    assert_same(averaged[:7], alone[:7], 0)
    torch.testing.assert_close(averaged[-1], torch.stack(alone[6:]).mean(0))


# Several priors, shifts, averaging


def test_all_residuals_are_taken_at_the_same_iterate(recorded):
    batch = make_batch("inpainting")
    blurred = recorded("deblur", circular_mean)
    halved = recorded("sr2", lambda degraded, size: 0.5 * degraded.y)
    options = {"n_iter": 4, **PLAIN}
    first = solve(
        "FiRe-HQS", batch, priors="deblur+sr2", **options | {"gamma": "0.3+0.6"}
    )
    assert len(first) == 4
    for ours, theirs, x in zip(blurred[1:], halved[1:], first[:-1], strict=True):
        assert torch.equal(ours.y, theirs.y) and torch.equal(ours.y, x)
    second = solve(
        "FiRe-HQS", batch, priors="sr2+deblur", **options | {"gamma": "0.6+0.3"}
    )
    assert_same(first, second, atol=1e-6)


def test_each_prior_adds_its_weighted_residual(network):
    batch = make_batch("sr4")
    network("deblur", circular_mean)
    network("sr2", lambda degraded, size: 0.5 * degraded.y)
    iterates = solve(
        "FiRe-HQS", batch, priors="deblur+sr2", **PLAIN | {"gamma": [0.3, 0.6]}
    )
    fit = data_term(batch.physics, batch.y)
    x = fit.initial_guess()
    for ours in iterates[:5]:
        mean = circular_mean(Degraded(x, None), None)
        x = fit.prox(x - 0.3 * (x - mean) - 0.6 * 0.5 * x, PLAIN["lambda_"])
        torch.testing.assert_close(ours, x, rtol=0, atol=1e-5)


def test_shifts_do_not_matter_to_a_prior_that_commutes_with_them(network):
    batch = make_batch("gaussian_deblurring")
    network("sr2", circular_mean)
    fixed, shifted = (
        solve("FiRe-HQS", batch, n_iter=6, **PLAIN | {"shifts": shifts})
        for shifts in (False, True)
    )
    assert_same(fixed, shifted)


def shift_between(x, shifted):
    """(rows, columns) by which ``x`` was rolled; None if it was not."""
    for rows in range(-8, 9):
        for columns in range(-8, 9):
            if torch.equal(x.roll((rows, columns), (-2, -1)), shifted):
                return rows, columns
    return None


def test_every_prior_sees_the_iterate_with_the_same_shift_of_at_most_a_tenth(recorded):
    batch = make_batch("inpainting", shape=(1, 60, 40))
    blurred, halved = recorded("deblur", circular_mean), recorded("sr2", unchanged)
    options = {**PLAIN, "gamma": 0.5, "shifts": True}
    iterates = solve("FiRe-HQS", batch, priors="deblur+sr2", n_iter=30, **options)
    assert all(torch.equal(a.y, b.y) for a, b in zip(blurred, halved, strict=True))
    shifts = [shift_between(x, d.y) for x, d in zip(iterates, blurred[1:])]
    assert None not in shifts
    rows, columns = zip(*shifts)
    assert max(map(abs, rows)) <= 6 and max(map(abs, columns)) <= 4
    # All of the range is used, and the two directions are drawn apart.
    assert min(rows) <= -4 and max(rows) >= 4
    assert min(columns) <= -2 and max(columns) >= 2
    assert len(set(shifts)) > 15


def test_what_a_prior_says_of_a_shifted_image_is_shifted_back(network):
    target = random((1, 3, 32, 28))
    batch = make_batch("denoising", n_images=1)

    def nearest_shift_of_the_target(degraded, size):
        s = shift_between(batch.y, degraded.y)
        return target.roll(s, (-2, -1))

    network("sr2", nearest_shift_of_the_target)
    options = {**PLAIN, "shifts": True, "lambda_": 0.0}
    assert_same(solve("FiRe-HQS", batch, n_iter=1, **options), [target], 0)


def authors_averaging(fit, gamma, lambda_, n_iter):
    """Steps 2 to 6 of the authors' code, for the prior ``circular_mean``."""
    x, mean, iterates = fit.initial_guess(), None, []
    for it in range(n_iter):
        restored = circular_mean(Degraded(x, None), None)
        x = fit.prox((1 - gamma) * x + gamma * restored, lambda_)
        if it >= n_iter - n_iter // 2:
            weight = 1 / (it - n_iter + n_iter // 2 + 1)
            mean = x if mean is None else (1 - weight) * mean + weight * x
            x = mean.clone()
        iterates.append(x)
    return iterates


@pytest.mark.parametrize("n_iter", [1, 2, 3, 6, 9])
def test_the_second_half_is_its_running_mean_which_is_fed_back(n_iter, network):
    batch = make_batch("gaussian_deblurring")
    network("sr2", circular_mean)
    options = PLAIN | {"gamma": 0.7, "average": True}
    iterates = solve("FiRe-HQS", batch, n_iter=n_iter, **options)
    fit = data_term(batch.physics, batch.y)
    assert_same(iterates, authors_averaging(fit, 0.7, PLAIN["lambda_"], n_iter))


# Degradations


def test_strength_is_the_share_of_each_range_that_is_drawn_from():
    options = PLAIN | {"degradation": "own", "strength": 0.5}
    solver, _ = instance(
        "FiRe-HQS", make_batch("inpainting"), priors="deblur+denoiser", **options
    )
    deblur, denoiser = (model.degradation for model in solver.models)
    assert isinstance(deblur, GaussianBlur) and isinstance(denoiser, Noise)
    low, high = DEGRADATIONS["deblur"].width
    assert deblur.width == pytest.approx((low, low + 0.5 * (high - low)))


def test_each_prior_undoes_its_own_degradation_of_the_iterate(recorded, spied):
    batch = make_batch("inpainting")
    seen = {task: spied(task) for task in ("deblur", "inpaint")}
    given = {task: recorded(task, unchanged) for task in seen}
    options = PLAIN | {"degradation": "own", "gamma": 0.2}
    iterates = solve("FiRe-HQS", batch, priors="deblur+inpaint", **options | SCHEDULE)
    for task in seen:
        assert_same(seen[task][1:], iterates[:-1], 0)
        assert told_levels(given[task]) == pytest.approx(LEVELS)
    assert all(d.mask is not None for d in given["inpaint"])
    first, second = (d.mask for d in given["inpaint"][:2])
    assert not torch.equal(first, second)
    assert not torch.equal(first[0], first[1])


@pytest.mark.parametrize("problem", INVERSE_PROBLEMS[::2] + ["denoising"])
def test_a_prior_may_undo_the_measurement_itself(problem, recorded):
    batch = make_batch(problem)
    given = recorded("inpaint", unchanged)
    options = {**PLAIN, "degradation": "measurement"}
    iterates = solve("FiRe-HQS", batch, priors="inpaint", n_iter=4, **options)
    assert len(iterates) == 4
    for x, degraded in zip(iterates[:-1], given[1:], strict=True):
        noise = degraded.y - batch.physics.A(x)
        level = float(batch.physics.noise_model.sigma)
        assert float(noise[noise != 0].std()) == pytest.approx(level, rel=0.1)
        if problem == "inpainting":
            assert torch.equal(degraded.mask, batch.physics.mask[:, :1])
            assert (degraded.y * (1 - degraded.mask) == 0).all()
        else:
            assert degraded.mask is None


def test_a_measurement_of_another_size_is_refused_before_the_run():
    options = {"priors": "sr2", "degradation": "measurement"}
    _, reason = instance("FiRe-HQS", make_batch("sr4"), **options)
    assert "(3, 8, 7) of images of shape (3, 32, 28)" in reason
    assert "set degradation=own" in reason


@pytest.mark.parametrize("problem", ["mri", "multicoil_mri"])
def test_k_space_is_no_image_to_restore(problem, get_data):
    data = get_data("brain", problem=problem, img_size=32, n_images=1)
    options = {"priors": "denoiser", "degradation": "measurement"}
    _, reason = instance("FiRe-HQS", data["test"][0], **options)
    assert "makes no image, but k-space" in reason and "degradation=own" in reason


def test_a_mask_of_colours_may_be_undone_where_it_is_the_same_in_all(recorded):
    batch = make_batch("inpainting")
    mask = batch.physics.mask[:, :1]
    batch.physics.mask = mask.expand(-1, 3, -1, -1).clone()
    given = recorded("inpaint", unchanged)
    options = {**PLAIN, "degradation": "measurement"}
    solve("FiRe-HQS", batch, priors="inpaint", n_iter=2, **options)
    assert all(torch.equal(degraded.mask, mask) for degraded in given)
    # A Bayer pattern: networks were trained to fill whole pixels.
    batch.physics.mask[:, 0, ::2] = 0
    _, reason = instance("FiRe-HQS", batch, priors="inpaint", **options)
    assert "hides other pixels of each colour" in reason


def test_an_own_poisson_noise_may_be_drawn_where_an_iterate_is_negative():
    physics = dinv.physics.Denoising(dinv.physics.PoissonNoise(gain=0.01))
    y = Measurement(physics)(-random((1, 3, 8, 8)), torch.Generator()).y
    assert (y == 0).all()


@pytest.mark.parametrize("problem", ["denoising", "inpainting"])
def test_the_measurement_draws_noise_of_the_signal_anew(problem):
    x = 0.2 + 0.6 * random((2, 3, 64, 64))
    generator = torch.Generator().manual_seed(0)
    options = {"noise": "poisson", "gain": 0.01}
    physics = make_physics(problem, (3, 64, 64), generator, 2, **options)
    draws = [Measurement(physics)(x, generator) for _ in range(2)]
    assert not torch.equal(draws[0].y, draws[1].y)
    seen = physics.A(torch.ones_like(x)) > 0
    for degraded in draws:
        error = (degraded.y - x)[seen]
        assert float(error.std()) == pytest.approx((0.01 * 0.5) ** 0.5, rel=0.05)
        assert float(degraded.sigma[0]) == pytest.approx(float(error.std()), rel=0.1)
        assert (degraded.mask is None) == (problem == "denoising")


# What is refused, in a sentence


def test_weights_are_one_for_all_or_one_each():
    assert one_or_each("gamma", 0.5, 3) == [0.5, 0.5, 0.5]
    assert one_or_each("gamma", [0.5, 0.2], 2) == [0.5, 0.2]
    assert one_or_each("gamma", "0.5+0.2", 2) == [0.5, 0.2]
    for value in ([0.5], (0.1, 0.2, 0.3), "0.5+0.2+0.3"):
        with pytest.raises(ValueError, match="a number, or 2 of them, not"):
            one_or_each("gamma", value, 2)


@pytest.mark.parametrize(
    "solver, parameters, reasons",
    [
        ("FiRe-HQS", {"priors": "derain"}, ["'derain'", *DEGRADATIONS]),
        ("FiRe-HQS", {"priors": "denoiser+derain"}, ["'derain'", *DEGRADATIONS]),
        ("FiRe-HQS", {"networks": "huge"}, ["'huge'", "compact", "published"]),
        ("FiRe-HQS", {"priors": "huge:sr2"}, ["'huge'", "compact", "published"]),
        ("FiRe-HQS", {"priors": "compact:derain"}, ["'derain'", *DEGRADATIONS]),
        (
            "FiRe-HQS",
            {"priors": "denoiser", "gamma": "0.5+0.2"},
            ["gamma must be a number, not '0.5+0.2'"],
        ),
        (
            "FiRe-HQS",
            {"priors": "sr2", "networks": "published", "degradation": "measurement"},
            ["network of sr2 enlarges", "needs its own degradation"],
        ),
        (
            "FiRe-HQS",
            {"priors": "sr3", "networks": "published", "degradation": "none"},
            ["network of sr3 enlarges", "needs its own degradation"],
        ),
        (
            "Restoration-PnP",
            {"prior": "sr2", "networks": "published"},
            ["network of sr2 enlarges", "needs its own degradation"],
        ),
        ("Restoration-PnP", {"prior": "derain"}, ["'derain'", *DEGRADATIONS]),
        ("Fixed points", {"prior": "denoiser"}, ["problem=denoising", "noise_level=0"]),
        ("SHARP", {"prior": "jpeg"}, ["linear", "JPEG"]),
        ("SHARP", {"prior": "compact:jpeg"}, ["linear", "JPEG"]),
        ("DRP", {"prior": "deblur"}, ["SR prior (sr2 or sr3)", "deblur"]),
        ("DRP", {"prior": "denoiser"}, ["SR prior (sr2 or sr3)", "denoiser"]),
    ],
)
def test_what_a_solver_cannot_do_is_said_before_it_runs(solver, parameters, reasons):
    _, reason = instance(solver, make_batch("inpainting"), **parameters)
    assert all(text in reason for text in reasons), reason


@pytest.mark.parametrize(
    "solver, parameters, shape, words",
    [
        ("FiRe-HQS", {"priors": "motion"}, (3, 32, 15), "16 pixels or more"),
        ("SHARP", {"prior": "motion"}, (3, 15, 32), "these have 15x32"),
        ("DRP", {"prior": "sr3"}, (3, 3, 8), "4 pixels or more"),
        ("FiRe-HQS", {"priors": "sr2"}, (2, 32, 28), "1 or 3 channels"),
        ("PnP-HQS", {"denoiser": "compact"}, (4, 32, 28), "these have 4"),
        ("PnP-HQS", {"denoiser": "drunet"}, (1, 32, 28), "'drunet' takes images of 3"),
        ("PnP-HQS", {"denoiser": "bm3d"}, (1, 32, 28), "'bm3d' takes images of 3"),
        (
            "FiRe-HQS",
            {"priors": "jpeg", "networks": "published"},
            (1, 32, 28),
            "'published' takes images of 3 channels, and these have 1",
        ),
    ],
)
def test_images_that_a_prior_does_not_take_are_refused_before_the_run(
    solver, parameters, shape, words
):
    _, reason = instance(solver, make_batch("inpainting", shape), **parameters)
    assert words in reason, reason


def test_images_of_any_size_suit_a_prior_that_does_not_degrade_them():
    options = {"priors": "motion", "degradation": "none"}
    _, reason = instance("FiRe-HQS", make_batch("inpainting", (3, 8, 8)), **options)
    assert reason is None


@pytest.mark.parametrize("solver", ["PnP-HQS", "FiRe-HQS", "FiRe-ADMM", "DRP", "SHARP"])
@pytest.mark.parametrize("problem", ["gaussian_deblurring", "sr4"])
def test_grey_images_are_restored(problem, solver):
    batch = make_batch(problem, (1, 32, 28))
    x = solve(solver, batch, n_iter=3)[-1]
    assert x.shape == batch.x.shape and x.isfinite().all()


def test_naive_fixed_points_of_a_network_that_enlarges_are_refused():
    options = {"prior": "sr2", "naive": True, "networks": "published"}
    _, reason = instance("Fixed points", make_batch("denoising"), **options)
    assert "network of sr2 enlarges" in reason


def test_a_network_that_gives_another_size_is_told_so():
    model = RestorationModel(unchanged, Downscaling(2))
    x = random((1, 3, 16, 16))
    with pytest.raises(ValueError, match=r"gives \(8, 8\) pixels where \(16, 16\)"):
        model(x, torch.Generator())


# Runs


ONE_PRIOR = {"FiRe-HQS": "priors", "FiRe-ADMM": "priors", "SNORE": "denoiser"}
STOCHASTIC = ["FiRe-HQS", "FiRe-ADMM", "SHARP", "SNORE", "Fixed points"]


def small_run(name, batch, n_iter=3, seed=0):
    prior = "compact" if name == "SNORE" else "sr2" if name == "DRP" else "denoiser"
    options = {ONE_PRIOR.get(name, "prior"): prior, "n_iter": n_iter}
    return solve(name, batch, seed=seed, **options)


@pytest.mark.parametrize("name", STOCHASTIC)
def test_the_seed_decides_and_every_run_has_the_same_draws(name):
    batch = make_batch("denoising")
    first, second, other = (small_run(name, batch, seed=seed) for seed in (0, 0, 1))
    assert_same(first, second, 0)
    assert not torch.equal(first[-1], other[-1])


@pytest.mark.parametrize("name", [*STOCHASTIC, "DRP", "Restoration-PnP"])
def test_iterates_keep_no_graph(name, network):
    """Memory would grow with the iterations."""
    network("sr2", lambda degraded, size: F.interpolate(degraded.y, size=size))
    for x in small_run(name, make_batch("denoising")):
        assert not x.requires_grad and x.grad_fn is None


# The relatives of FiRe


@pytest.fixture
def identity(monkeypatch):
    """A denoiser named "identity", which changes nothing."""
    monkeypatch.setitem(
        denoisers.DENOISERS, "identity", lambda device: lambda x, sigma: x
    )


def gradient_descent(fit, step, n_iter):
    x, iterates = fit.initial_guess(), []
    for _ in range(n_iter):
        x = x - step * fit.grad(x) / fit.lipschitz
        iterates.append(x)
    return iterates


@pytest.mark.parametrize("problem", INVERSE_PROBLEMS)
def test_snore_without_noise_nor_prior_descends_the_data_term(problem, identity):
    batch = make_batch(problem)
    sigmas = {"sigma_start": 1e-9, "sigma_end": 1e-9}
    options = {"denoiser": "identity", "reg": 0.5, "step": 0.7, "n_iter": 5}
    iterates = solve("SNORE", batch, **options, **sigmas)
    fit = data_term(batch.physics, batch.y)
    assert_same(iterates, gradient_descent(fit, 0.7, 5))


def test_snore_s_denoiser_sees_noise_of_the_schedule(monkeypatch):
    told = []

    def recorded(x, sigma):
        told.append((x, sigma))
        return x

    monkeypatch.setitem(denoisers.DENOISERS, "recorded", lambda device: recorded)
    sigmas = {"sigma_start": 0.2, "sigma_end": 0.05}
    options = {"denoiser": "recorded", "reg": 0.0, "n_iter": 3}
    batch = make_batch("denoising", noise_level=0.32)
    iterates = solve("SNORE", batch, **options, **sigmas)
    # They are for noise 0.01, and grow as the power 0.6 of it.
    assert [sigma for _, sigma in told] == pytest.approx([1.6, 0.8, 0.4])
    for x, (noisy, sigma) in zip(iterates, told[1:]):
        assert float((noisy - x).std()) == pytest.approx(sigma, rel=0.1)


def test_snore_adds_its_weighted_residual(monkeypatch):
    monkeypatch.setitem(
        denoisers.DENOISERS, "half", lambda device: lambda x, sigma: 0.5 * x
    )
    sigmas = {"sigma_start": 1e-9, "sigma_end": 1e-9}
    # It is for noise 0.01, and grows as the power 0.8 of it: 0.4.
    options = {"denoiser": "half", "reg": 0.025, "step": 0.7, "n_iter": 2}
    batch = make_batch("denoising", noise_level=0.32)
    first, second = solve("SNORE", batch, **options, **sigmas)
    expected = first - 0.7 * (first - batch.y + 0.4 * 0.5 * first)
    torch.testing.assert_close(second, expected)


@pytest.mark.parametrize("problem", ["gaussian_deblurring", "sr4"])
@pytest.mark.parametrize("prior", ["deblur", "motion", "sr2", "inpaint"])
def test_sharp_with_a_perfect_network_descends_the_data_term(
    prior, problem, network, spied
):
    batch = make_batch(problem)
    truth = spied(prior)
    network(prior, lambda degraded, size: truth[-1])
    options = {"reg": 0.5, "step": 0.7, "noise": 0.03, "n_iter": 5}
    iterates = solve("SHARP", batch, prior=prior, **options)
    fit = data_term(batch.physics, batch.y)
    assert_same(iterates, gradient_descent(fit, 0.7, 5))


def test_sharp_speaks_only_of_what_the_degradation_keeps(network):
    """Its step is H^T H (x - R(H x)), with the H that was drawn."""
    batch = make_batch("denoising", noise_level=0.32)
    drawn = []

    def half(degraded, size):
        drawn.append(degraded.operator)
        return torch.full_like(batch.y, 0.5)

    network("inpaint", half)
    # It is for noise 0.01, and grows as the power 0.8 of it: 0.4.
    options = {"reg": 0.025, "step": 0.7, "noise": 0.0, "n_iter": 2}
    first, second = solve("SHARP", batch, prior="inpaint", **options)
    H = drawn[1]
    gradient = adjoint(H, first, H(first - 0.5))
    assert (gradient == 0).float().mean() > 0.1
    expected = first - 0.7 * (first - batch.y + 0.4 * gradient)
    torch.testing.assert_close(second, expected)


@pytest.mark.parametrize("problem", INVERSE_PROBLEMS)
def test_drp_with_a_perfect_network_recovers_the_image(problem, network):
    batch = make_batch(problem, n_images=1)
    batch = replace(batch, y=batch.physics.A(batch.x))
    network("sr2", lambda degraded, size: batch.x)
    options = {"tau": 0.5, "reg": 0.1, "noise": 0.01, "n_cg": 3}
    x = solve("DRP", batch, prior="sr2", n_iter=20, **options)[-1]
    torch.testing.assert_close(x, batch.x, rtol=0, atol=0.01)


def test_drp_s_network_sees_the_small_image_without_noise(recorded):
    batch = make_batch("inpainting", shape=(3, 32, 31))
    given = recorded("sr3", lambda degraded, size: torch.zeros_like(batch.y))
    options = {"tau": 0.5, "reg": 0.1, "noise": 0.02}
    iterates = solve("DRP", batch, prior="sr3", n_iter=3, **options)
    for x, degraded in zip(iterates, given[1:]):
        torch.testing.assert_close(degraded.y, Downscaling(3).downscale(x))
        assert degraded.factor == 3 and degraded.sigma.tolist() == pytest.approx(
            [0.02, 0.02]
        )


def test_drp_with_enough_steps_minimises_its_criterion(network):
    batch = make_batch("denoising", shape=(1, 12, 12), noise_level=0.02)
    network("sr2", lambda degraded, size: torch.full_like(batch.y, 0.5))
    # A weight of 9.6 for noise 0.01; twice the noise, a 32nd of it: 0.3.
    options = {"tau": 0.4, "reg": 1 / 9.6, "noise": 0.02}
    first, second = solve("DRP", batch, prior="sr2", n_iter=2, n_cg=40, **options)
    H = dense(Downscaling(2).downscale, (1, 12, 12))
    s = (first - 0.4 * (first - 0.5)).flatten(1).mT.double()
    system = H.mT @ H + 0.3 * torch.eye(144)
    target = H.mT @ H @ s + 0.3 * batch.y.flatten(1).mT
    expected = torch.linalg.solve(system, target).mT.reshape(second.shape)
    torch.testing.assert_close(second.double(), expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    "problem, gain",
    [
        ("gaussian_deblurring", 0.5),
        ("motion_deblurring", 1.5),
        ("sr4", 0.3),
        ("inpainting", 1.0),
    ],
)
def test_drp_improves_photographs_to_its_last_iteration(problem, gain):
    photographs = load_images("natural-train").values()
    x = torch.stack([center_crop(image, 96) for image in photographs])
    generator = torch.Generator().manual_seed(0)
    physics = make_physics(problem, tuple(x.shape[1:]), generator, len(x))
    batch = Batch(y=physics(x), physics=physics)
    means = [psnr(x_k, x).mean() for x_k in solve("DRP", batch)]
    start = psnr(data_term(physics, batch.y).initial_guess(), x).mean()
    assert means[-1] > start + gain
    assert means[-1] > max(means) - 0.1


@pytest.mark.parametrize("problem", INVERSE_PROBLEMS)
def test_restoration_pnp_never_degrades_what_its_network_sees(problem, recorded, spied):
    batch = make_batch(problem, noise_level=0.32)
    degraded_images = spied("deblur")
    given = recorded("deblur", circular_mean)
    # It is for noise 0.01, and grows as the power 0.6 of it: 0.4.
    options = {"reg": 0.5, "sigma": 0.05, "n_iter": 4}
    iterates = solve("Restoration-PnP", batch, prior="deblur", **options)
    assert not degraded_images
    fit = data_term(batch.physics, batch.y)
    x = fit.initial_guess()
    for ours, degraded in zip(iterates, given, strict=True):
        assert torch.equal(degraded.y, x)
        assert degraded.sigma.tolist() == pytest.approx([0.4] * 2)
        x = ours
        weight = 0.4**2 / (0.5 * 0.32**2)
        expected = fit.prox(circular_mean(degraded, None), weight)
        torch.testing.assert_close(x, expected, rtol=0, atol=1e-5)


# Fixed points


@pytest.mark.parametrize("naive", [False, True])
def test_fixed_points_repeat_the_network_with_or_without_its_degradation(
    naive, recorded, spied
):
    batch = make_batch("denoising", noise_level=0)
    seen, given = spied("deblur"), recorded("deblur", circular_mean)
    options = {"prior": "deblur", "naive": naive, "noise": 0.03, "n_iter": 4}
    iterates = solve("Fixed points", batch, **options)
    starts = [batch.y, *iterates[:-1]]
    if naive:
        assert not seen
        assert_same([degraded.y for degraded in given], starts, 0)
    else:
        assert_same(seen, starts, 0)
        assert not torch.equal(given[0].y, batch.y)
    assert_same(iterates, [circular_mean(degraded, None) for degraded in given], 0)
    assert all(d.sigma.tolist() == pytest.approx([0.03] * 2) for d in given)


def test_snapshots_reach_the_pictures_of_the_results(run):
    solver = "Fixed points[prior=denoiser,n_iter=12]"
    rows = run([solver], ["simulated[problem=denoising,noise_level=0]"])
    *others, pictures = rows.final_results
    assert not any(isinstance(other, dict) for other in others)
    snapshots = pictures["snapshots"]
    assert list(snapshots) == [1, 3, 10]
    for images in snapshots.values():
        assert len(images) == 2
        assert all(image.startswith(b"\x89PNG") for image in images)
    assert snapshots[1] != snapshots[10]


def test_a_solver_without_snapshots_has_none_in_its_results(run):
    pictures = run(["Pseudo-inverse"]).final_results.iloc[-1]
    assert pictures["snapshots"] == {}


# The distance to the fixed points


def scores(batch, **parameters):
    objective = BENCHMARK.get_benchmark_objective().get_instance(
        device="cpu", **parameters
    )
    objective.set_data(train=[], test=[batch], dataset="none", problem="denoising")
    noisy = objective.evaluate_result([batch.x + 0.1], is_last=True)
    return objective.evaluate_result([batch.x], is_last=True), noisy


def test_the_distance_to_the_fixed_points_is_scored_where_it_is_asked_for():
    truth, other = scores(make_batch("denoising"), anomaly="denoiser")
    assert math.isfinite(truth["anomaly_denoiser"])
    assert truth["anomaly_denoiser"] == truth["anomaly_denoiser_truth"]
    assert other["anomaly_denoiser_truth"] == truth["anomaly_denoiser_truth"]
    assert other["anomaly_denoiser"] != truth["anomaly_denoiser"]


def test_the_distance_is_not_scored_by_default():
    for score in scores(make_batch("denoising")):
        assert not [name for name in score if "anomaly" in name]


def test_the_distance_is_the_mean_square_of_the_residual():
    model = RestorationModel(
        lambda degraded, size: degraded.y - torch.tensor([0.1, 0.2]).view(2, 1, 1, 1),
        Identity(),
    )
    distance = model.distance(random((2, 3, 8, 8)), torch.Generator())
    assert distance.tolist() == pytest.approx([0.01, 0.04], rel=1e-3)


# One tuned value per prior


def test_a_shared_range_has_one_value_per_prior():
    shared, alone = Range(0.1, 2, 0.9, shared_by="priors"), Range(0.1, 2, 0.9)
    three, one = {"priors": "a+b+c"}, {"priors": "a"}
    assert (shared.n_values(three), shared.n_values(one), alone.n_values(three)) == (
        3,
        1,
        1,
    )
    assert shared.value(None, three) == [0.3, 0.3, 0.3]
    assert shared.value(None, one) == alone.value(None, three) == 0.9
    assert shared.value([1, 2, 3], three) == [1, 2, 3]
    assert shared.value(0.5, one) == alone.value(0.5, three) == 0.5


@pytest.mark.parametrize("other", [0.5, [0.5, 0.2], [0.1, 0.2, 0.3, 0.4]])
def test_weights_tuned_for_another_number_of_priors_are_not_used(other):
    shared = Range(0.1, 2, 0.9, shared_by="priors")
    assert shared.value(other, {"priors": "a+b+c"}) == [0.3, 0.3, 0.3]


@pytest.mark.parametrize(
    "priors, gammas, lambda_",
    [
        ("denoiser+sr2", [0.7, 0.4], 33.0),
        ("denoiser", [1.2], 12.0),
        ("denoiser+sr2+denoiser", [0.4, 0.4, 0.4], 12.0),
    ],
)
def test_tuned_values_are_used_by_the_same_priors(priors, gammas, lambda_, tuned_file):
    entry = {"parameters": {"gamma": [0.7, 0.4], "lambda_": 33.0}, "score": 1.0}
    tuned_file({"none": {"none": {"FiRe-HQS[priors=denoiser+sr2]": entry}}})
    solver, reason = instance("FiRe-HQS", make_batch("denoising"), priors=priors)
    assert reason is None
    assert solver.gammas == pytest.approx(gammas)
    assert solver.lambda_ == lambda_


@pytest.mark.parametrize(
    "options, words",
    [
        ({"degradation": "measurements"}, "own, measurement, none"),
        ({"init": "adjont"}, "initial_guess, adjoint"),
        ({"noise": 0.0}, "above 0"),
        ({"shifts": True, "degradation": "measurement"}, "shifts=False"),
    ],
)
def test_options_without_meaning_are_refused_in_a_sentence(options, words):
    _, reason = instance("FiRe-HQS", make_batch("denoising"), **options)
    assert words in reason
