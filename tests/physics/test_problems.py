"""The forward problems are those that their names and their strengths promise."""

import deepinv as dinv
import numpy as np
import pytest
import torch
from operators import make_physics

from benchmark_utils.physics.deblurring import LEVIN09
from benchmark_utils.physics.noise import draw_measurements
from benchmark_utils.physics.problems import PROBLEMS

NOISE_LEVELS = {
    "denoising": 0.1,
    "gaussian_deblurring": 0.01,
    "motion_deblurring": 0.01,
    "sr4": 0.01,
    "inpainting": 0.01,
}


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def image(n=1, shape=(3, 64, 48), seed=5):
    return torch.rand((n, *shape), generator=generator(seed))


def physics_of(problem, seed=0, shape=(3, 64, 48), **options):
    return make_physics(problem, shape, generator(seed), **options)


def test_there_are_five_problems_of_known_noise():
    levels = {name: float(physics_of(name).noise_model.sigma) for name in PROBLEMS}
    assert levels == pytest.approx(NOISE_LEVELS)


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("level", [None, 0.05])
def test_noise_is_gaussian_of_the_level_asked_for(problem, level):
    physics = physics_of(problem, noise_level=level, n_images=4)
    x = image(4)
    noise = physics(x) - physics.A(x)
    if problem == "inpainting":
        noise = noise[physics.mask.expand_as(noise) == 1]
    expected = NOISE_LEVELS[problem] if level is None else level
    assert noise.std() == pytest.approx(expected, rel=0.05)
    assert noise.mean() == pytest.approx(0, abs=0.1 * expected)


@pytest.mark.parametrize("problem", PROBLEMS)
def test_no_noise_means_none(problem):
    physics = physics_of(problem, noise_level=0)
    torch.testing.assert_close(physics(image()), physics.A(image()))


@pytest.mark.parametrize("problem", PROBLEMS)
def test_measurements_are_those_of_the_seed(problem):
    def measure(seed):
        draws = generator(seed)
        physics = make_physics(problem, (3, 64, 48), draws, n_images=2)
        return draw_measurements(physics, image(2), draws)

    assert torch.equal(measure(1), measure(1))
    assert not torch.equal(measure(1), measure(2))


@pytest.mark.parametrize("problem", ["gaussian_deblurring", "motion_deblurring", "sr4"])
def test_kernels_sum_to_one_and_so_keep_grey_grey(problem):
    physics = physics_of(problem, noise_level=0)
    torch.testing.assert_close(
        physics.filter.sum((-2, -1)), torch.ones(physics.filter.shape[:2])
    )
    grey = torch.full((1, 3, 64, 48), 0.3)
    torch.testing.assert_close(
        physics(grey), torch.full_like(physics(grey), 0.3), rtol=0, atol=1e-5
    )


@pytest.mark.parametrize("kernel", range(1, 9))
def test_motion_kernels_are_the_eight_of_levin(kernel):
    physics = physics_of("motion_deblurring", kernel=kernel)
    with np.load(LEVIN09) as kernels:
        expected = torch.from_numpy(kernels[f"kernel_{kernel}"])
    assert torch.equal(physics.filter[0, 0], expected)
    assert expected.min() >= 0
    assert expected.sum() == pytest.approx(1, abs=1e-5)


def test_default_motion_kernel_is_the_first():
    default, first = (
        physics_of("motion_deblurring", kernel=kernel) for kernel in (None, 1)
    )
    assert torch.equal(default.filter, first.filter)


@pytest.mark.parametrize("blur_std", [None, 1.0, 3.0])
def test_gaussian_kernel_has_the_standard_deviation_asked_for(blur_std):
    kernel = physics_of("gaussian_deblurring", blur_std=blur_std).filter[0, 0]
    assert kernel.shape == (25, 25)
    offsets = torch.arange(25.0) - 12
    for axis in (0, 1):
        variance = (kernel.sum(axis) * offsets**2).sum()
        assert variance.sqrt() == pytest.approx(blur_std or 2.0, rel=0.01)


@pytest.mark.parametrize("problem", ["gaussian_deblurring", "motion_deblurring"])
def test_blurs_wrap_around_the_border(problem):
    physics = physics_of(problem, noise_level=0)
    shifted = physics(image().roll((5, -3), (-2, -1)))
    torch.testing.assert_close(shifted, physics(image()).roll((5, -3), (-2, -1)))


@pytest.mark.parametrize("factor", [None, 2, 3, 4])
def test_super_resolution_divides_the_size_by_its_factor(factor):
    physics = physics_of("sr4", shape=(3, 48, 36), factor=factor)
    f = factor or 4
    assert physics(image(shape=(3, 48, 36))).shape == (1, 3, 48 // f, 36 // f)
    assert isinstance(physics, dinv.physics.Downsampling)


@pytest.mark.parametrize("missing", [None, 0.2, 0.9])
def test_inpainting_loses_the_share_of_pixels_asked_for(missing):
    mask = physics_of("inpainting", missing=missing, n_images=4).mask
    share = 0.5 if missing is None else missing
    deviation = (share * (1 - share) / mask.numel()) ** 0.5
    assert set(mask.unique().tolist()) == {0.0, 1.0}
    assert (mask == 0).float().mean() == pytest.approx(share, abs=4 * deviation)


def test_inpainting_draws_one_mask_per_image_for_all_its_channels():
    physics = physics_of("inpainting", n_images=3, noise_level=0)
    y = physics(torch.ones(3, 3, 64, 48))
    assert torch.equal(y[:, 0], y[:, 1]) and torch.equal(y[:, 0], y[:, 2])
    assert not torch.equal(y[0], y[1]) and not torch.equal(y[1], y[2])


def test_missing_pixels_say_nothing_not_even_noise():
    physics = physics_of("inpainting", n_images=2)
    y = physics(image(2))
    assert (y[physics.mask.expand_as(y) == 0] == 0).all()


@pytest.mark.parametrize("factor", [2, 3, 4, 8])
def test_downsampling_is_matlabs_imresize_away_from_the_border(factor):
    shape = (1, 15 * factor, 12 * factor)
    physics = make_physics("sr4", shape, generator(), factor=factor)
    x = image(2, shape)
    expected = dinv.physics.functional.imresize_matlab(x, scale=1 / factor)
    torch.testing.assert_close(
        physics.A(x)[..., 3:-3, 3:-3], expected[..., 3:-3, 3:-3], rtol=0, atol=2e-6
    )


@pytest.mark.parametrize("factor", [2, 3, 4, 8])
def test_pixel_i_of_a_small_image_looks_at_factor_i_plus_half_of_the_rest(factor):
    n = 16 * factor
    physics = make_physics("sr4", (1, n, n), generator(), factor=factor)
    pixel = torch.zeros(1, 1, 16, 16)
    pixel[0, 0, 7, 7] = 1
    row = physics.A_adjoint(pixel)[0, 0].sum(1).double()
    centre = float((row * torch.arange(n)).sum() / row.sum())
    assert centre == pytest.approx(7 * factor + (factor - 1) / 2, abs=1e-4)
