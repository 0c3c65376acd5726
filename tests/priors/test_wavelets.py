"""Wavelets: an orthonormal transform, an exact prox, and a solver that minimises."""

import pytest
import pywt
import torch
from hypothesis import given
from hypothesis import strategies as st
from operators import make_physics

from benchmark_utils.data.batches import Batch
from benchmark_utils.physics.data_term import data_term
from benchmark_utils.priors.wavelets import (
    analysis,
    pad_to_multiple,
    soft_threshold,
    synthesis,
)

AXES = (-2, -1)
WAVELETS = ["haar", "db8", "sym4"]
# Of filters of 2, 4, 16, 8, 6 and 62 samples.
GOLDEN = ["haar", "db2", "db8", "sym4", "coif1", "dmey"]


def random(shape, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(shape, generator=generator, dtype=dtype)


def details(x, wavelet, levels):
    """All wavelet coefficients but for the coarse approximation, in one vector."""
    _, *bands = pywt.wavedec2(
        x.numpy(), wavelet, mode="periodization", level=levels, axes=AXES
    )
    return torch.cat([torch.from_numpy(b).flatten() for level in bands for b in level])


def l1_norm(x, wavelet, levels):
    return float(details(x, wavelet, levels).abs().sum())


def interleaved(coarse, *details):
    """What PyWavelets returns, in the layout of ``analysis``."""
    c = torch.from_numpy(coarse)
    for level in details:
        horizontal, vertical, diagonal = map(torch.from_numpy, level)
        finer = c.new_empty(*c.shape[:-2], 2 * c.shape[-2], 2 * c.shape[-1])
        finer[..., ::2, ::2], finer[..., 1::2, ::2] = c, horizontal
        finer[..., ::2, 1::2], finer[..., 1::2, 1::2] = vertical, diagonal
        c = finer
    return c


# PyWavelets warns of few samples for the filter, which is what we test.
@pytest.mark.filterwarnings("ignore:Level value")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    ("shape", "levels"),
    [
        ((2, 3, 32, 48), 4),
        ((1, 16, 16), 4),
        ((2, 2), 1),
        ((4, 8), 2),
        ((64, 96), 1),
        ((1, 1, 34, 256), 1),
        ((104, 72), 3),
    ],
)
@pytest.mark.parametrize("wavelet", GOLDEN)
def test_the_coefficients_are_those_of_pywavelets(wavelet, shape, levels, dtype):
    x = random(shape, dtype=dtype)
    options = {"mode": "periodization", "axes": AXES}
    expected = pywt.wavedec2(x.numpy(), wavelet, level=levels, **options)
    c = analysis(x, wavelet, levels)
    torch.testing.assert_close(c, interleaved(*expected), rtol=0, atol=1e-5)
    back = synthesis(c, wavelet, levels)
    theirs = torch.from_numpy(pywt.waverec2(expected, wavelet, **options))
    torch.testing.assert_close(back, theirs, rtol=0, atol=1e-5)
    if wavelet != "dmey":  # A finite filter that is orthonormal to 0.002 only.
        torch.testing.assert_close(back, x, rtol=0, atol=1e-5)


@pytest.mark.parametrize("wavelet", WAVELETS)
def test_the_synthesis_changes_no_coefficient(wavelet):
    c = random((1, 1, 16, 16))
    before = c.clone()
    synthesis(c, wavelet, 2)
    assert torch.equal(c, before)


@pytest.mark.parametrize("wavelet", WAVELETS)
@pytest.mark.parametrize("shape", [(2, 3, 32, 48), (1, 1, 16, 16)])
def test_threshold_zero_gives_the_image_back(wavelet, shape):
    x = random(shape)
    torch.testing.assert_close(soft_threshold(x, 0.0, wavelet, 4), x)
    flat = torch.full_like(x, 0.5)
    torch.testing.assert_close(soft_threshold(flat, 0.0, wavelet, 4), flat)


@pytest.mark.parametrize("wavelet", WAVELETS)
@pytest.mark.parametrize("shape", [(2, 3, 32, 48), (1, 1, 16, 16)])
def test_transform_keeps_the_norm(wavelet, shape):
    x = random(shape)
    coarse = soft_threshold(x, 1e6, wavelet, 4)
    energy = coarse.square().sum() + details(x, wavelet, 4).square().sum()
    torch.testing.assert_close(energy, x.square().sum())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_precision_and_shape_are_kept(dtype):
    x = random((2, 3, 32, 16), dtype=dtype)
    out = soft_threshold(x, 0.1, "db8", 4)
    assert out.dtype == dtype and out.shape == x.shape


@given(st.sampled_from(WAVELETS), st.floats(0.001, 1), st.integers(0, 2**32 - 1))
def test_soft_threshold_is_the_prox_of_the_l1_norm_of_the_details(wavelet, t, seed):
    z = random((1, 1, 16, 32), seed)
    p = soft_threshold(z, t, wavelet, 2)
    # z - p is a subgradient of t ||details||_1 at p: at most t everywhere, equal to
    # t sign(coefficient) where it is not zero, and nothing on the coarse scale.
    residual, kept = details(z - p, wavelet, 2), details(p, wavelet, 2)
    assert residual.abs().max() <= t + 1e-10
    on = kept.abs() > 1e-10
    torch.testing.assert_close(residual[on], t * kept[on].sign())
    coarse = soft_threshold(z - p, 1e6, wavelet, 2)
    assert coarse.abs().max() < 1e-10


@given(st.integers(1, 20), st.integers(1, 20), st.sampled_from([2, 4, 8]))
def test_padding_reaches_the_next_multiple_and_repeats_the_border(height, width, n):
    x = random((1, 2, height, width))
    padded = pad_to_multiple(x, n)
    assert padded.shape[-2] == -(-height // n) * n
    assert padded.shape[-1] == -(-width // n) * n
    assert torch.equal(padded[..., :height, :width], x)
    assert torch.equal(padded[..., -1, -1], x[..., -1, -1])


def measured(problem, shape):
    generator = torch.Generator().manual_seed(0)
    physics = make_physics(problem, shape, generator)
    x = random((1, *shape), dtype=torch.float32)
    x[..., 8:20, 5:30] += 1.0
    return Batch(y=physics(x / 2), physics=physics)


def objective(x, batch, weight, wavelet, levels):
    fidelity = float(data_term(batch.physics, batch.y).value(x).sum())
    return fidelity + weight * l1_norm(x, wavelet, levels)


@pytest.mark.parametrize("problem", ["gaussian_deblurring", "inpainting", "sr4"])
def test_solver_decreases_its_objective_to_a_fixed_point(problem, get_iterates):
    batch = measured(problem, (1, 32, 48))
    reg, weight = 2.0, 2.0 * 0.01
    options = {"wavelet": "haar", "levels": 3}
    iterates = get_iterates(
        "Wavelets",
        batch,
        reg=reg,
        n_iter=1500,
        translation_invariant=False,
        **options,
    )
    values = [objective(x, batch, weight, **options) for x in iterates[::100]]
    assert max(values[1:]) < values[0]
    assert values[-1] < values[0]
    fit, x = data_term(batch.physics, batch.y), iterates[-1]
    step = 1 / fit.lipschitz
    again = soft_threshold(x - step * fit.grad(x), step * weight, **options)
    assert (again - x).abs().max() < 1e-3
    assert objective(again, batch, weight, **options) >= values[-1] * (1 - 1e-3)


def test_solver_handles_sizes_that_are_not_multiples(get_iterates):
    batch = measured("inpainting", (1, 37, 45))
    iterates = get_iterates("Wavelets", batch, reg=1.0, n_iter=20)
    assert iterates[-1].shape == batch.y.shape
    assert iterates[-1].isfinite().all()


def test_cycle_spinning_improves_on_a_fixed_grid(get_iterates):
    generator = torch.Generator().manual_seed(0)
    x = torch.zeros(1, 1, 32, 32)
    x[..., 7:21, 5:26] = 1.0
    physics = make_physics("denoising", (1, 32, 32), generator)
    batch = Batch(y=physics(x), physics=physics)

    def error(translation_invariant):
        options = {"wavelet": "haar", "levels": 3, "reg": 2.0, "n_iter": 60}
        options["translation_invariant"] = translation_invariant
        return (get_iterates("Wavelets", batch, **options)[-1] - x).norm()

    assert error(True) < 0.95 * error(False)
