"""MRI: its masks, its coils, and its data terms."""

import copy

import deepinv as dinv
import pytest
import torch
from conftest import BENCHMARK
from hypothesis import given
from hypothesis import strategies as st
from operators import make_physics

from benchmark_utils.common import NotApplicable
from benchmark_utils.learning.implicit import prox
from benchmark_utils.physics import MRI_PROBLEMS, data_term, estimated_maps
from benchmark_utils.physics.kspace import MulticoilDataTerm, as_complex
from benchmark_utils.physics.least_squares import KERNEL_THRESHOLD
from benchmark_utils.physics.mri import MASKS, coil_maps
from benchmark_utils.physics.noise import draw_measurements
from benchmark_utils.physics.problems import make_problem

SHAPE = (2, 48, 40)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def physics_of(problem="mri", n_images=2, seed=0, shape=SHAPE, **strengths):
    return make_physics(
        problem, shape, generator(seed), n_images, MRI_PROBLEMS, **strengths
    )


def draws(*shape, seed=1):
    return torch.randn(shape, generator=generator(seed))


def measured(problem, shape=SHAPE, **strengths):
    physics = physics_of(problem, shape=shape, **strengths)
    y = draw_measurements(physics, draws(2, *shape), generator(2))
    return physics, y, data_term(physics, y)


@given(
    mask=st.sampled_from(list(MASKS)),
    acceleration=st.sampled_from([1, 2, 2.5, 4, 8]),
    shape=st.tuples(st.integers(48, 80), st.integers(48, 80)),
    seed=st.integers(0, 2**32),
)
def test_masks_keep_the_share_asked_for_and_the_whole_centre(
    mask, acceleration, shape, seed
):
    kept = MASKS[mask](shape, acceleration, generator(seed))
    assert kept.shape == shape and set(kept.unique().tolist()) <= {0.0, 1.0}
    n_lines = shape[1] // acceleration
    if mask == "radial":
        assert 0 <= float(kept.mean()) - 1 / acceleration < 0.03
    else:
        assert torch.equal(kept, kept[:1].expand_as(kept))
        assert int(kept[0].sum()) == int(n_lines)
    row, column = shape[0] // 2, shape[1] // 2
    assert kept[row, column] == 1


@pytest.mark.parametrize("mask", MASKS)
def test_the_centre_is_a_third_of_what_is_kept(mask):
    kept = MASKS[mask]((100, 100), 4, generator())
    centre = kept[46:54, 46:54] if mask != "radial" else kept[36:64, 45:55]
    assert (centre == 1).all()


def test_gaussian_lines_are_denser_near_the_centre_than_uniform_ones():
    columns = torch.arange(128) - 64

    def spread(mask):
        kept = torch.stack(
            [MASKS[mask]((8, 128), 4, generator(i))[0] for i in range(9)]
        )
        return float((kept * columns.abs()).sum() / kept.sum())

    assert spread("gaussian") < 0.7 * spread("uniform")


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("problem", MRI_PROBLEMS)
def test_masks_are_shared_or_of_each_image(problem, mask):
    shared = physics_of(problem, mask=mask, masks="shared", n_images=3).mask
    each = physics_of(problem, mask=mask, masks="per_image", n_images=3).mask
    assert len(shared) == 1 and len(each) == 3
    assert not torch.equal(each[0], each[1])
    again = physics_of(problem, mask=mask, masks="per_image", n_images=3).mask
    assert torch.equal(each, again)


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("problem", MRI_PROBLEMS)
def test_a_number_of_masks_is_the_same_for_training_and_for_test_images(problem, mask):
    train = physics_of(problem, mask=mask, masks=2, n_images=5, seed=1).mask
    test = physics_of(problem, mask=mask, masks=2, n_images=3, seed=2).mask
    assert torch.equal(train[:3], test) and not torch.equal(train[0], train[1])
    assert torch.equal(train[2:4], train[:2]) and torch.equal(train[4], train[0])
    problem_ = make_problem(problem, MRI_PROBLEMS, mask=mask, masks=2)
    later = problem_.physics(SHAPE, torch.Generator(), range(9, 11)).mask
    assert torch.equal(later, train[[1, 0]])
    one = physics_of(problem, mask=mask, masks=1, n_images=5, seed=1).mask
    assert len(one) == 1 and torch.equal(one[0], train[0])


@pytest.mark.parametrize("problem", MRI_PROBLEMS)
def test_noise_is_of_each_part_of_what_is_measured_and_only_there(problem):
    physics = physics_of(problem, noise_level=0.05)
    y = draw_measurements(physics, torch.zeros(2, *SHAPE), generator())
    mask = physics.mask if problem == "mri" else physics.mask[:, :, None]
    kept = mask.expand_as(y) == 1
    assert float(y[kept].std()) == pytest.approx(0.05, rel=0.05)
    assert (y[~kept] == 0).all()


@pytest.mark.parametrize("n_coils", [1, 4, 8])
def test_maps_are_smooth_seeded_and_have_a_sum_of_squares_of_one(n_coils):
    maps = coil_maps(n_coils, (64, 48), generator(3))
    assert maps.shape == (1, n_coils, 64, 48) and maps.is_complex()
    torch.testing.assert_close(maps.abs().square().sum(1), torch.ones(1, 64, 48))
    assert float(maps.diff(dim=-1).abs().max()) < 0.15
    assert torch.equal(maps, coil_maps(n_coils, (64, 48), generator(3)))
    assert not torch.equal(maps, coil_maps(n_coils, (64, 48), generator(4)))


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("gamma", [0, 0.5, 200.0])
def test_single_coil_proximal_operators_are_those_of_deepinv(mask, gamma):
    physics, y, f = measured("mri", mask=mask, masks="per_image")
    z = draws(2, *SHAPE, seed=4)
    expected = physics.prox_l2(z, y, gamma) if gamma else z
    # deepinv divides by 1 / gamma.
    torch.testing.assert_close(f.prox(z, gamma), expected, rtol=1e-4, atol=1e-4)


def test_the_range_of_a_single_coil_is_what_the_mask_keeps():
    physics, _, f = measured("mri", masks="per_image")
    x = draws(2, *SHAPE, seed=5)
    seen = physics.kspace_to_im(physics.mask * physics.im_to_kspace(x))
    torch.testing.assert_close(f.project_on_range(x), seen, rtol=1e-4, atol=1e-5)
    energies = f.range_and_kernel_energy(x)
    torch.testing.assert_close(sum(energies), x.square().sum((1, 2, 3)))
    kept = physics.mask.expand_as(x).sum((1, 2, 3))
    assert torch.equal(f.n_measurements, kept.int())


@pytest.mark.parametrize("mask", MASKS)
def test_products_of_several_coils_are_those_of_deepinv(mask):
    physics, y, f = measured("multicoil_mri", mask=mask, masks="per_image")
    x = draws(2, *SHAPE, seed=6)
    gram = physics.A_adjoint(physics.A(x))
    torch.testing.assert_close(f.gram(x), gram, rtol=1e-4, atol=1e-5)
    gradient = physics.A_adjoint(physics.A(x) - y)
    torch.testing.assert_close(f.grad(x), gradient, rtol=1e-4, atol=1e-5)
    part = f.without(x)
    torch.testing.assert_close(part.grad(x), 2 * f.gram(x) - f.back_projection)


def residual(f, z, gamma):
    """Of the equation of the prox, over the change that the prox makes."""
    x = f.prox(z, gamma)
    slope = gamma * f.grad(x) + x - z
    return float(slope.norm() / (x - z).norm())


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("masks", ["shared", "per_image"])
@pytest.mark.parametrize("gamma", [0.5, 10.0, 300.0])
def test_proximal_operators_of_several_coils_solve_their_equation(mask, masks, gamma):
    f = measured("multicoil_mri", mask=mask, masks=masks)[-1]
    z = draws(2, *SHAPE, seed=7)
    assert f.has_closed_prox == (mask != "radial")
    assert residual(f, z, gamma) < (1e-3 if f.has_closed_prox else 0.02)


def test_too_many_eigenvectors_are_not_looked_for(monkeypatch):
    z = draws(2, *SHAPE, seed=7)
    closed = measured("multicoil_mri")[-1]
    monkeypatch.setattr(MulticoilDataTerm, "MAX_BYTES", 1000)
    f = measured("multicoil_mri")[-1]
    assert not f.has_closed_prox and residual(f, z, 10.0) < 0.02
    for ours, theirs in (
        (closed.prox(z, 10.0), f.prox(z, 10.0)),
        (closed.initial_guess(), f.initial_guess()),
        (closed.project_on_range(z), f.project_on_range(z)),
    ):
        assert float((ours - theirs).norm() / theirs.norm()) < 0.01
    assert f.row_spectra.vectors is None


def test_copies_of_an_operator_share_its_eigenvectors_while_it_is_the_same():
    physics, y, f = measured("multicoil_mri")
    z = draws(2, *SHAPE, seed=7)
    with torch.inference_mode():
        copied = data_term(copy.deepcopy(physics), y)
        copied.prox(z, 1.0)
    vectors = f.row_spectra.vectors
    assert vectors is not None and vectors is copied.row_spectra.vectors
    f.prox(z, 1.0)
    assert f.row_spectra.vectors is vectors
    physics.update_parameters(coil_maps=coil_maps(8, SHAPE[1:], generator(5)))
    updated = data_term(physics, y)
    # By conjugate gradient, until it is asked for.
    assert 1e-3 < residual(updated, z, 10.0) < 0.02
    updated.prepare()
    assert residual(updated, z, 10.0) < 1e-3
    assert residual(f, z, 10.0) < 0.02
    updated.maps.mul_(1j * updated.maps.abs())
    assert residual(data_term(physics, y), z, 10.0) < 0.02


def test_eigenvectors_are_there_before_the_time_of_a_solver_starts(get_data):
    data = get_data("brain", problem="multicoil_mri", img_size=32, n_images=1)
    (solver,) = BENCHMARK.check_solver_patterns(["PnP-HQS"], class_only=True)
    solver = solver.get_instance(n_iter=1)
    data |= {"device": "cpu"}
    assert solver.skip(**data) == (False, None)
    solver.set_objective(**data)
    assert solver.batches[0].physics.row_spectra.vectors is not None


def test_gradients_go_through_the_closed_form():
    f = measured("multicoil_mri", shape=(2, 12, 12), acceleration=3)[-1]
    f.maps, f.spectrum, f.y = f.maps.to(torch.complex128), f.spectrum.double(), None
    f.back_projection = draws(2, 2, 12, 12).double()
    z = draws(2, 2, 12, 12, seed=3).double().requires_grad_()
    gamma = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda z, gamma: prox(f, z, gamma), (z, gamma))


def test_the_norm_of_several_coils_is_bounded_and_the_bound_is_close():
    physics, _, f = measured("multicoil_mri")
    exact = float(physics.compute_sqnorm(draws(1, *SHAPE), verbose=False))
    assert exact <= f.lipschitz * 1.0001 and f.lipschitz < 1.05 * exact


def test_what_several_coils_determine_is_weighed_by_filter_factors():
    physics = physics_of("multicoil_mri", shape=(2, 12, 12), n_images=1, acceleration=3)
    f = data_term(physics, physics.A(torch.zeros(1, 2, 12, 12)))
    gram = f.gram(torch.eye(288).view(288, 2, 12, 12)).flatten(1).double()
    values, vectors = torch.linalg.eigh(gram)
    reg = KERNEL_THRESHOLD**2 * f.lipschitz
    x = draws(1, 2, 12, 12, seed=8)
    weights = values / (values + reg)
    expected = vectors @ (weights * (vectors.T @ x.flatten().double()))
    ours = f.project_on_range(x).flatten().double()
    assert float((ours - expected).norm() / expected.norm()) < 0.01


# What solvers are told


def test_solvers_are_told_the_maps_or_wrong_ones():
    physics = physics_of("multicoil_mri")
    assert (
        make_problem("multicoil_mri", MRI_PROBLEMS).told(physics, None, None) is physics
    )
    problem = make_problem("multicoil_mri", MRI_PROBLEMS, map_error=0.2)
    told = problem.told(physics, generator(9), None)
    torch.testing.assert_close(
        told.coil_maps.abs().square().sum(1), torch.ones(1, *SHAPE[1:])
    )
    error = (told.coil_maps - physics.coil_maps).abs().square().sum(1).sqrt()
    assert 0.05 < float(error.mean()) < 0.25
    assert torch.equal(told.mask, physics.mask)
    assert float(told.noise_model.sigma) == float(physics.noise_model.sigma)


def test_wrong_maps_change_what_is_told_and_not_what_is_measured(get_data):
    options = {"problem": "multicoil_mri", "img_size": 48, "n_images": 1}
    (right,), (wrong,) = (
        get_data("brain", map_error=error, **options)["test"] for error in (None, 0.3)
    )
    assert not torch.equal(right.physics.coil_maps, wrong.physics.coil_maps)
    # Another name has another seed, and other draws.
    assert right.y.shape == wrong.y.shape
    mismatch = wrong.y - wrong.physics.A(wrong.x)
    assert float(mismatch.std()) > 1.5 * float(
        (right.y - right.physics.A(right.x)).std()
    )


def test_estimated_maps_are_those_of_y_and_the_truth_is_seen_through_them(get_data):
    options = {"problem": "multicoil_mri", "img_size": 64, "n_images": 2}
    (right,), (told,) = (
        get_data("brain", maps=maps, **options)["test"] for maps in (None, "estimated")
    )
    found = told.physics.coil_maps
    assert torch.equal(found, estimated_maps(told.y, 16)) and len(found) == 2
    # The truth has no phase but where it is dark, and the magnitude that it had.
    x, magnitude = as_complex(told.x), as_complex(right.x).abs()
    bright = magnitude > 0.2
    assert float(x.angle()[bright].abs().median()) < 0.1
    assert float((x.abs() - magnitude).abs()[bright].max()) < 0.05
    # It is the image of all of k-space by these maps, and scored by them.
    assert told.measured_by is None and torch.equal(told.y, right.y)
    coils = right.physics.coil_maps * as_complex(right.x)[:, None]
    torch.testing.assert_close(x, (found.conj() * coils).sum(1))
    # A quarter of k-space has noise of 0.01, and the maps add to it.
    mismatch = (told.y - told.physics.A(told.x)).std()
    assert 0.005 < float(mismatch) < 0.008


def test_images_smaller_than_what_tells_the_maps_are_refused():
    problem = make_problem("multicoil_mri", MRI_PROBLEMS, maps="estimated")
    with pytest.raises(NotApplicable, match="16x16 pixels or more, and one has 15x40"):
        problem.told(physics_of("multicoil_mri"), None, torch.zeros(1, 2, 8, 15, 40))


def test_wrong_maps_are_not_estimated_ones():
    with pytest.raises(NotApplicable) as error:
        make_problem("multicoil_mri", MRI_PROBLEMS, maps="estimated", map_error=0.1)
    assert str(error.value) == (
        "map_error means nothing with maps=estimated: leave it out, or set maps=known."
    )


# Maps from the centre of k-space


def test_maps_are_found_again_in_the_centre_of_k_space():
    maps = coil_maps(6, (64, 64), generator(1))
    magnitude = torch.ones(1, 1, 64, 64)
    physics = dinv.physics.MultiCoilMRI(torch.ones(64, 64), maps)
    y = physics.A(torch.cat([0.6 * magnitude, 0.8 * magnitude], dim=1))
    found = estimated_maps(y, size=24)
    torch.testing.assert_close(found.abs().square().sum(1), torch.ones(1, 64, 64))
    agreement = (found.conj() * maps).sum(1).abs()[..., 8:-8, 8:-8]
    assert float(agreement.min()) > 0.99
    # They hold the phase of the image, which is then seen without it.
    x = dinv.physics.MultiCoilMRI(torch.ones(64, 64), found).A_adjoint(y)
    assert float(as_complex(x).angle()[..., 8:-8, 8:-8].abs().max()) < 0.2


@pytest.mark.parametrize(
    "shape, size, sentence",
    [
        ((1, 2, 4, 32, 32), 64, "central square of 2 pixels or more inside"),
        ((1, 2, 32, 32), 8, "(B, 2, coils, H, W)"),
        ((1, 2, 4, 32, 32), 8, "Nothing is measured in the central 8x8"),
    ],
)
def test_maps_that_cannot_be_estimated_are_refused(shape, size, sentence):
    with pytest.raises(NotApplicable) as error:
        estimated_maps(torch.zeros(shape), size)
    assert sentence in str(error.value)


# Bad input


@pytest.mark.parametrize(
    "strengths, sentence",
    [
        ({"acceleration": 0.5}, "acceleration must be a number, 1 or more, not 0.5"),
        ({"acceleration": "four"}, "acceleration must be a number, 1 or more"),
        ({"acceleration": 40}, "keeps 1 of the 40 lines of k-space, and none at its"),
        ({"acceleration": 99}, "keeps 0 of the 40 lines"),
        ({"mask": "spiral"}, "mask must be one of gaussian, uniform, radial, not"),
        ({"masks": "none"}, "masks must be shared, per_image, or a whole"),
        ({"masks": 0}, "masks must be shared, per_image, or a whole number, 1 or"),
        ({"noise": "poisson"}, "noise must be one of gaussian"),
        ({"n_coils": 0}, "n_coils must be a whole number, 1 or more"),
        ({"map_error": -1}, "map_error must be a number, 0 or more"),
        ({"shape": (3, 48, 40)}, "complex images, and these have 3 channels"),
    ],
)
def test_what_has_no_meaning_is_refused_in_a_sentence(strengths, sentence):
    with pytest.raises(NotApplicable) as error:
        physics_of("multicoil_mri", **strengths)
    assert sentence in str(error.value)


def test_maps_of_another_shape_than_the_image_are_refused_in_a_sentence():
    maps = coil_maps(4, (32, 40), generator())
    physics = dinv.physics.MultiCoilMRI(torch.ones(48, 40), maps)
    with pytest.raises(NotApplicable, match="coil maps have the shape"):
        data_term(physics, torch.zeros(1, 2, 4, 48, 40))
