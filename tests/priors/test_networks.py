"""The compact network and its weights: sizes, scaling, checksums, quality."""

import math
import re

import pandas as pd
import pytest
import torch
from conftest import ROOT
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from benchmark_utils.common.checksums import check, read_checksums
from benchmark_utils.common.errors import NotApplicable, Unavailable
from benchmark_utils.data.images import center_crop, load_images
from benchmark_utils.physics.degradations import (
    Downscaling,
    GaussianBlur,
    Jpeg,
    MotionBlur,
    Noise,
    RandomMask,
)
from benchmark_utils.priors import compact
from benchmark_utils.priors.compact import (
    WEIGHTS,
    WEIGHTS_CHECKSUMS,
    load_compact,
    on_image_grid,
    save_compact_weights,
)
from benchmark_utils.priors.denoisers import DENOISERS, load_denoiser
from benchmark_utils.priors.networks import CompactUNet, EDMUNet
from benchmark_utils.priors.restoration import load_restoration
from benchmark_utils.scoring.metrics import psnr
from benchmark_utils.scoring.statistics import paired_interval
from training.evaluate import card, psnrs_of
from training.recipes import edm_error


@pytest.fixture(scope="module", autouse=True)
def inference():
    with torch.inference_mode():
        yield


@pytest.fixture(scope="module")
def network():
    """A narrow network with random weights."""
    torch.manual_seed(0)
    return CompactUNet(widths=(8, 12, 16), blocks=1).eval()


def random(shape, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 3))
def test_any_size_goes_in_and_comes_out(network, height, width, n_images):
    x = random((n_images, 3, height, width))
    restored = network(x, 0.1)
    assert restored.shape == x.shape
    assert restored.isfinite().all()


def test_sides_that_are_not_multiples_are_extended_by_their_border(network):
    x = random((1, 3, 33, 43))
    padded = torch.nn.functional.pad(x, (0, 5, 0, 7), mode="replicate")
    expected = network(padded, 0.1)[..., :33, :43]
    torch.testing.assert_close(network(x, 0.1), expected)


def test_images_of_a_batch_do_not_mix(network):
    x = random((3, 3, 24, 20))
    alone = torch.cat([network(image[None], 0.1) for image in x])
    torch.testing.assert_close(network(x, 0.1), alone, rtol=1e-4, atol=1e-5)


def test_each_image_may_have_a_noise_level_of_its_own(network):
    x, sigmas = random((2, 3, 24, 20)), torch.tensor([0.02, 0.2])
    alone = torch.cat([network(x[[i]], float(sigmas[i])) for i in range(2)])
    torch.testing.assert_close(network(x, sigmas), alone, rtol=1e-4, atol=1e-5)


@given(st.integers(1, 30), st.integers(1, 30), st.floats(0, 1))
def test_one_noise_level_is_the_same_as_one_per_image_or_per_pixel(
    network, height, width, sigma
):
    x = random((2, 3, height, width))
    expected = network(x, sigma)
    for same in (torch.full((2,), sigma), torch.full((2, 1, height, width), sigma)):
        torch.testing.assert_close(network(x, same), expected)
    one_map = torch.full((1, 1, height, width), sigma)
    torch.testing.assert_close(network(x, one_map), expected)


def test_each_pixel_may_have_a_noise_level_of_its_own(network):
    x, sigma = random((1, 3, 33, 71)), torch.full((1, 1, 33, 71), 0.05)
    sigma[..., 60:] = 0.5
    restored, low, high = (network(x, s) for s in (sigma, 0.05, 0.5))
    assert not torch.equal(restored, low)
    # Far from the change of level, the network does not see it.
    torch.testing.assert_close(restored[..., :8], low[..., :8], rtol=1e-4, atol=1e-5)
    right = (..., slice(66, None))
    error, other = ((restored - r)[right].abs().mean() for r in (high, low))
    assert error < other


@given(st.floats(0.01, 100))
def test_scaling_the_image_and_the_noise_scales_the_result(network, scale):
    x = random((1, 3, 20, 28))
    expected = scale * network(x, 0.1)
    torch.testing.assert_close(
        network(scale * x, scale * 0.1), expected, rtol=1e-3, atol=1e-4 * scale
    )


def test_the_noise_level_matters(network):
    x = random((1, 3, 16, 16))
    assert not torch.allclose(network(x, 0.05), network(x, 0.2), atol=1e-4)


# Grey images


def test_a_grey_image_is_three_equal_channels_whose_noise_is_told_as_independent(
    network,
):
    x, sigmas = random((2, 1, 20, 28)), torch.tensor([0.02, 0.2])
    expected = network(x.expand(-1, 3, -1, -1), 3**0.5 * sigmas).mean(1, keepdim=True)
    torch.testing.assert_close(network(x, sigmas), expected)


def test_a_level_of_one_stays_one_in_grey_images(network):
    x, sigma = random((1, 1, 16, 16)), torch.ones(1, 1, 16, 16)
    sigma[..., :8] = 0.1
    expected = network(x.expand(-1, 3, -1, -1), (3**0.5 * sigma).clamp(max=1))
    torch.testing.assert_close(network(x, sigma), expected.mean(1, keepdim=True))


@pytest.mark.parametrize("sigma", [0.05, 0.1, 0.2])
def test_grey_photographs_are_denoised_better_than_by_total_variation(sigma):
    images = list(load_images("natural-test").values())[:4]
    x = torch.stack([center_crop(image, 96) for image in images]).mean(1, keepdim=True)
    noisy = x + sigma * torch.randn(x.shape, generator=torch.Generator().manual_seed(0))
    ours, tv = (load_denoiser(name)(noisy, sigma) for name in ("compact", "tv"))
    assert psnr(ours, x).mean() > psnr(tv, x).mean() + 0.5


# What a network is given of a degraded image


@pytest.mark.parametrize("factor", [2, 3])
@given(st.integers(6, 30), st.integers(6, 30))
def test_small_images_are_enlarged_to_the_size_that_is_asked_for(factor, height, width):
    x = random((2, 3, height, width))
    degraded = Downscaling(factor)(x, torch.Generator().manual_seed(0))
    y, sigma = on_image_grid(degraded, (height, width))
    assert y.shape == x.shape
    assert torch.equal(sigma, degraded.sigma)


def test_enlarging_does_not_shift_the_image():
    ramp = torch.linspace(0, 1, 24).expand(1, 3, 24, 24)
    ramp = (ramp + ramp.mT) / 2
    for factor in (2, 3):
        degraded = Downscaling(factor, noise=(0, 0))(ramp, torch.Generator())
        y, _ = on_image_grid(degraded, (24, 24))
        centre = (..., slice(6, 18), slice(6, 18))
        torch.testing.assert_close(y[centre], ramp[centre], rtol=0, atol=1e-3)


def test_holes_are_filled_and_nothing_is_known_there():
    x = random((2, 3, 24, 20))
    degraded = RandomMask(noise=(0.05, 0.05))(x, torch.Generator().manual_seed(0))
    y, sigma = on_image_grid(degraded, (24, 20))
    known = degraded.mask > 0
    assert torch.equal(y[known.expand_as(y)], degraded.y[known.expand_as(y)])
    assert (y[~known.expand_as(y)] != 0).all()
    assert sigma.shape == degraded.mask.shape
    assert (sigma[~known] == 1).all()
    assert sigma[known].tolist() == pytest.approx([0.05] * int(known.sum()))


# Weights


def test_every_shipped_file_of_weights_has_its_checksum():
    recorded = read_checksums(WEIGHTS_CHECKSUMS)
    shipped = {path.name for path in WEIGHTS.glob("*.safetensors")}
    assert shipped and shipped == set(recorded)
    for name in shipped:
        check(WEIGHTS / name, recorded[name])


def test_shipped_weights_are_float16_of_8_mb_at_most_and_60_mb_together():
    files = list(WEIGHTS.glob("*.safetensors"))
    for file in files:
        assert {w.dtype for w in load_file(file).values()} == {torch.float16}
    sizes = [file.stat().st_size for file in files]
    assert max(sizes) <= 8e6 and sum(sizes) <= 60e6


def test_shipped_networks_compute_in_float32():
    dtypes = {w.dtype for w in load_compact("denoiser", "cpu").parameters()}
    assert dtypes == {torch.float32}


@pytest.mark.parametrize("task", ["denoiser", "sr2"])
def test_networks_that_compute_in_bfloat16_give_floats_of_32_bits_near_the_same(task):
    x = center_crop(load_images("natural-test", 1)["astronaut"], 64)[None]

    def restored(precision):
        if task == "denoiser":
            return load_denoiser("compact", precision=precision)(x, 0.05)
        model = load_restoration(task, precision=precision)
        return model(x, torch.Generator().manual_seed(0))

    ours, exact = restored(torch.bfloat16), restored(torch.float32)
    assert ours.dtype == torch.float32 and not torch.equal(ours, exact)
    assert float(psnr(ours, exact)) > 45


@pytest.mark.parametrize("sigma, gain", [(0.05, 3), (0.1, 5), (0.2, 7)])
def test_the_denoiser_gains_decibels_on_a_photograph_it_never_saw(sigma, gain):
    image = center_crop(load_images("natural-test")["chelsea"], 128)[None]
    noise = torch.randn(image.shape, generator=torch.Generator().manual_seed(0))
    y = image + sigma * noise
    restored = load_denoiser("compact")(y, sigma)
    assert psnr(restored, image) > psnr(y, image) + gain


def test_a_flat_image_without_noise_stays_as_it_is():
    x = torch.full((1, 3, 32, 32), 0.5)
    assert (load_denoiser("compact")(x, 0.02) - x).abs().mean() < 0.01


@pytest.mark.parametrize("name, counted", [("compact", 5), ("tv", 0)])
def test_denoisers_count_the_images_that_their_network_is_given(name, counted):
    denoiser = load_denoiser(name)
    assert denoiser.n_images == 0
    for n in (2, 3):
        assert denoiser(random((n, 3, 16, 16)), 0.1).shape == (n, 3, 16, 16)
    assert denoiser.n_images == counted


def test_the_equivariant_denoiser_commutes_with_turns_and_mirrors():
    x, denoiser = random((2, 3, 24, 17)), load_denoiser("equivariant")
    turned = denoiser(x.rot90(1, (-2, -1)), 0.1)
    torch.testing.assert_close(turned, denoiser(x, 0.1).rot90(1, (-2, -1)))
    mirrored = denoiser(x.flip(-1), 0.1)
    torch.testing.assert_close(mirrored, denoiser(x, 0.1).flip(-1))
    plain = load_denoiser("compact")
    assert not torch.allclose(plain(x.flip(-1), 0.1), plain(x, 0.1).flip(-1))


def test_the_equivariant_denoiser_gains_decibels_and_counts_eight_calls():
    x = center_crop(load_images("natural-test")["chelsea"], 64)[None]
    noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(0))
    y, denoiser = x + 0.1 * noise, load_denoiser("equivariant")
    mean = denoiser(y, 0.1)
    assert psnr(mean, x) > psnr(load_denoiser("compact")(y, 0.1), x)
    assert denoiser.n_images == 8


@pytest.fixture
def empty_weights(tmp_path, monkeypatch):
    """A weights folder with nothing in it yet."""
    (tmp_path / "SHA256SUMS").touch()
    monkeypatch.setattr(compact, "WEIGHTS", tmp_path)
    monkeypatch.setattr(compact, "WEIGHTS_CHECKSUMS", tmp_path / "SHA256SUMS")
    return tmp_path


def test_saved_weights_are_loaded_again_and_again(empty_weights):
    x = random((1, 3, 16, 16))
    for seed in (0, 1):
        torch.manual_seed(seed)
        network = CompactUNet().half().float().eval()
        save_compact_weights(network, "toy")
        restored = load_compact("toy", "cpu")(x, 0.1)
        torch.testing.assert_close(restored, network(x, 0.1), rtol=1e-4, atol=1e-5)


def test_a_task_may_have_a_network_of_its_own_for_grey_images(
    empty_weights, monkeypatch
):
    for name, channels in (("task", 3), ("other", 3), ("grey", 1)):
        save_compact_weights(CompactUNet((8, 8), 1, channels), name)
    colour, grey = random((1, 3, 8, 8)), random((1, 1, 8, 8))
    networks = {name: load_compact(name, "cpu") for name in ("task", "other", "grey")}
    monkeypatch.setattr(compact, "GREY", {"task": "grey"})
    task, other = (compact.load_by_channels(n, "cpu") for n in ("task", "other"))
    assert torch.equal(task(colour, 0.1), networks["task"](colour, 0.1))
    assert torch.equal(task(grey, 0.1), networks["grey"](grey, 0.1))
    assert torch.equal(other(grey, 0.1), networks["other"](grey, 0.1))
    assert compact.compact_names("other", "task") == ["other", "task", "grey"]
    for channels, expected in ((1, "grey"), (2, "grey"), (3, "task")):
        loaded = compact.load_for_channels("task", channels, "cpu").state_dict()
        for key, weight in networks[expected].state_dict().items():
            assert torch.equal(loaded[key], weight)
    assert compact.load_for_channels("other", 1, "cpu").channels == 3


def test_grey_photographs_are_denoised_better_by_the_network_of_one_channel():
    x = center_crop(load_images("natural-test")["coffee"], 128)[None]
    x = x.mean(1, keepdim=True)
    y = x + 0.1 * torch.randn(x.shape, generator=torch.Generator().manual_seed(0))
    grey, colour = (load_compact(name, "cpu")(y, 0.1) for name in ("grey", "denoiser"))
    assert torch.equal(load_denoiser("compact")(y, 0.1), grey)
    assert psnr(grey, x) > psnr(colour, x) + 0.05


# Any noise level: EDM's preconditioning


@pytest.fixture
def no_residual(monkeypatch):
    """Networks that give zeros, which is what new ones learn first."""
    monkeypatch.setattr(CompactUNet, "forward", lambda self, x, sigma: 0 * x)
    return EDMUNet((8, 8), 1)


@pytest.mark.parametrize("sigma", [0.002, 0.25, 3.0, 80.0])
def test_an_edm_network_starts_as_the_wiener_filter_and_with_a_loss_of_one(
    no_residual, sigma
):
    generator = torch.Generator().manual_seed(0)
    x, noise = (torch.randn(1, 3, 256, 256, generator=generator) for _ in range(2))
    x, y = 0.5 + 0.25 * x, 0.5 + 0.25 * x + sigma * noise
    restored = no_residual(y, sigma)
    torch.testing.assert_close(restored - 0.5, (y - 0.5) / (1 + (sigma / 0.25) ** 2))
    loss = edm_error(restored, x, torch.tensor([sigma]))
    assert float(loss) == pytest.approx(1, abs=0.02)


def test_an_edm_network_sees_unit_variance_and_the_logarithm_of_the_level(monkeypatch):
    seen = []

    def forward(self, x, sigma):
        seen.append((float(x.std()), float(sigma.mean())))
        return 0 * x

    monkeypatch.setattr(CompactUNet, "forward", forward)
    x = 0.5 + 0.25 * torch.randn(1, 3, 256, 256)
    for level in (0.01, 1.0, 50.0):
        EDMUNet((8, 8), 1)(x + level * torch.randn_like(x), level)
    stds, told = zip(*seen)
    assert stds == pytest.approx((1, 1, 1), abs=0.02)
    assert told == pytest.approx([math.log(s) / 4 for s in (0.01, 1.0, 50.0)])


def test_the_wide_denoiser_removes_noise_of_any_level():
    x = center_crop(load_images("natural-test")["chelsea"], 96)[None]
    generator, denoiser = torch.Generator().manual_seed(0), load_denoiser("wide")
    flat = psnr(x.mean((2, 3), keepdim=True).expand_as(x), x)
    for level, gain in ((0.02, 4), (0.1, 9), (0.5, 17), (1.0, 21)):
        y = x + level * torch.randn(x.shape, generator=generator)
        restored = psnr(denoiser(y, level), x)
        assert restored > psnr(y, x) + gain
        assert restored > flat
    with pytest.raises(NotApplicable, match=r"'wide' takes images of 3 channels"):
        load_denoiser("wide", shapes=[(1, 96, 96)])
    lost = denoiser(x + 80 * torch.randn(x.shape, generator=generator), 80.0)
    assert lost.min() > -0.5 and lost.max() < 1.5


@pytest.mark.parametrize("widths", [(8, 12), (16, 8, 8)])
@pytest.mark.parametrize("blocks", [1, 3])
def test_weights_of_any_size_are_loaded(widths, blocks, empty_weights):
    network = CompactUNet(widths=widths, blocks=blocks).half().float().eval()
    save_compact_weights(network, "toy")
    x = random((1, 3, 16, 16))
    restored = load_compact("toy", "cpu")(x, 0.1)
    torch.testing.assert_close(restored, network(x, 0.1), rtol=1e-4, atol=1e-5)


def test_saved_weights_are_those_of_the_network_to_three_digits(empty_weights):
    network = CompactUNet()
    save_compact_weights(network, "toy")
    loaded = load_compact("toy", "cpu").state_dict()
    for name, weights in network.state_dict().items():
        torch.testing.assert_close(loaded[name], weights, rtol=5e-4, atol=1e-7)


def test_weights_that_were_never_made_are_asked_for_by_name(empty_weights):
    with pytest.raises(Unavailable, match=r"compact_toy.safetensors.*train.py toy"):
        load_compact("toy", "cpu")


def test_every_denoiser_of_the_registry_is_named_when_one_is_unknown():
    with pytest.raises(ValueError) as error:
        load_denoiser("median")
    assert "'median'" in str(error.value)
    assert all(name in str(error.value) for name in DENOISERS)


# One degradation per network, of medium strength, and the decibels to gain on it.
GAINS = {
    "denoiser": (Noise((0.1, 0.1)), 5),
    "deblur": (GaussianBlur((2.0, 2.0), noise=(0.02, 0.02)), 1),
    "motion": (MotionBlur((0.5, 0.5), (0.3, 0.3), noise=(0.02, 0.02)), 0.5),
    "jpeg": (Jpeg((20, 20), noise=(0.02, 0.02)), 0.5),
    "sr2": (Downscaling(2, noise=(0.02, 0.02)), 1),
    "sr3": (Downscaling(3, noise=(0.02, 0.02)), 0.5),
    "inpaint": (RandomMask((0.6, 0.6), noise=(0.02, 0.02)), 2),
}


@pytest.mark.parametrize("grey", [False, True])
@pytest.mark.parametrize("task", compact.TASKS)
def test_each_network_gains_decibels_on_photographs_it_never_saw(task, grey):
    degradation, gain = GAINS[task]
    images = list(load_images("natural-test").values())[:4]
    x = torch.stack([center_crop(image, 96) for image in images])
    if grey:
        x, gain = x.mean(1, keepdim=True), 0.7 * gain
    model = load_restoration(task)
    degraded = degradation(x, torch.Generator().manual_seed(0))
    restored = model.restore(degraded, x.shape[-2:])
    given, _ = on_image_grid(degraded, x.shape[-2:])
    gains = psnr(restored, x) - psnr(given, x)
    assert gains.mean() > gain


def test_the_card_of_other_photographs_is_that_of_the_committed_scores():
    text = (ROOT / "benchmark_utils/priors/weights/README.md").read_text()
    block = r"<!-- card (\S+) -->\n(.*?)\n<!-- end -->"
    ((file, table),) = re.findall(block, text, re.DOTALL)
    assert table.splitlines() == card(pd.read_csv(ROOT / file))


def test_the_card_says_how_far_another_network_is_from_ours():
    generator = torch.Generator().manual_seed(0)
    draws = torch.rand(4, 1, 3, 24, 24, generator=generator)
    images = {f"image {i}": x for i, x in enumerate(draws)}
    ranges = {"noise": (0.1, 0.1)}
    same = psnrs_of("denoiser", 3, ranges, images, ("Identity", lambda d: d.y))
    assert [row["image"] for row in same] == list(images)
    assert all(row["others"] == row["trivial"] != row["ours"] for row in same)
    table = pd.DataFrame(same).assign(task="denoiser", channels=3, what="noise")
    differences = table["others"] - table["ours"]
    low, high = paired_interval(differences.to_numpy())
    *_, line = card(table)
    mean, half = table["others"].mean(), (high - low) / 2
    assert f"| {mean:.2f} ±{half:.2f} (Identity) |" in line
