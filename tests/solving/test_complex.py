"""Complex images: every image solver takes them, and they are scored by magnitude."""

import deepinv as dinv
import pytest
import torch
from benchopt.utils.run_context import RunContext
from conftest import BENCHMARK
from torch.nn import functional as F

from benchmark_utils.data.batches import measure
from benchmark_utils.data.domain import COMPLEX_IMAGES
from benchmark_utils.physics.degradations import Jpeg
from benchmark_utils.priors.denoisers import CountedDenoiser
from benchmark_utils.priors.tv import project_on_ball
from benchmark_utils.priors.wavelets import soft_threshold
from benchmark_utils.scoring import metrics
from benchmark_utils.scoring.pictures import decode

SIZE = 48
# Solvers of images, with few iterations where each is slow.
SOLVERS = {
    "Pseudo-inverse": {},
    "Adjoint": {},
    "Initial guess": {},
    "TV": {"n_iter": 60},
    "Wavelets": {"n_iter": 20},
    "PnP-HQS": {},
    "PnP-PGD": {"n_iter": 4},
    "PnP-ADMM": {"n_iter": 4},
    "SNORE": {"n_iter": 4},
    "FiRe-HQS": {"priors": "denoiser+jpeg", "n_iter": 4},
    "FiRe-ADMM": {"priors": "denoiser+jpeg", "n_iter": 4},
    "DRP": {"n_iter": 2},
    "SHARP": {"n_iter": 2},
    "Restoration-PnP": {"n_iter": 2},
    "DIP": {"n_iter": 3},
    "CDL": {"n_steps": 2, "n_coding": 3},
    "U-Net": {"n_steps": 3},
    "Self-supervised": {"n_steps": 3, "loss": "moei"},
    "Unrolled": {"n_steps": 2, "n_iter": 3},
    "VarNet": {"n_steps": 3},
    "Fine-tuned": {"n_steps": 2, "n_iter": 3},
    "Bilevel": {"n_steps": 2, "n_iter": 40},
}


@pytest.fixture(scope="module")
def data(get_data):
    """A photograph's centre with a smooth phase, half of its k-space measured."""
    generator = torch.Generator().manual_seed(0)
    test, train = (
        complex_batch(images, generator)
        for images in (
            get_data("natural", problem="denoising", img_size=SIZE)[split][0]
            for split in ("test", "train")
        )
    )
    return {"train": [train], "test": [test], "dataset": "none", "problem": "none"}


def complex_batch(batch, generator):
    magnitude = batch.x.mean(1, keepdim=True)
    phase = torch.randn(len(magnitude), 1, 3, 3, generator=generator)
    phase = F.interpolate(phase, SIZE, mode="bicubic", align_corners=True)
    x = torch.cat([magnitude * phase.cos(), magnitude * phase.sin()], dim=1)
    mask = (torch.rand(1, SIZE, generator=generator) < 0.4).float().expand(SIZE, -1)
    mask = mask.clone()
    mask[:, SIZE // 2 - 4 : SIZE // 2 + 4] = 1
    physics = dinv.physics.MRI(mask=mask, img_size=(2, SIZE, SIZE))
    physics.noise_model = dinv.physics.GaussianNoise(0.01)
    return measure(x, physics, generator, batch.names, COMPLEX_IMAGES)


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
    return solver.get_result()


@pytest.fixture(scope="module")
def scores(data, get_objective):
    objective = get_objective(data)
    return {
        name: objective.evaluate_result(
            **solve(name, data, **options) | {"is_last": True}
        )
        for name, options in SOLVERS.items()
    }


@pytest.mark.parametrize("name", SOLVERS)
def test_every_image_solver_takes_complex_images(name, scores):
    found = scores[name]
    assert found["diverged"] == (name == "Restoration-PnP" and found["diverged"])
    if not found["diverged"]:
        assert found["psnr"] > 5 and 0 < found["ssim"] <= 1


@pytest.mark.parametrize("name", ["TV", "Wavelets", "PnP-HQS", "PnP-ADMM", "Unrolled"])
def test_priors_improve_on_zero_filling(name, scores):
    assert scores[name]["psnr"] > scores["Initial guess"]["psnr"] + 0.3


def test_psnr_and_ssim_are_those_of_magnitudes(data, get_objective):
    (batch,) = data["test"]
    x_hat = batch.physics.A_adjoint(batch.y)
    found = get_objective(data).evaluate_result([x_hat], True)
    pair = [v.norm(dim=1, keepdim=True) for v in (x_hat, batch.x)]
    assert found["psnr"] == pytest.approx(float(metrics.psnr(*pair).mean()), abs=1e-4)
    assert found["ssim"] == pytest.approx(float(metrics.ssim(*pair).mean()), abs=1e-5)
    turned = torch.stack([-x_hat[:, 1], x_hat[:, 0]], dim=1)
    same = get_objective(data).evaluate_result([turned], True)
    assert same["psnr"] == pytest.approx(found["psnr"], abs=1e-4)


def test_range_and_kernel_errors_are_those_of_the_mask_in_k_space(data, get_objective):
    (batch,) = data["test"]
    x_hat = 0.9 * batch.x
    found = get_objective(data).evaluate_result([x_hat], True)
    lost = (1 - batch.physics.mask) * batch.physics.im_to_kspace(x_hat - batch.x)
    # Per pixel, as the PSNR of magnitudes.
    sizes = batch.physics.kspace_to_im(lost).norm(dim=1, keepdim=True)
    kernel = metrics.psnr(sizes, 0).mean()
    assert found["psnr_kernel"] == pytest.approx(float(kernel), abs=0.05)


def test_pictures_are_of_magnitudes_and_of_the_back_projection(data, get_objective):
    (batch,) = data["test"]
    kept = get_objective(data).save_final_results([batch.x])
    truth, measured = (decode(kept[key][0]) for key in ("truth", "measurement"))
    expected = batch.x[0].norm(dim=0).clamp(0, 1)
    assert abs(torch.from_numpy(truth[..., 0].copy()) / 255 - expected).max() < 0.003
    assert truth.shape == measured.shape == (SIZE, SIZE, 3)
    assert measured.min() == 0 and measured.max() == 255


def test_phases_and_k_space_have_pictures(data, get_objective):
    (batch,) = data["test"]
    kept = get_objective(data).save_final_results([batch.x])["phase"]
    truth, k_space = (decode(kept[key][0])[..., 0] for key in ("truth", "measurement"))
    assert kept["reconstruction"] == kept["truth"]
    size, angle = batch.x[0].norm(dim=0), torch.atan2(batch.x[0, 1], batch.x[0, 0])
    expected = (0.5 + angle / (2 * torch.pi)) * (size > 0.05 * size.max())
    assert abs(torch.from_numpy(truth.copy()) / 255 - expected).max() < 0.003
    assert (k_space[batch.physics.mask[0, 0] == 0] == 0).all()
    assert k_space.max() == 255 == k_space[SIZE // 2, SIZE // 2]
    assert 80 < k_space[batch.physics.mask[0, 0] == 1].mean() < 180


def test_medical_scores_are_those_of_magnitudes(data, get_objective):
    (batch,) = data["test"]
    magnitude = batch.x.norm(dim=1, keepdim=True)
    found = get_objective(data).evaluate_result([0.9 * batch.x], True)
    assert found["nmse"] == pytest.approx(0.01, rel=1e-3)
    expected = metrics.haarpsi(0.9 * magnitude, magnitude).mean()
    assert found["haarpsi"] == pytest.approx(float(expected), abs=1e-5)
    assert 0.5 < found["haarpsi"] < 1
    perfect = get_objective(data).evaluate_result([batch.x], True)
    assert perfect["nmse"] < 1e-10 and perfect["haarpsi"] == pytest.approx(1, abs=1e-4)


def test_networks_see_parts_of_complex_images_as_grey_images_in_0_1():
    seen = []

    def network(images, sigma):
        seen.append((images, sigma))
        return 0.5 * images

    x = torch.rand(2, 2, 8, 8) * 2 - 1
    restored = CountedDenoiser(network)(x, 0.2)
    ((images, sigma),) = seen
    assert images.shape == (4, 1, 8, 8) and sigma == 0.1
    torch.testing.assert_close(images[1, 0], (x[0, 1] + 1) / 2)
    torch.testing.assert_close(restored, (x + 1) / 2 - 1)


def test_jpeg_keeps_the_negative_half_of_the_parts_of_complex_images():
    x = torch.linspace(-1, 1, 64).expand(1, 2, 64, 64)
    degraded = Jpeg(quality=(95, 95), noise=(0, 0))(x, torch.Generator())
    torch.testing.assert_close(degraded.y, x, rtol=0, atol=0.05)


def test_a_network_is_called_twice_for_a_complex_image(data):
    assert solve("PnP-HQS", data, n_iter=3)["n_network_calls"] == 6


def test_gradients_of_both_parts_have_one_norm():
    u = torch.tensor([3.0, 0, 0, 4]).view(2, 1, 2, 1, 1)
    shorter = project_on_ball(u.clone(), 1.0, jointly=True)
    torch.testing.assert_close(shorter, u / 5)
    apart = project_on_ball(u.clone(), 1.0)
    torch.testing.assert_close(apart.flatten(), torch.tensor([1.0, 0, 0, 1]))


def test_wavelets_of_both_parts_are_shrunk_together():
    x = torch.randn(1, 2, 32, 32, generator=torch.Generator().manual_seed(0))
    angle = torch.tensor(0.7)
    turn = torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()])

    def turned(z):
        return torch.einsum("ij,bjhw->bihw", turn.view(2, 2), z)

    shrunk = soft_threshold(turned(x), 0.5, "db2", 2, jointly=True)
    expected = turned(soft_threshold(x, 0.5, "db2", 2, jointly=True))
    torch.testing.assert_close(shrunk, expected)
    apart = soft_threshold(turned(x), 0.5, "db2", 2)
    assert not torch.allclose(apart, turned(soft_threshold(x, 0.5, "db2", 2)), atol=0.1)


def test_what_takes_colours_alone_says_that_it_sees_grey_images(data):
    (solver_class,) = BENCHMARK.check_solver_patterns(["PnP-HQS"], class_only=True)
    solver = solver_class.get_instance(denoiser="bm3d")
    skipped, reason = solver.skip(**data, device="cpu")
    assert skipped and "these have 1" in reason


def test_dictionaries_of_vectors_say_that_they_do_not_take_images(data):
    pattern = ["Dictionary learning"]
    (solver_class,) = BENCHMARK.check_solver_patterns(pattern, class_only=True)
    skipped, reason = solver_class.get_instance().skip(**data, device="cpu")
    assert skipped
    assert reason.endswith("takes vectors, and these signals are complex images.")
