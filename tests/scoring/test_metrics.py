"""The scores are what their formulas say, and never hide a failure."""

import io
import math

import numpy as np
import pytest
import torch
from PIL import Image

from benchmark_utils.data.batches import Batch
from benchmark_utils.physics.data_term import data_term
from benchmark_utils.physics.noise import noise_level
from benchmark_utils.physics.problems import PROBLEMS, make_physics
from benchmark_utils.scoring import metrics

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


def test_lpips_is_absent_without_its_weights(data, scores, monkeypatch):
    monkeypatch.setattr(metrics, "lpips_available", lambda: False)
    assert "lpips" not in scores(noisy(data))


class MeanError(torch.nn.Module):
    """In the place of the network of LPIPS, which takes values in [0, 1] alone."""

    def __init__(self, device):
        super().__init__()

    def forward(self, x_hat, x):
        assert x_hat.min() >= 0 and x_hat.max() <= 1
        return (x_hat - x).abs().mean((1, 2, 3)).squeeze()


@pytest.fixture
def lpips_by_mean_error(monkeypatch):
    monkeypatch.setattr(metrics, "lpips_available", lambda: True)
    monkeypatch.setattr(metrics.dinv.metric, "LPIPS", MeanError)
    metrics._lpips.cache_clear()
    yield
    metrics._lpips.cache_clear()


def test_lpips_is_averaged_over_the_images_clipped(data, scores, lpips_by_mean_error):
    (batch,) = data["test"]
    x_hat = batch.x.clone()
    x_hat[0] = 2.0
    error = 1 - batch.x[0].mean().item()
    assert scores([x_hat])["lpips"] == pytest.approx(error / len(batch.x), rel=1e-5)
    assert "lpips" not in scores([x_hat], is_last=False)


def test_lpips_is_for_colour_images(get_data, get_objective, lpips_by_mean_error):
    (batch,) = get_data("simulated")["test"]
    grey = Batch(x=batch.x[:, :1], y=batch.y[:, :1], physics=batch.physics, names=())
    data = {"train": [], "test": [grey], "dataset": "grey", "problem": "denoising"}
    result = get_objective(data).evaluate_result(x_hat=[grey.y], is_last=True)
    assert "ssim" in result and "lpips" not in result


@pytest.mark.parametrize("n_images", [1, 2])
def test_lpips_takes_one_image_as_it_takes_several(n_images, lpips_by_mean_error):
    x = torch.rand(n_images, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    assert metrics.lpips(x, x).tolist() == [0.0] * n_images


def test_lpips_is_left_out_for_images_too_small_for_its_network(
    get_data, get_objective, lpips_by_mean_error
):
    data = get_data("simulated", img_size=28)
    x_hat = [batch.y for batch in data["test"]]
    result = get_objective(data).evaluate_result(x_hat=x_hat, is_last=True)
    assert "ssim" in result and "lpips" not in result


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
