"""What solvers are said to do, where a run that is only plausible would not tell."""

import pytest
import torch
from conftest import BENCHMARK
from operators import make_physics
from walk import DATA, SOLVERS, prepared

from benchmark_utils.data.batches import Batch
from benchmark_utils.data.images import load_images
from benchmark_utils.dictionaries.learning import learn_adam
from benchmark_utils.dictionaries.sphere_adam import SphereAdam
from benchmark_utils.physics.data_term import data_term
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
    batch = batch_of("gaussian_deblurring", noise_level=level)
    options = {"denoiser": "identity", "reg": 0.5, "n_iter": 1, **NOISY[name]}
    (ours,) = get_iterates(name, batch, **options)
    z = data_term(batch.physics, batch.y).initial_guess()
    # What the denoiser is told goes as the noise to the power 0.6.
    gamma = (0.1 * (level / 0.01) ** 0.6) ** 2 / (0.5 * level**2)
    expected = batch.physics.prox_l2(z, batch.y, gamma)
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-4)


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


def test_the_curve_of_admm_is_what_its_denoiser_gives(
    batch_of, monkeypatch, get_iterates
):
    given = []

    def recorded(x, sigma):
        given.append(0.9 * x)
        return given[-1]

    monkeypatch.setitem(denoisers.DENOISERS, "recorded", lambda device: recorded)
    batch = batch_of("inpainting")
    for name, options in NOISY.items():
        given.clear()
        ours = get_iterates(name, batch, denoiser="recorded", n_iter=3, **options)
        torch.testing.assert_close(ours, given)


# Priors in units of the noise: twice the noise, 2^1.4 times the weight


RELATIVE = {
    "TV": {"reg": 0.3, "n_iter": 300},
    "Wavelets": {"reg": 0.5, "n_iter": 8},
    "CDL": {"reg": 0.5, "n_steps": 3, "n_coding": 20, "n_atoms": 4, "atom_size": 5},
    "CDL supervised": {"reg": 0.5, "n_steps": 2, "n_iter": 20, "atom_size": 5},
}


@pytest.mark.parametrize("name", RELATIVE)
def test_the_weight_of_the_prior_is_relative_to_the_noise(
    name, batch_of, get_iterates, monkeypatch
):
    """4^1.4 times less of the prior for four times the noise is the same problem."""
    monkeypatch.setattr(class_of("Wavelets"), "_draw_shift", lambda self: [3, 5])
    options = RELATIVE[name]
    batch = batch_of("inpainting", noise_level=0.02)
    noisy = batch_of("inpainting", noise_level=0.08)
    noisy = Batch(y=batch.y, physics=noisy.physics)
    torch.testing.assert_close(noisy.physics.mask, batch.physics.mask)
    train = [Batch(y=batch.y, physics=batch.physics, x=batch.y)]
    monkeypatch.setattr(class_of(name), "get_seed", lambda self, **kwargs: 0)
    *_, expected = get_iterates(name, batch, train, **options)
    weaker = options | {"reg": options["reg"] / 4**1.4}
    *_, ours = get_iterates(name, noisy, train, **weaker)
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-4)


# What is divided to have the same at twice the noise, by name.
SAME_AT_TWICE = {
    "Restoration-PnP": ({"sigma": 0.03}, {"sigma": 2**0.6, "reg": 4}),
    "DRP": ({"tau": 0.5, "noise": 0.03}, {"reg": 2**5}),
}


@pytest.mark.parametrize("name", SAME_AT_TWICE)
def test_weights_for_one_noise_level_follow_a_power_of_it(
    name, batch_of, get_iterates, monkeypatch
):
    values, divided = SAME_AT_TWICE[name]
    values = {"reg": 0.1, **values}
    monkeypatch.setattr(class_of(name), "get_seed", lambda self, **kwargs: 0)
    options = {"n_iter": 2, "prior": "sr2"}
    batch = batch_of("inpainting", noise_level=0.01)
    noisy = batch_of("inpainting", noise_level=0.02)
    noisy = Batch(y=batch.y, physics=noisy.physics)
    *_, expected = get_iterates(name, batch, **values, **options)
    values |= {name: values[name] / by for name, by in divided.items()}
    *_, ours = get_iterates(name, noisy, **values, **options)
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-4)


def test_tv_is_the_minimiser(batch_of, get_iterates):
    """Denoising, against scikit-image: a weight of 0.1 on 1/2 ||x - y||^2."""
    skimage = pytest.importorskip("skimage.restoration")
    batch = batch_of("denoising")
    *_, ours = get_iterates("TV", batch, reg=10**-0.4, n_iter=500)
    for image, y in zip(ours, batch.y):
        expected = torch.stack(
            [
                torch.from_numpy(
                    skimage.denoise_tv_chambolle(
                        channel.numpy(), weight=0.1, eps=1e-9, max_num_iter=3000
                    )
                )
                for channel in y
            ]
        )
        torch.testing.assert_close(image, expected, rtol=0, atol=5e-3)


# What is coded, and on what


def test_a_denoiser_is_told_the_noise_level(batch_of, monkeypatch, get_iterates):
    monkeypatch.setitem(
        denoisers.DENOISERS, "level", lambda device: lambda x, sigma: 0 * x + sigma
    )
    batch = batch_of("denoising", noise_level=0.07)
    (ours,) = get_iterates("Denoiser", batch, denoiser="level")
    torch.testing.assert_close(ours, torch.full_like(batch.y, 0.07))


def test_the_pseudo_inverse_has_the_weight_that_is_asked_for(batch_of, get_iterates):
    batch = batch_of("denoising")
    # At noise 0.1, in units of 0.01: the weight goes as the noise to the power 1.2.
    (ours,) = get_iterates("Pseudo-inverse", batch, reg=0.25 / 10**1.2)
    torch.testing.assert_close(ours, batch.y / 1.25)


@pytest.mark.parametrize("name", ["CDL", "CDL supervised"])
def test_a_flat_image_stays_flat(name, batch_of, get_iterates):
    """It has nothing but low frequencies, which no atom has to pay for."""
    batch = batch_of("denoising")
    train = [Batch(y=batch.y, physics=batch.physics, x=batch.y)]
    batch = Batch(y=torch.full_like(batch.y, 0.5), physics=batch.physics)
    options = {"n_atoms": 4, "atom_size": 5, "reg": 1.0, "n_steps": 2}
    if name == "CDL":
        options |= {"n_coding": 20, "init": "random"}
    with pytest.warns(UserWarning, match="lambda_max"):
        iterates = get_iterates(name, batch, train, **options)
    for x in iterates:
        torch.testing.assert_close(x[..., 8:-8, 8:-8], batch.y[..., 8:-8, 8:-8])


def test_cdl_codes_on_from_the_codes_that_it_learned_with(batch_of, get_iterates):
    """And codes with all its iterations: the data are fitted better and better."""
    batch = batch_of("inpainting")
    options = {"n_atoms": 8, "atom_size": 5, "reg": 0.5, "n_steps": 20}
    few, many = (get_iterates("CDL", batch, n_coding=n, **options) for n in (1, 200))
    f = data_term(batch.physics, batch.y)
    learned, one, last = few[-2], few[-1], many[-1]
    assert len(many) == 40
    assert (f.value(one) < 1.2 * f.value(learned)).all()
    assert (last - one).norm() > 1e-2


@pytest.mark.parametrize("n_iter, n_points", [(10, 1), (200, 20)])
def test_supervised_atoms_code_with_all_the_iterations(
    n_iter, n_points, batch_of, get_iterates
):
    batch = batch_of("inpainting")
    train = [Batch(y=batch.y, physics=batch.physics, x=batch.y)]
    options = {"n_atoms": 4, "atom_size": 5, "n_steps": 2, "reg": 0.1}
    iterates = get_iterates("CDL supervised", batch, train, n_iter=n_iter, **options)
    assert len(iterates) == n_points


def test_the_first_guess_is_regularised_by_one_percent(batch_of):
    batch = batch_of("gaussian_deblurring")
    f = data_term(batch.physics, batch.y)
    expected = f.pseudo_inverse(0.01 * f.lipschitz)
    torch.testing.assert_close(f.initial_guess(), expected)


def test_wavelets_have_the_momentum_of_fista(batch_of, get_iterates):
    """Without a prior, they are Nesterov's descent of the data term."""
    batch = batch_of("gaussian_deblurring")
    options = {"translation_invariant": False, "levels": 2, "n_iter": 12, "reg": 0.0}
    f = data_term(batch.physics, batch.y)
    x, t = f.initial_guess(), 1.0
    z = x
    for ours in get_iterates("Wavelets", batch, **options):
        x_new = z - f.grad(z) / f.lipschitz
        t_new = (1 + (1 + 4 * t**2) ** 0.5) / 2
        z, x, t = x_new + (t - 1) / t_new * (x_new - x), x_new, t_new
        torch.testing.assert_close(ours, x, rtol=0, atol=1e-4)


def test_tv_denoises_photographs_best_near_its_weight(monkeypatch):
    image = load_images("natural-test", 1)["astronaut"][None, :, 60:188, 160:288]
    noise = torch.randn(image.shape, generator=torch.Generator().manual_seed(0))

    def error(weight):
        monkeypatch.setattr(denoisers, "TV_WEIGHT_OVER_SIGMA", weight)
        denoise = denoisers.load_denoiser("tv")
        return float((denoise(image + 0.1 * noise, 0.1) - image).square().mean())

    ours = error(denoisers.TV_WEIGHT_OVER_SIGMA)
    weights = [0.35, 0.5, 0.7, 1.0, 1.4]
    assert ours < 1.05 * min(map(error, weights))


def test_tv_converges_in_tens_of_iterations(batch_of, get_iterates):
    batch = batch_of("gaussian_deblurring")
    iterates = get_iterates("TV", batch, reg=1.0, n_iter=400)
    limit = iterates[-1]
    assert (iterates[99] - limit).norm() < 2e-3 * limit.norm()


def test_dictionaries_are_learned_with_the_weight_that_is_asked_for(
    get_data, get_objective
):
    dataset, options = DATA["vectors"]
    data = get_data(dataset, **options)
    solver = prepared(SOLVERS["Dictionary learning"], data, get_objective, lam=0.03)
    pairs = solver.data(solver.batches)
    state = solver.generator.get_state()
    ours = list(solver.dictionaries(pairs))
    solver.generator.set_state(state)
    start = solver.first_dictionary()
    expected = learn_adam(pairs, start, 0.03, solver.generator, n_steps=2)
    torch.testing.assert_close(ours, list(expected))


def test_the_rate_of_learning_goes_down_to_zero():
    generator = torch.Generator().manual_seed(0)
    atoms = torch.nn.functional.normalize(
        torch.randn(20, 5, generator=generator), dim=0
    )
    gradient = torch.randn(20, 5, generator=generator)
    adam = SphereAdam(atoms, 0, 1e-3, 40)
    moves = []
    for _ in range(40):
        before = adam.atoms
        moves.append(float((adam.step(gradient) - before).norm()))
    assert moves[10] == pytest.approx(moves[20], rel=0.1)
    assert moves[30] == pytest.approx(moves[20] / 2, rel=0.1)
    assert moves[39] < 0.1 * moves[20]
