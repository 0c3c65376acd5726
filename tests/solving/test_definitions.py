"""What solvers are said to do, where a run that is only plausible would not tell."""

import pytest
import torch
from conftest import BENCHMARK

from benchmark_utils.data.batches import Batch
from benchmark_utils.physics.data_term import data_term
from benchmark_utils.physics.problems import make_physics
from benchmark_utils.priors import denoisers


@pytest.fixture
def batch_of():
    """batch_of(problem, **strengths): two measured images of noise."""

    def batch_of(problem, **strengths):
        generator = torch.Generator().manual_seed(0)
        physics = make_physics(problem, (3, 32, 28), generator, **strengths)
        x = torch.rand((2, 3, 32, 28), generator=generator)
        return Batch(y=physics(x), physics=physics)

    return batch_of


def class_of(name):
    (solver_class,) = BENCHMARK.check_solver_patterns([name], class_only=True)
    return solver_class


# How firm the data are follows the noise of the measurements.

NOISY = {"PnP-HQS": {"sigma_start": 0.1}, "PnP-ADMM": {"sigma": 0.1}}


@pytest.mark.parametrize("level", [0.01, 0.05, 0.2])
@pytest.mark.parametrize("name", NOISY)
def test_the_weight_of_the_data_follows_the_noise(
    name, level, batch_of, monkeypatch, get_iterates
):
    monkeypatch.setitem(
        denoisers.DENOISERS, "identity", lambda device: lambda x, sigma: x
    )
    batch = batch_of("inpainting", noise_level=level)
    options = {"denoiser": "identity", "reg": 0.5, "n_iter": 1, **NOISY[name]}
    (ours,) = get_iterates(name, batch, **options)
    z = data_term(batch.physics, batch.y).initial_guess()
    # prox of 1/2 ||mask x - y||^2 / alpha, alpha = reg level^2 / sigma^2.
    alpha, mask = 0.5 * level**2 / 0.1**2, batch.physics.mask
    torch.testing.assert_close(ours, (mask * batch.y + alpha * z) / (mask + alpha))


# Means over the iterations


def test_cycle_spinning_averages_the_second_half(batch_of, get_iterates, monkeypatch):
    # The seed depends on the number of iterations.
    monkeypatch.setattr(class_of("Wavelets"), "_draw_shift", lambda self: [3, 5])
    batch = batch_of("inpainting")
    averaged = get_iterates("Wavelets", batch, n_iter=8)
    alone = get_iterates("Wavelets", batch, n_iter=16)[:8]
    means = [torch.stack(alone[4 : k + 1]).mean(0) for k in range(4, 8)]
    torch.testing.assert_close(averaged, alone[:4] + means)
    assert not torch.allclose(averaged[-1], alone[-1], atol=1e-4)


def test_dip_is_the_running_mean_of_what_its_network_gives(
    batch_of, get_iterates, monkeypatch
):
    batch = batch_of("inpainting")
    options = {"n_iter": 8, "channels": 8, "layers": 3}
    ours = get_iterates("DIP", batch, **options)
    monkeypatch.setattr(class_of("DIP"), "decay", 1.0)
    alone = get_iterates("DIP", batch, **options)
    mean = alone[0]
    for x, x_hat in zip(alone[1:], ours[1:]):
        mean = 0.95 * mean + 0.05 * x
        torch.testing.assert_close(x_hat, mean)
    assert not torch.allclose(ours[-1], alone[-1], atol=1e-4)


# What is lost


@pytest.mark.parametrize("gain, lost", [(0.04, True), (0.06, False)])
def test_a_frequency_is_lost_below_five_percent_of_the_largest(gain, lost):
    """A kernel of three values, whose transfer at half a turn is ``gain``."""
    side = (1 - gain) / 4
    physics = make_physics("gaussian_deblurring", (1, 32, 32), torch.Generator())
    kernel = torch.zeros_like(physics.filter)
    centre = kernel.shape[-1] // 2
    kernel[..., centre, centre - 1 : centre + 2] = torch.tensor(
        [side, 1 - 2 * side, side]
    )
    physics.update_parameters(filter=kernel)
    wave = torch.ones(1, 1, 32, 32)
    wave[..., 1::2] = -1
    f = data_term(physics, physics.A(wave))
    torch.testing.assert_close(physics.A(wave), gain * wave, rtol=1e-3, atol=1e-5)
    seen, missing = f.range_and_kernel_energy(wave)
    expected = (0.0, 1024.0) if lost else (1024.0, 0.0)
    assert (float(seen), float(missing)) == pytest.approx(expected, abs=0.1)
