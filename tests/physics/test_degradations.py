"""Each degradation draws anew, keeps to its ranges, and is what it says it is."""

import io
import math
import warnings
from dataclasses import replace
from itertools import combinations

import deepinv as dinv
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from operators import make_physics
from PIL import Image
from torch.nn import functional as F

from benchmark_utils.data.images import center_crop, load_images
from benchmark_utils.physics import blurs
from benchmark_utils.physics.blurs import GaussianBlur, MirroredBlur, MotionBlur
from benchmark_utils.physics.degradations import (
    DEGRADATIONS,
    BrushMask,
    Downscaling,
    Identity,
    Jpeg,
    LogNoise,
    Measurement,
    Noise,
    OneOf,
    RandomMask,
    downscaling_matrix,
)
from benchmark_utils.physics.degraded import adjoint
from benchmark_utils.physics.holes import RADIUS, fill_holes
from benchmark_utils.physics.problems import PROBLEMS
from benchmark_utils.priors.compact import TASKS

EACH = {**DEGRADATIONS, "sr4": Downscaling(4), "brush": BrushMask()}
LINEAR = [*(task for task in TASKS if task != "jpeg"), "sr4", "brush"]
# Those that differ from one image to the next, even without noise.
RANDOM = ["deblur", "motion", "jpeg", "inpaint", "brush"]


def random(shape, seed=0, **options):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), **options)


def draw(degradation, x, seed=0):
    return degradation(x, torch.Generator().manual_seed(seed))


def noiseless(name):
    return replace(EACH[name], noise=(0.0, 0.0))


@pytest.fixture(scope="module")
def photographs():
    """Three photographs of 64 x 64 pixels."""
    images = list(load_images("natural-test").values())[:3]
    return torch.stack([center_crop(image, 64) for image in images])


# Where the randomness comes from


@pytest.mark.parametrize("name", EACH)
def test_the_generator_alone_decides(name):
    x = random((2, 3, 40, 36))
    torch.manual_seed(0)
    state = torch.get_rng_state()
    first = draw(EACH[name], x, seed=5)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(1)
    again, other = draw(EACH[name], x, seed=5), draw(EACH[name], x, seed=6)
    assert torch.equal(first.y, again.y) and torch.equal(first.sigma, again.sigma)
    assert (first.mask is None) or torch.equal(first.mask, again.mask)
    assert not torch.equal(first.y, other.y)


@pytest.mark.parametrize("name", EACH)
def test_each_call_and_each_image_has_draws_of_its_own(name, photographs):
    x = photographs[:1].expand(3, -1, -1, -1)
    for degradation in [EACH[name]] + [noiseless(name)] * (name in RANDOM):
        generator = torch.Generator().manual_seed(0)
        images = [*degradation(x, generator).y, *degradation(x, generator).y]
        assert not any(torch.equal(a, b) for a, b in combinations(images, 2))


@pytest.mark.parametrize("name", EACH)
def test_what_goes_in_is_not_changed(name):
    x = random((2, 3, 40, 36))
    before = x.clone()
    draw(EACH[name], x)
    assert torch.equal(x, before)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", EACH)
def test_colour_and_grey_images_keep_their_type_and_device(name, dtype, channels):
    x = random((2, channels, 48, 36), dtype=dtype)
    degraded = draw(EACH[name], x)
    factor = degraded.factor
    assert degraded.y.shape == (2, channels, 48 // factor, 36 // factor)
    assert degraded.y.dtype == dtype and degraded.y.device == x.device
    assert degraded.y.isfinite().all()
    assert degraded.sigma.shape == (2,) and degraded.sigma.device == x.device
    if degraded.mask is not None:
        assert degraded.mask.shape == (2, 1, 48, 36)


@pytest.mark.parametrize("name", EACH)
def test_the_smallest_side_is_the_smallest_that_can_be_degraded(name):
    smallest = EACH[name].smallest_side
    assert draw(EACH[name], random((1, 3, smallest, smallest))).y.isfinite().all()
    for side in range(1, smallest):
        with pytest.raises((RuntimeError, IndexError)):
            draw(EACH[name], random((1, 3, side, 40)))


def test_one_of_several_is_each_of_them_in_turn():
    x = random((1, 3, 24, 24))
    choices = OneOf((Downscaling(2), RandomMask(), Noise()))
    generator = torch.Generator().manual_seed(0)
    drawn = [choices(x, generator) for _ in range(30)]
    kinds = [(d.factor, d.mask is not None) for d in drawn]
    assert min(kinds.count(kind) for kind in set(kinds)) >= 4 and len(set(kinds)) == 3


# Ranges


@pytest.mark.parametrize("name", LINEAR)
def test_the_noise_has_the_level_that_is_told(name):
    x = random((6, 3, 128, 128))
    degraded = draw(replace(EACH[name], noise=(0.05, 0.3)), x)
    assert degraded.sigma.min() >= 0.05 and degraded.sigma.max() <= 0.3
    assert degraded.sigma.unique().numel() == 6
    noise = degraded.y - degraded.operator(x)
    kept = torch.ones_like(noise) if degraded.mask is None else degraded.mask
    for residual, known, sigma in zip(noise, kept, degraded.sigma):
        values = residual[known.expand_as(residual) > 0]
        assert float(values.std()) == pytest.approx(float(sigma), rel=0.04)
        assert abs(float(values.mean())) < 0.1 * sigma
    assert draw(replace(EACH[name], noise=(0.1, 0.1)), x).sigma.tolist() == (
        pytest.approx([0.1] * 6)
    )


def spot_widths(degradation, n):
    """Standard deviation (rows, columns) of what ``n`` Diracs become: (n, 2)."""
    x = torch.zeros(n, 1, 61, 61)
    x[..., 30, 30] = 1
    spots = draw(degradation, x).y[:, 0]
    assert spots.sum((1, 2)).tolist() == pytest.approx([1.0] * n, abs=1e-5)
    squares = (torch.arange(61) - 30.0).square()
    variances = [(spots.sum(axis) * squares).sum(1) for axis in (2, 1)]
    # A spot of one pixel has a variance of zero, up to rounding.
    return torch.stack(variances, 1).clamp(min=0).sqrt()


def test_the_width_of_the_blur_is_in_its_range():
    widths = spot_widths(GaussianBlur(width=(1.0, 3.0), noise=(0, 0)), 24)
    assert widths.min() >= 0.98 and widths.max() <= 3.02
    assert widths.max() - widths.min() > 1.5
    torch.testing.assert_close(widths[:, 0], widths[:, 1], rtol=1e-3, atol=0)


@pytest.mark.parametrize("width", [0.7, 1.5, 4.0])
def test_equal_ends_fix_the_width_of_the_blur(width):
    widths = spot_widths(GaussianBlur(width=(width, width), noise=(0, 0)), 2)
    torch.testing.assert_close(widths, torch.full((2, 2), width), rtol=0.02, atol=0)


def test_motion_kernels_are_averages_and_follow_their_ranges(monkeypatch):
    asked = []

    class Recorded(blurs.MotionBlurGenerator):
        def f_matern(self, n, sigma, l):  # noqa: E741
            asked.append((sigma, l))
            return super().f_matern(n, sigma, l)

    monkeypatch.setattr(blurs, "MotionBlurGenerator", Recorded)
    motion = MotionBlur(length=(0.3, 0.4), spread=(0.5, 0.7), size=21, noise=(0, 0))
    kernels = draw(motion, random((12, 3, 24, 24))).operator.kernels
    assert kernels.shape == (12, 1, 21, 21) and kernels.min() >= 0
    assert kernels.sum((1, 2, 3)).tolist() == pytest.approx([1.0] * 12, abs=1e-4)
    assert len(asked) == 2  # Rows and columns, of all the images at once.
    for spreads, lengths in asked:
        assert spreads.unique().numel() == lengths.unique().numel() == 12
        assert spreads.min() >= 0.5 and spreads.max() <= 0.7
        assert lengths.min() >= 0.3 and lengths.max() <= 0.4
    assert torch.equal(asked[0][0], asked[1][0])


@pytest.mark.parametrize(("spread", "length"), [(0.1, 0.3), (0.4, 0.8), (1.5, 0.2)])
def test_the_motion_kernel_of_one_image_is_deepinv_s(spread, length):
    size = 15
    motion = MotionBlur(length=(length, length), spread=(spread, spread), size=size)
    kernel = motion.draw_kernels(1, torch.Generator().manual_seed(0))
    generator = torch.Generator().manual_seed(0)
    torch.rand(2, generator=generator)  # The length and the spread.
    theirs = dinv.physics.generator.MotionBlurGenerator((size, size), rng=generator)
    expected = theirs.step(1, sigma=spread, l=length)["filter"]
    # Rounding may take one or two of the 159 steps to the pixel beside.
    assert (kernel - expected).abs().sum() < 5 / 159


def test_motion_kernels_drawn_together_differ_as_those_drawn_alone():
    motion = MotionBlur(spread=(0.3, 0.3), length=(0.4, 0.4))
    generator = torch.Generator().manual_seed(0)
    alone = torch.cat([motion.draw_kernels(1, generator) for _ in range(200)])
    together = motion.draw_kernels(200, generator)

    def summary(kernels):
        t = torch.linspace(-1, 1, 31)
        rows, columns = kernels.sum((1, 3)), kernels.sum((1, 2))
        variances = torch.stack([(p * t**2).sum(1) for p in (rows, columns)])
        return torch.stack([variances.mean(), kernels.square().sum((1, 2, 3)).mean()])

    torch.testing.assert_close(summary(together), summary(alone), rtol=0.15, atol=0)
    assert together.flatten(1).unique(dim=0).shape[0] == 200


def test_a_larger_spread_shakes_more():
    def extent(spread):
        motion = MotionBlur(spread=(spread, spread), noise=(0, 0))
        return spot_widths(motion, 12).mean()

    assert extent(0.5) > 2 * extent(0.1)


def test_the_share_of_missing_pixels_is_in_its_range():
    x = random((12, 3, 64, 64))
    mask = draw(RandomMask(missing=(0.3, 0.7)), x).mask
    missing = 1 - mask.mean((1, 2, 3))
    assert set(mask.unique().tolist()) == {0.0, 1.0}
    assert missing.min() > 0.27 and missing.max() < 0.73
    assert missing.max() - missing.min() > 0.2
    fixed = 1 - draw(RandomMask(missing=(0.4, 0.4)), x).mask.mean((1, 2, 3))
    assert fixed.tolist() == pytest.approx([0.4] * 12, abs=0.03)


def test_noise_of_any_level_has_a_uniform_logarithm():
    x = random((4000, 3, 4, 4))
    degraded = draw(LogNoise(), x)
    shares = degraded.sigma.log().sort().values
    low, high = math.log(0.002), math.log(80)
    expected = torch.linspace(low, high, 4000)
    assert float((shares - expected).abs().max()) < 0.03 * (high - low)
    noise = (degraded.y - x).flatten(1) / degraded.sigma[:, None]
    assert float(noise.std()) == pytest.approx(1, abs=0.01)


def test_jpeg_files_do_not_depend_on_the_number_of_threads(photographs):
    threads, answers = torch.get_num_threads(), []
    try:
        for n in (1, 3):
            torch.set_num_threads(n)
            answers.append(draw(DEGRADATIONS["jpeg"], photographs).y)
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(*answers)


@given(st.integers(24, 96), st.integers(24, 96), st.integers(0, 1000))
def test_brush_strokes_leave_holes_and_most_of_the_image(height, width, seed):
    x = random((3, 3, height, width))
    mask = draw(BrushMask(), x, seed).mask
    assert set(mask.unique().tolist()) == {0.0, 1.0}
    share = 1 - mask.mean((1, 2, 3))
    assert share.max() < 0.5 and share.mean() > 0.01


def test_the_number_of_brush_strokes_is_drawn_for_each_image():
    mask = draw(BrushMask(strokes=(0, 1)), random((64, 3, 48, 48))).mask
    whole = mask.flatten(1).min(1).values == 1
    assert 16 < int(whole.sum()) < 48


def test_holes_of_brush_strokes_are_in_one_piece_each():
    """A pixel of a hole has neighbours in it, which random masks do not have."""
    mask = draw(BrushMask(), random((8, 3, 96, 96))).mask
    hole = 1 - mask
    around = F.avg_pool2d(hole, 3, 1, 1)[hole > 0]
    assert (around > 2 / 9).float().mean() > 0.98
    assert around.mean() > 0.7


@pytest.mark.parametrize("name", [n for n in EACH if EACH[n].mild_end])
def test_strength_goes_from_the_mild_end_to_the_whole_range(name):
    degradation = EACH[name]
    assert degradation.weakened(1.0) == degradation
    for attribute, mild in degradation.mild_end.items():
        ends = getattr(degradation, attribute)
        assert getattr(degradation.weakened(0.0), attribute) == (ends[mild],) * 2
        half = getattr(degradation.weakened(0.5), attribute)
        assert half[mild] == ends[mild]
        assert half[1 - mild] == pytest.approx(sum(ends) / 2)


@pytest.mark.parametrize("name", RANDOM)
def test_a_weaker_degradation_changes_the_image_less(name, photographs):
    def error(strength):
        y = draw(noiseless(name).weakened(strength), photographs).y
        return (y - photographs).square().mean()

    assert error(0.2) < 0.8 * error(1.0)


def test_the_identity_changes_nothing_and_tells_its_level():
    x = random((2, 3, 8, 8))
    degraded = draw(Identity(0.03), x)
    assert torch.equal(degraded.y, x)
    assert degraded.sigma.tolist() == pytest.approx([0.03, 0.03])


# JPEG


def pil_jpeg(image, quality):
    """An image (C, H, W) in [0, 1] through PIL's JPEG: (C, H, W)."""
    pixels = (image * 255).round().byte().movedim(0, -1).squeeze(-1).numpy()
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    decoded = np.array(Image.open(file), dtype=np.float32) / 255
    return torch.from_numpy(decoded.reshape(*image.shape[1:], -1)).movedim(-1, 0)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("quality", [1, 10, 37, 75, 90, 100])
def test_jpeg_is_the_one_of_pil(quality, channels, photographs):
    # Values between those of eight bits, which have to be rounded.
    x = 0.93 * photographs[:, :channels, :51, :37] + 0.031
    y = draw(Jpeg(quality=(quality, quality), noise=(0, 0)), x).y
    expected = torch.stack([pil_jpeg(image, quality) for image in x])
    assert torch.equal(y, expected)


def test_jpeg_uses_nothing_deprecated(photographs):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        draw(Jpeg(), photographs)


def test_jpeg_qualities_are_whole_numbers_of_the_range(photographs):
    x = photographs[:1].expand(8, -1, -1, -1)
    y = draw(Jpeg(quality=(20, 45), noise=(0, 0)), x).y
    known = {quality: pil_jpeg(x[0], quality) for quality in range(20, 46)}
    drawn = [[q for q, image in known.items() if torch.equal(image, y_i)] for y_i in y]
    assert all(drawn)
    assert len({tuple(qualities) for qualities in drawn}) > 3


def test_the_noise_comes_before_the_compression(photographs):
    y = draw(Jpeg(quality=(30, 30), noise=(0.1, 0.1)), photographs).y
    again = torch.stack([pil_jpeg(image, 30) for image in y])
    clean = torch.stack([pil_jpeg(image, 30) for image in photographs])
    # What was compressed once hardly changes when it is compressed again.
    assert (again - y).abs().mean() < 0.25 * (y - clean).abs().mean()
    assert y.min() >= 0 and y.max() <= 1


# The linear maps


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_downscaling_is_deepinv_s_where_the_sides_are_multiples(factor):
    x = random((2, 3, 8 * factor, 11 * factor))
    physics = dinv.physics.DownsamplingMatlab(factor=factor)
    y = draw(Downscaling(factor, noise=(0, 0)), x).y
    torch.testing.assert_close(y, physics.A(x), rtol=0, atol=1e-6)


@given(st.integers(4, 30), st.integers(4, 30), st.integers(2, 4))
def test_downscaling_rounds_the_size_up_and_keeps_flat_images(height, width, factor):
    x = torch.full((1, 3, height, width), 0.4)
    y = draw(Downscaling(factor, noise=(0, 0)), x).y
    assert y.shape[-2:] == (-(-height // factor), -(-width // factor))
    torch.testing.assert_close(y, torch.full_like(y, 0.4))


@pytest.mark.parametrize("name", LINEAR)
def test_the_operator_is_all_there_is_without_noise(name):
    x = random((2, 3, 41, 38))
    degraded = draw(noiseless(name), x)
    torch.testing.assert_close(degraded.operator(x), degraded.y, rtol=0, atol=0)


def test_downscaling_has_gradients_after_a_call_without_them():
    downscaling_matrix.cache_clear()
    x = random((1, 3, 14, 22), dtype=torch.float64)
    with torch.inference_mode():
        y = Downscaling(2).downscale(x)
    back = adjoint(Downscaling(2).downscale, x, torch.ones_like(y))
    assert back.shape == x.shape


def test_jpeg_has_no_operator():
    assert draw(Jpeg(), random((1, 3, 16, 16))).operator is None


@given(st.integers(16, 40), st.integers(16, 40), st.integers(0, 100))
@pytest.mark.parametrize("name", LINEAR)
def test_the_adjoint_is_exact(name, height, width, seed):
    x = random((2, 1, height, width), seed, dtype=torch.float64) - 0.5
    operator = draw(noiseless(name), x, seed).operator
    y = random(operator(x).shape, seed + 1, dtype=torch.float64) - 0.5
    products = (operator(x) * y).sum(), (x * adjoint(operator, x, y)).sum()
    torch.testing.assert_close(*products, rtol=1e-9, atol=1e-9)


def random_kernels(n, size):
    kernels = random((n, 1, size, size), seed=3)
    return kernels / kernels.sum((-2, -1), keepdim=True)


@pytest.mark.parametrize("size", [1, 5, 13])
def test_a_mirrored_blur_is_the_convolution_of_the_mirrored_image(size):
    x, kernels = random((3, 2, 20, 27)), random_kernels(3, size)
    padded = F.pad(x, 4 * (size // 2,), mode="reflect")
    expected = [
        F.conv2d(image[:, None], kernel[None].flip((-2, -1)))[:, 0]
        for image, kernel in zip(padded, kernels)
    ]
    torch.testing.assert_close(
        MirroredBlur(kernels)(x), torch.stack(expected), rtol=0, atol=1e-5
    )


def test_the_flipped_blur_is_the_adjoint_away_from_the_borders():
    x = random((2, 3, 30, 34))
    blur = MirroredBlur(random_kernels(2, 7))
    y = torch.zeros_like(x)
    y[..., 4:-4, 4:-4] = random((2, 3, 22, 26), seed=1)
    torch.testing.assert_close(
        blur.flipped()(y), adjoint(blur, x, y), rtol=0, atol=1e-5
    )


@pytest.mark.parametrize("name", ["inpaint", "brush"])
def test_measurements_are_zero_in_the_holes(name):
    degraded = draw(EACH[name], random((3, 3, 40, 40)))
    holes = (degraded.mask == 0).expand_as(degraded.y)
    assert holes.any()
    assert (degraded.y[holes] == 0).all()
    assert (degraded.y[~holes] != 0).float().mean() > 0.99


# D = A


def physics_of(problem, **strengths):
    generator = torch.Generator().manual_seed(0)
    return make_physics(problem, (3, 64, 56), generator, n_images=2, **strengths)


@pytest.mark.parametrize("problem", PROBLEMS)
def test_a_measurement_is_the_acquisition_with_noise_of_its_level(problem):
    physics, x = physics_of(problem, noise_level=0.07), random((2, 3, 64, 56))
    degraded = draw(Measurement(physics), x)
    assert degraded.sigma.tolist() == pytest.approx([0.07, 0.07])
    torch.testing.assert_close(degraded.operator(x), physics.A(x))
    noise = degraded.y - physics.A(x)
    noise = noise[noise != 0]
    assert float(noise.std()) == pytest.approx(0.07, rel=0.1)
    assert not torch.equal(degraded.y, draw(Measurement(physics), x, seed=1).y)


def test_the_holes_of_the_measurements_are_passed_on():
    physics, x = physics_of("inpainting"), random((2, 3, 64, 56))
    degraded = draw(Measurement(physics), x)
    assert degraded.mask.shape == (2, 1, 64, 56)
    assert torch.equal(degraded.mask * x, physics.A(x))
    assert not torch.equal(degraded.mask[0], degraded.mask[1])
    assert (degraded.y * (1 - degraded.mask) == 0).all()


def test_one_mask_may_serve_all_images():
    physics = make_physics("inpainting", (3, 16, 16), torch.Generator().manual_seed(0))
    degraded = draw(Measurement(physics), random((4, 3, 16, 16)))
    assert degraded.mask.shape == (4, 1, 16, 16)
    assert torch.equal(degraded.mask[0], degraded.mask[3])


# A first guess of missing pixels


@given(st.floats(0, 0.85), st.integers(1, 3), st.integers(0, 1000))
def test_filled_holes_lie_between_the_known_pixels_around(share, channels, seed):
    y = random((2, channels, 20, 24), seed) - 0.3
    mask = (random((2, 1, 20, 24), seed + 1) >= share).float()
    filled = fill_holes(mask * y, mask)
    known = mask.expand_as(y) > 0
    assert torch.equal(filled[known], y[known])
    high = F.max_pool2d(torch.where(known, y, -9.0), 2 * RADIUS + 1, 1, RADIUS)
    low = -F.max_pool2d(torch.where(known, -y, -9.0), 2 * RADIUS + 1, 1, RADIUS)
    assert (filled <= high + 1e-4).all() and (filled >= low - 1e-4).all()


def test_a_hole_is_the_gaussian_mean_of_what_is_known():
    """One pixel away and two pixels away, a standard deviation of two pixels."""
    y, mask = torch.zeros(1, 1, 40, 40), torch.zeros(1, 1, 40, 40)
    mask[..., 20, 21] = mask[..., 20, 18] = 1
    y[..., 20, 18] = 1
    near, far = math.exp(-1 / 8), math.exp(-4 / 8)
    filled = float(fill_holes(y, mask)[..., 20, 20])
    assert filled == pytest.approx(far / (near + far), rel=1e-3)


def test_a_flat_image_is_filled_with_its_colour():
    mask = torch.ones(1, 1, 32, 32)
    mask[..., 10:20, 12:18] = 0
    filled = fill_holes(0.7 * mask.expand(1, 3, -1, -1), mask)
    torch.testing.assert_close(filled, torch.full((1, 3, 32, 32), 0.7))


def test_a_hole_whose_only_known_pixel_is_at_the_corner_of_the_window_takes_it():
    mask = torch.zeros(1, 1, 40, 40)
    mask[..., 20, 20] = 1
    filled = fill_holes(0.5 * mask, mask)
    assert float(filled[..., 20 + RADIUS, 20 - RADIUS]) == pytest.approx(0.5, rel=1e-3)


@pytest.mark.parametrize("missing", [0, 1])
def test_a_filled_image_is_a_new_one(missing):
    mask = torch.ones(1, 1, 8, 8)
    mask[..., :missing, 0] = 0
    y = torch.rand(1, 3, 8, 8)
    before = y.clone()
    fill_holes(y, mask).zero_()
    assert torch.equal(y, before)


def test_pixels_far_from_any_known_one_become_zero():
    mask = torch.zeros(1, 1, 40, 40)
    mask[..., :2] = 1
    filled = fill_holes(mask * 0.5, mask)
    assert (filled[..., 2 + RADIUS :] == 0).all()
    torch.testing.assert_close(filled[..., :8], torch.full((1, 1, 40, 8), 0.5))
