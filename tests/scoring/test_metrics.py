"""The scores are what their formulas say, and never hide a failure."""

import copy
import io
import json
import math
import shutil
from dataclasses import replace

import numpy as np
import pytest
import skimage.data
import torch
from conftest import BENCHMARK
from deepinv.physics import PoissonNoise
from operators import make_physics
from PIL import Image
from skimage.metrics import structural_similarity
from torch.nn import functional as F

from benchmark_utils.common.errors import Unavailable
from benchmark_utils.data.batches import Batch
from benchmark_utils.physics.data_term import data_term
from benchmark_utils.physics.noise import noise_level
from benchmark_utils.physics.problems import PROBLEMS
from benchmark_utils.scoring import metrics
from benchmark_utils.scoring.scores import References, scores_of_images

COSTLY = {"ssim", "psnr_range", "psnr_kernel", "lpips"}


def measured(problem, shape=(3, 64, 48), n_images=4):
    generator = torch.Generator().manual_seed(0)
    physics = make_physics(problem, shape, generator, n_images=n_images)
    x = torch.rand((n_images, *shape), generator=generator)
    return Batch(x=x, y=physics(x), physics=physics, names=("",) * n_images)


def mse(psnr):
    return 10 ** (-psnr / 10)


def test_psnr_of_a_known_error():
    x = torch.rand(3, 3, 8, 6) * 0.5
    errors = torch.tensor([0.1, 0.01, 1.0]).view(3, 1, 1, 1)
    torch.testing.assert_close(
        metrics.psnr(x + errors, x), torch.tensor([20.0, 40.0, 0.0]), atol=1e-3, rtol=0
    )


def test_psnr_does_not_clip_what_leaves_the_range():
    x = torch.ones(1, 1, 4, 4)
    assert metrics.psnr(x + 0.1, x).item() == pytest.approx(20, abs=1e-4)


@pytest.mark.parametrize("problem", PROBLEMS)
def test_errors_in_the_range_and_in_the_kernel_add_up_to_the_error(problem):
    batch = measured(problem)
    x_hat = batch.x + 0.1 * torch.randn(batch.x.shape)
    fit = data_term(batch.physics, batch.y)
    parts = metrics.range_and_kernel_psnr(fit, x_hat, batch.x)
    total = mse(metrics.psnr(x_hat, batch.x))
    torch.testing.assert_close(sum(mse(part) for part in parts), total)


def errors_split(batch, x_hat):
    """psnr_range and psnr_kernel of each image, as results have them."""
    found = scores_of_images(References([batch]).compared_to([x_hat]))
    return [found[name] for name in ("psnr_range", "psnr_kernel")]


@pytest.mark.parametrize("problem", PROBLEMS)
def test_what_an_operator_loses_does_not_depend_on_its_noise(problem):
    batch = measured(problem)
    x_hat = batch.x + 0.1 * torch.randn(batch.x.shape)
    physics = copy.deepcopy(batch.physics)
    physics.noise_model = PoissonNoise(gain=0.02, clip_positive=True)
    counted = replace(batch, physics=physics, y=physics(batch.x))
    for ours, expected in zip(errors_split(counted, x_hat), errors_split(batch, x_hat)):
        torch.testing.assert_close(ours, expected, equal_nan=True)


def test_what_a_scan_loses_does_not_depend_on_its_photons(get_data):
    options = {"problem": "ct_sparse", "img_size": 32}
    (batch,) = get_data("chest", **options)["test"]
    (counted,) = get_data("chest", noise="low_dose", **options)["test"]
    x_hat = batch.x + 0.05 * torch.randn(batch.x.shape)
    for ours, expected in zip(errors_split(counted, x_hat), errors_split(batch, x_hat)):
        torch.testing.assert_close(ours, expected)


def test_the_parts_of_a_complex_error_are_per_pixel_as_the_psnr_is(get_data):
    (batch, *_) = get_data("brain", problem="mri", img_size=64, n_images=1)["test"]
    f = data_term(batch.physics, batch.y)
    error = 0.02 * torch.randn(batch.x.shape)
    lost = error - f.project_on_range(error)
    _, kernel = errors_split(batch, batch.x + lost)
    expected = -10 * (lost.square().sum() / lost[0, 0].numel()).log10()
    assert float(kernel) == pytest.approx(float(expected), abs=1e-3)


def test_an_error_that_a_blur_erases_is_in_its_kernel_and_a_constant_is_not():
    batch = measured("gaussian_deblurring")
    fit = data_term(batch.physics, batch.y)
    checkerboard = 0.1 * (-1.0) ** torch.arange(64)[:, None] * torch.ones(48)
    seen, lost = metrics.range_and_kernel_psnr(fit, batch.x + checkerboard, batch.x)
    assert seen.min() > 60
    assert lost.tolist() == pytest.approx([20] * 4, abs=1e-2)
    seen, lost = metrics.range_and_kernel_psnr(fit, batch.x + 0.1, batch.x)
    assert seen.tolist() == pytest.approx([20] * 4, abs=1e-2)
    assert lost.min() > 60


def test_the_kernel_of_a_mask_is_its_missing_pixels():
    batch = measured("inpainting")
    fit = data_term(batch.physics, batch.y)
    missing = batch.physics.mask == 0
    seen, lost = metrics.range_and_kernel_psnr(fit, batch.x + 0.1 * missing, batch.x)
    assert seen.min() > 60
    expected = 0.01 * missing.float().mean((1, 2, 3))
    torch.testing.assert_close(mse(lost), expected, rtol=1e-4, atol=0)


@pytest.mark.parametrize("problem", PROBLEMS)
def test_data_fit_at_the_truth_is_half_of_the_noise_variance(problem):
    batch = measured(problem, shape=(3, 96, 96), n_images=6)
    errors = metrics.data_fit_error(data_term(batch.physics, batch.y), batch.x)
    expected = noise_level(batch.physics) ** 2 / 2
    assert errors.mean().item() == pytest.approx(expected, rel=0.05)


@pytest.fixture(scope="module")
def data(get_data):
    return get_data("simulated", problem="inpainting")


@pytest.fixture(scope="module")
def scores(data, get_objective):
    """scores(x_hat, **result): what the objective says of it."""

    def scores(x_hat, is_last=True, **result):
        objective = get_objective(data)
        return objective.evaluate_result(x_hat=x_hat, is_last=is_last, **result)

    return scores


def noisy(data, level=0.1):
    return [b.x + level * torch.randn(b.x.shape) for b in data["test"]]


def test_costly_scores_are_for_the_last_iterate_only(data, scores):
    x_hat = noisy(data)
    first, last = scores(x_hat, is_last=False), scores(x_hat)
    assert not COSTLY & set(first)
    assert set(last) - set(first) >= {"ssim", "psnr_range", "psnr_kernel"}
    assert first.items() <= last.items()


def test_scores_are_plain_floats(data, scores):
    assert {type(value) for value in scores(noisy(data)).values()} == {float}


def test_psnr_is_averaged_over_the_images(data, scores):
    (batch,) = data["test"]
    errors = torch.tensor([0.1, 0.01]).view(2, 1, 1, 1)
    result = scores([batch.x + errors])
    assert result["psnr"] == pytest.approx(30, abs=1e-3)
    assert result["psnr_min"] == pytest.approx(20, abs=1e-3)
    assert result["psnr_std"] == pytest.approx(10, abs=1e-3)


def test_the_truth_has_the_best_scores(data, scores):
    result = scores([b.x for b in data["test"]])
    assert result["psnr"] == math.inf
    assert result["ssim"] == pytest.approx(1)
    assert result["diverged"] == 0


@pytest.mark.parametrize("value", [math.nan, math.inf, 1e30, 12.0])
def test_an_image_that_diverged_is_said_and_never_averaged_away(value, data, scores):
    x_hat = noisy(data)
    x_hat[0][0] = value
    result = scores(x_hat)
    assert result["diverged"] == 1
    assert math.isnan(result["psnr"])
    assert not COSTLY & set(result)


def test_what_the_solver_counted_is_passed_on(data, scores):
    result = scores(noisy(data), fit_time=1.5, n_network_calls=8.0)
    assert (result["fit_time"], result["n_network_calls"]) == (1.5, 8.0)


@pytest.mark.parametrize("problem", PROBLEMS)
def test_kernel_psnr_is_absent_where_nothing_is_lost(problem, get_data, get_objective):
    data = get_data("simulated", problem=problem)
    result = get_objective(data).evaluate_result(x_hat=noisy(data), is_last=True)
    assert ("psnr_kernel" in result) == (problem != "denoising")


def test_a_blur_that_loses_nothing_has_no_kernel(get_data, get_objective):
    for blur_std, has_kernel in ((0.5, False), (2.0, True)):
        data = get_data("simulated", problem="gaussian_deblurring", blur_std=blur_std)
        result = get_objective(data).evaluate_result(x_hat=noisy(data), is_last=True)
        assert ("psnr_kernel" in result) == has_kernel


def photograph(name, height, width):
    pixels = getattr(skimage.data, name)()[:height, :width].copy()
    return torch.from_numpy(pixels).movedim(-1, 0)[None].float() / 255


def coarse(x):
    """Blocks of 4 x 4 pixels of one colour."""
    return F.avg_pool2d(x, 4).repeat_interleave(4, -1).repeat_interleave(4, -2)


@pytest.mark.parametrize("size", [(96, 128), (11, 11), (12, 40)])
@pytest.mark.parametrize("n_channels", [1, 3])
def test_ssim_is_that_of_scikit_image(size, n_channels):
    generator = torch.Generator().manual_seed(0)
    x = photograph("astronaut", *size)[:, :n_channels]
    noise = 0.1 * torch.randn(x.shape, generator=generator)
    distorted = [x + noise, 1 - x, x + 0.3, 0.9 * x, x + 1e-3 * noise]
    for x_hat in distorted:
        ours = metrics.ssim(x_hat, x).item()
        images = (v[0].movedim(0, -1).double().numpy() for v in (x_hat, x))
        expected = structural_similarity(
            *images,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            data_range=1,
            channel_axis=-1,
        )
        assert ours == pytest.approx(expected, abs=1e-6)


def test_ssim_is_never_above_one():
    x = torch.ones(1, 3, 64, 64) - 1e-3 * torch.rand(1, 3, 64, 64)
    assert 1 - 1e-6 < metrics.ssim(x, x).item() <= 1


def test_each_image_has_its_own_ssim():
    x = photograph("astronaut", 32, 32).repeat(2, 1, 1, 1)
    x_hat = torch.cat([x[:1], 0.5 * x[:1]])
    ours = metrics.ssim(x_hat, x)
    assert ours[0] == pytest.approx(1)
    assert ours[1] == pytest.approx(metrics.ssim(x_hat[1:], x[1:]).item())


def test_images_too_small_for_the_window_have_no_ssim(get_data, get_objective):
    data = get_data("simulated", img_size=8)
    x_hat = [batch.y for batch in data["test"]]
    result = get_objective(data).evaluate_result(x_hat=x_hat, is_last=True)
    assert "psnr_range" in result and "ssim" not in result


# By torchmetrics 1.9, with the weights of torchvision in float32.
LPIPS_VALUES = {
    "astronaut": (0.05414, 0.16537, 0.35667),
    "coffee": (0.13409, 0.08553, 0.14463),
    "chelsea": (0.06836, 0.11721, 0.43094),
}


@pytest.mark.parametrize("name", LPIPS_VALUES)
def test_lpips_is_that_of_the_original_weights(name):
    x = photograph(name, 96, 128)
    x_hat = torch.cat([x.roll((1, 1), (-2, -1)), 0.5 * x, coarse(x)])
    ours = metrics.lpips(x_hat, x.expand_as(x_hat))
    assert ours.tolist() == pytest.approx(LPIPS_VALUES[name], abs=1e-3)


def test_lpips_is_of_images_clipped():
    x = photograph("coffee", 64, 64)
    far, near = (metrics.lpips(x + error, x) for error in (2.0, 1.0))
    assert far == near


def test_loading_lpips_leaves_the_global_generator_alone():
    state = torch.random.get_rng_state()
    metrics._lpips.cache_clear()
    assert metrics.lpips(*2 * [photograph("coffee", 32, 32)]) < 1e-6
    assert torch.equal(torch.random.get_rng_state(), state)


def test_other_weights_than_those_of_lpips_are_refused(monkeypatch, tmp_path):
    copy = tmp_path / metrics.ALEXNET.name
    copy.write_bytes(metrics.ALEXNET.read_bytes()[:-1] + b"0")
    shutil.copy(metrics.ALEXNET.with_name("SHA256SUMS"), tmp_path)
    monkeypatch.setattr(metrics, "ALEXNET", copy)
    metrics._lpips.cache_clear()
    with pytest.raises(Unavailable, match="checksum is wrong"):
        metrics.lpips(*2 * [photograph("coffee", 32, 32)])


def test_the_weights_of_lpips_are_in_the_digest_of_the_objective(get_objective):
    objective = BENCHMARK.get_benchmark_objective().get_instance()
    assert metrics.ALEXNET in objective.dependencies().data


def test_lpips_is_a_score_of_colour_images_alone(get_data, get_objective):
    (batch,) = get_data("simulated")["test"]
    for channels, has_lpips in ((slice(3), True), (slice(1), False)):
        x, y = batch.x[:, channels], batch.y[:, channels]
        one = Batch(x=x, y=y, physics=batch.physics, names=())
        data = {"train": [], "test": [one], "dataset": "d", "problem": "denoising"}
        result = get_objective(data).evaluate_result(x_hat=[one.y], is_last=True)
        assert "ssim" in result and ("lpips" in result) == has_lpips


def test_images_too_small_for_the_network_have_no_lpips(get_data, get_objective):
    data = get_data("simulated", img_size=28)
    x_hat = [batch.y for batch in data["test"]]
    result = get_objective(data).evaluate_result(x_hat=x_hat, is_last=True)
    assert "ssim" in result and "lpips" not in result


def test_the_error_of_a_blur_is_split_by_its_transfer_function():
    # A Gaussian blur keeps exp(-2 (pi sigma f)^2) of the frequency f: 6.2% of 12/64,
    # and 3.9% of 13/64; below 5%, it counts as lost.
    batch = measured("gaussian_deblurring", shape=(3, 64, 64))
    waves = [math.tau * k / 64 * torch.arange(64.0) for k in (12, 13)]
    error = 0.2 * waves[0].cos() + 0.02 * waves[1].cos()[:, None]
    fit = data_term(batch.physics, batch.y)
    seen, lost = metrics.range_and_kernel_psnr(fit, batch.x + error, batch.x)
    assert seen.tolist() == pytest.approx([-10 * math.log10(0.2**2 / 2)] * 4, abs=1e-3)
    assert lost.tolist() == pytest.approx([-10 * math.log10(0.02**2 / 2)] * 4, abs=1e-2)


def test_the_error_of_a_mask_is_split_by_its_pixels():
    batch = measured("inpainting")
    error = torch.linspace(0, 0.1, 48).expand(batch.x.shape)
    missing = (batch.physics.mask == 0).expand(batch.x.shape)
    fit = data_term(batch.physics, batch.y)
    parts = metrics.range_and_kernel_psnr(fit, batch.x + error, batch.x)
    for ours, where in zip(parts, (~missing, missing)):
        energy = (error.square() * where).flatten(1).mean(1)
        torch.testing.assert_close(mse(ours), energy, rtol=1e-4, atol=0)


@pytest.fixture(scope="module")
def final(data, get_objective):
    """final(x_hat): the scores of a result, and what is kept of each image."""

    def final(x_hat, data=data):
        objective = get_objective(data)
        result = {"x_hat": x_hat, "is_last": True}
        scores = objective.evaluate_result(**result)
        kept = objective.save_final_results(**result) or {}
        return scores, json.loads(kept.get("per_image", "null"))

    return final


def test_the_scores_are_the_means_of_those_of_the_images(data, final):
    scores, of_images = final(noisy(data))
    assert of_images.pop("name") == ["test0", "test1"]
    assert set(of_images) == {"psnr", "ssim", "lpips", "psnr_range", "psnr_kernel"}
    for score, values in of_images.items():
        assert len(set(values)) == 2
        assert scores[score] == pytest.approx(np.mean(values), rel=1e-6)


def test_images_that_are_exact_or_diverged_are_kept_as_such(data, final):
    (batch,) = data["test"]
    x_hat = batch.x.clone()
    assert final([x_hat])[1]["psnr"] == [math.inf, math.inf]
    x_hat[1] = math.nan
    of_images = final([x_hat])[1]
    assert of_images["psnr"][0] == math.inf and math.isnan(of_images["psnr"][1])


def test_the_names_of_images_are_unique(data, final):
    (batch,) = data["test"]
    for names, shown in {
        ("cat", "cat"): ["cat", "cat (2)"],
        (): ["image", "image (2)"],
    }.items():
        same = data | {"test": [replace(batch, names=names)]}
        assert final(noisy(data), same)[1]["name"] == shown


def test_vectors_have_no_scores_of_images(get_data, final):
    data = get_data("patches", n_signals=20, n_train=20)
    assert final([batch.y for batch in data["test"]], data)[1] is None


def test_a_signal_without_any_measurement_has_a_data_fit(get_data, get_objective):
    data = get_data("patches", n_signals=200, n_train=20, patch_size=2, missing=0.9)
    (batch,) = data["test"]
    assert (batch.physics.mask.flatten(1).sum(1) == 0).any()
    result = get_objective(data).evaluate_result(x_hat=[batch.y], is_last=True)
    assert 0 <= result["data_fit"] < 1e-12


def test_a_batch_too_few_or_of_another_shape_is_refused(data, scores):
    with pytest.raises(ValueError):
        scores([])
    with pytest.raises(ValueError, match="one reconstruction per image"):
        scores([b.x[:, :1] for b in data["test"]])


def decoded(png):
    return np.asarray(Image.open(io.BytesIO(png))) / 255


def test_pictures_are_the_images_clipped_to_eight_bits(data, get_objective):
    (batch,) = data["test"]
    x_hat = [batch.x * 2 - 0.5]
    pictures = get_objective(data).save_final_results(x_hat=x_hat, is_last=True)
    assert pictures["names"] == ["test0", "test1"]
    for name, tensor in {
        "truth": batch.x,
        "measurement": batch.y,
        "reconstruction": x_hat[0],
    }.items():
        expected = tensor[1].clamp(0, 1).movedim(0, -1).numpy()
        assert decoded(pictures[name][1]) == pytest.approx(expected, abs=0.51 / 255)
