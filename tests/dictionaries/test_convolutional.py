"""Convolutional dictionaries: coding and learning, through any operator."""

import deepinv as dinv
import pytest
import torch
from conftest import lasso_by_scikit_learn
from hypothesis import given
from hypothesis import strategies as st
from operators import make_physics
from torch.nn import functional as F

from benchmark_utils.dictionaries import convolutional
from benchmark_utils.dictionaries.convolutional import ConvolutionalDictionary
from benchmark_utils.dictionaries.convolutional_atoms import (
    low_frequencies,
    patch_atoms,
    random_atoms,
)
from benchmark_utils.dictionaries.convolutional_coding import (
    ConvolutionalLasso,
    coded_images,
    convolutional_code,
)
from benchmark_utils.dictionaries.convolutional_learning import learn_convolutional
from benchmark_utils.dictionaries.vectors import normalise
from benchmark_utils.physics.data_term import data_term

PHYSICS = ["inpainting", "gaussian_deblurring", "sr4"]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def randn(*shape, seed=0):
    return torch.randn(shape, generator=generator(seed), dtype=torch.float64)


def last(iterates):
    *_, state = iterates
    return state


# Sparse coding


def draw_atoms(*shape, seed=1):
    atoms = randn(*shape, seed=seed)
    return atoms / atoms.flatten(-3).norm(dim=-1)[..., None, None, None]


def direct_synthesis(z, atoms):
    """sum_k d_k * z_k, for atoms (K, C, h, w) or (B, K, C, h, w)."""
    if atoms.ndim == 4:
        return F.conv_transpose2d(z, atoms)
    return torch.cat([F.conv_transpose2d(z[i, None], d) for i, d in enumerate(atoms)])


class Case:
    """A dictionary, for any sizes, with codes and an image like its own."""

    def __init__(self, n_images, per_image, n_atoms, n_channels, sides, shifts, seed):
        lead = (n_images,) if per_image else ()
        self.atoms = draw_atoms(*lead, n_atoms, n_channels, *sides, seed=seed)
        self.size = tuple(side + shift for side, shift in zip(sides, shifts))
        codes = [shift + 1 for shift in shifts]
        self.z = randn(n_images, n_atoms, *codes, seed=seed + 1)
        self.x = randn(n_images, n_channels, *self.size, seed=seed + 2)
        self.dictionary = ConvolutionalDictionary(self.atoms, self.size)


cases = st.builds(
    Case,
    n_images=st.integers(1, 3),
    per_image=st.booleans(),
    n_atoms=st.integers(1, 6),
    n_channels=st.sampled_from([1, 3]),
    sides=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    shifts=st.tuples(st.integers(0, 14), st.integers(0, 14)),
    seed=st.integers(0, 2**31),
)


@given(cases, st.sampled_from([1, 2**18]))
def test_synthesis_is_the_direct_convolution(case, chunk):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(convolutional, "CHUNK", chunk)
        ours = case.dictionary.synthesis(case.z)
    torch.testing.assert_close(ours, direct_synthesis(case.z, case.atoms))


@given(cases, st.sampled_from([1, 2**18]))
def test_analysis_is_the_adjoint_of_synthesis(case, chunk):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(convolutional, "CHUNK", chunk)
        back = case.dictionary.analysis(case.x)
    z = torch.zeros_like(case.z).requires_grad_()
    product = (direct_synthesis(z, case.atoms) * case.x).sum()
    torch.testing.assert_close(back, torch.autograd.grad(product, z)[0])


@given(cases, st.sampled_from([1, 2**18]))
def test_atom_gradient_is_that_of_autograd(case, chunk):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(convolutional, "CHUNK", chunk)
        ours = case.dictionary.atom_gradient(case.z, case.x)
    per_image = case.atoms.expand(len(case.x), *case.atoms.shape[-4:]).clone()
    per_image.requires_grad_()
    product = (direct_synthesis(case.z, per_image) * case.x).sum()
    torch.testing.assert_close(ours, torch.autograd.grad(product, per_image)[0])


@given(cases)
def test_lipschitz_is_the_largest_singular_value_over_the_frequencies(case):
    d = case.dictionary
    atoms = case.atoms if case.atoms.ndim == 5 else case.atoms[None]
    transfer = torch.fft.fft2(atoms, s=d.grid).movedim((1, 2), (-1, -2))
    norms = torch.linalg.matrix_norm(transfer, 2).flatten(1).amax(1)
    torch.testing.assert_close(d.lipschitz(), norms.square())


@pytest.mark.parametrize("n_channels", [1, 3])
def test_lipschitz_is_a_bound_and_nearly_reached(n_channels):
    atoms = draw_atoms(6, n_channels, 4, 3)
    d = ConvolutionalDictionary(atoms, (60, 64))
    z = randn(1, 6, 57, 62, seed=7)
    for _ in range(200):
        z = d.analysis(d.synthesis(z / z.norm()))
    bound = float(d.lipschitz())
    assert 0.95 * bound < z.norm() <= bound * (1 + 1e-9)


def degraded(problem, n_channels=1, n_images=2, size=28, noise=0.02, **strengths):
    """A data fit in double precision, and its physics."""
    generator = torch.Generator().manual_seed(0)
    shape = (n_channels, size, size)
    physics = make_physics(problem, shape, generator, n_images, **strengths)
    if problem == "gaussian_deblurring":
        physics = dinv.physics.BlurFFT(img_size=shape, filter=physics.filter.double())
    else:
        physics = physics.to(torch.float64)
    x = randn(n_images, *shape, seed=3).cumsum(-1).cumsum(-2) / size
    y = physics.A(x)
    return data_term(physics, y + noise * randn(*y.shape, seed=4) * (y != 0)), physics


@pytest.mark.parametrize("n_channels", [1, 3])
@pytest.mark.parametrize("problem", PHYSICS)
def test_correlation_is_minus_the_gradient_through_any_physics(problem, n_channels):
    fit, physics = degraded(problem, n_channels)
    atoms = draw_atoms(5, n_channels, 4, 3)
    lasso = ConvolutionalLasso(fit, atoms)
    z = randn(*lasso.code_shape, seed=8).requires_grad_()
    residual = physics.A(direct_synthesis(z, atoms)) - fit.y
    value = 0.5 * residual.square().flatten(1).sum(1)
    (gradient,) = torch.autograd.grad(value.sum(), z)
    z = z.detach()
    torch.testing.assert_close(lasso.correlation(z), -gradient, rtol=1e-5, atol=1e-6)
    l1 = z.abs().flatten(1).sum(1)
    torch.testing.assert_close(lasso.value(z, 0.1), value.detach() + 0.1 * l1)


@pytest.mark.parametrize("per_image", [False, True])
@pytest.mark.parametrize("n_channels", [1, 3])
@pytest.mark.parametrize(
    "problem, strengths, tightness",
    [
        ("inpainting", {}, 0.5),
        ("gaussian_deblurring", {}, 0.8),
        ("sr4", {}, 0.8),
        ("sr4", {"factor": 1}, 0.8),
    ],
)
def test_lipschitz_of_degraded_images_is_a_bound(
    problem, strengths, tightness, n_channels, per_image
):
    fit, _ = degraded(problem, n_channels, **strengths)
    lead = (2,) if per_image else ()
    lasso = ConvolutionalLasso(fit, draw_atoms(*lead, 5, n_channels, 4, 3))
    zero = lasso.correlation(lasso.zeros())
    z = randn(*lasso.code_shape, seed=8)
    for _ in range(40):
        z = zero - lasso.correlation(z / z.flatten(1).norm(dim=1).view(-1, 1, 1, 1))
    norms = z.flatten(1).norm(dim=1)
    bounds = torch.as_tensor(lasso.lipschitz).flatten()
    assert (norms <= bounds * (1 + 1e-6)).all()
    assert (norms >= tightness * bounds).all()


@pytest.mark.parametrize("nonnegative", [False, True], ids=["signed", "nonnegative"])
@pytest.mark.parametrize("problem", ["inpainting", "gaussian_deblurring"])
def test_convolutional_codes_are_those_of_scikit_learn(problem, nonnegative):
    fit, physics = degraded(problem, n_images=1)
    atoms = draw_atoms(2, 1, 20, 20)
    shape = ConvolutionalLasso(fit, atoms).code_shape
    units = torch.eye(162, dtype=torch.float64).view(162, *shape[1:])
    matrix = torch.cat([physics.A(direct_synthesis(u[None], atoms)) for u in units])
    z = convolutional_code(
        fit, atoms, 0.2, n_iter=5000, tol=1e-11, nonnegative=nonnegative
    )
    expected = lasso_by_scikit_learn(
        fit.y.flatten(), matrix.flatten(1).T, 0.2, nonnegative
    )
    torch.testing.assert_close(z, expected.view(shape), rtol=0, atol=1e-4)
    assert (z > 0).any() and bool((z < 0).any()) != nonnegative


def test_convolutional_gap_bounds_the_distance_to_the_minimum():
    fit, _ = degraded("inpainting")
    atoms = draw_atoms(5, 1, 4, 4)
    lasso = ConvolutionalLasso(fit, atoms)
    z = convolutional_code(fit, atoms, 0.1, n_iter=1000, tol=1e-6)
    best = lasso.value(z, 0.1)
    for n_iter in (1, 10, 100):
        z = convolutional_code(fit, atoms, 0.1, n_iter=n_iter)
        excess = lasso.value(z, 0.1) - best
        assert (excess > 0).all()
        assert (lasso.gap(z, 0.1) >= excess).all()


def test_a_convolutional_warm_start_ends_at_the_same_image():
    fit, _ = degraded("inpainting")
    atoms = draw_atoms(5, 1, 4, 4)
    lasso = ConvolutionalLasso(fit, atoms)
    options = {"n_iter": 1000, "tol": 1e-6}
    cold = convolutional_code(fit, atoms, 0.1, **options)
    warm = convolutional_code(
        fit, atoms, 0.1, codes=randn(*lasso.code_shape, seed=9), **options
    )
    synthesis = lasso.dictionary.synthesis
    torch.testing.assert_close(synthesis(warm), synthesis(cold), rtol=0, atol=1e-2)


@pytest.mark.parametrize("nonnegative", [False, True], ids=["signed", "nonnegative"])
def test_images_with_dictionaries_of_their_own_are_coded_apart(nonnegative):
    fit, _ = degraded("gaussian_deblurring", n_channels=3)
    atoms = draw_atoms(2, 5, 3, 4, 4)
    options = {"n_iter": 30, "nonnegative": nonnegative}
    together = convolutional_code(fit, atoms, 0.01, **options)
    assert together.count_nonzero() > 0
    for i in range(2):
        alone = data_term(fit.physics, fit.y[i, None])
        z = convolutional_code(alone, atoms[i], 0.01, **options)
        torch.testing.assert_close(together[i, None], z)


def test_convolutional_codes_vanish_at_lambda_max():
    fit, _ = degraded("inpainting")
    atoms = draw_atoms(5, 1, 4, 4)
    top = float(ConvolutionalLasso(fit, atoms).lambda_max().max())
    with pytest.warns(UserWarning, match="lambda_max"):
        z = convolutional_code(fit, atoms, top * 1.0001, n_iter=20)
    assert z.count_nonzero() == 0


def test_single_precision_is_enough_for_an_image():
    fit, physics = degraded("inpainting")
    atoms = draw_atoms(5, 1, 4, 4)
    single = data_term(physics.to(torch.float32), fit.y.float())
    ours = convolutional_code(single, atoms.float(), 0.1, n_iter=50)
    fit = data_term(physics.to(torch.float64), fit.y)
    exact = convolutional_code(fit, atoms, 0.1, n_iter=50)
    torch.testing.assert_close(ours.double(), exact, rtol=0, atol=1e-3)


@pytest.mark.parametrize(
    "atoms, message",
    [
        (draw_atoms(0, 1, 4, 4), "has no atom"),
        (torch.zeros(3, 1, 4, 4), "3 of the 3 atoms are zero"),
        (draw_atoms(3, 1, 40, 4), "Atoms of 40x4 pixels do not fit"),
        (draw_atoms(3, 3, 4, 4), "have the same C"),
        (draw_atoms(5, 3, 1, 4, 4), "5 dictionaries for 2 images"),
        (draw_atoms(3, 1, 4, 4)[0], r"Atoms have shape \(K, C, h, w\)"),
    ],
)
def test_atoms_that_do_not_fit_are_refused_in_a_sentence(atoms, message):
    fit, _ = degraded("inpainting")
    with pytest.raises(ValueError, match=message):
        convolutional_code(fit, atoms, 0.1)


def test_an_operator_without_adjoint_is_refused():
    physics = dinv.physics.Physics(A=lambda x, **kwargs: x**2)
    fit = data_term(physics, torch.rand(1, 1, 8, 8))
    with pytest.raises(ValueError, match="Physics has no adjoint"):
        convolutional_code(fit, torch.rand(2, 1, 3, 3), 0.1)


def test_coded_images_end_with_the_image_of_the_codes():
    fit, _ = degraded("inpainting")
    atoms = draw_atoms(5, 1, 4, 4)
    images = [x() for x in coded_images(fit, atoms, 0.1, n_iter=25, every=10)]
    z = convolutional_code(fit, atoms, 0.1, n_iter=25)
    assert len(images) == 3
    torch.testing.assert_close(images[-1], direct_synthesis(z, atoms))


def test_low_frequencies_keep_the_mean_and_remove_the_details():
    x = torch.rand(2, 3, 40, 48, generator=generator())
    low = low_frequencies(x, 6)
    torch.testing.assert_close(low.mean((2, 3)), x.mean((2, 3)), rtol=0, atol=1e-2)
    assert low.std((2, 3)).max() < 0.1 * x.std((2, 3)).min()
    torch.testing.assert_close(
        low_frequencies(torch.ones(1, 1, 8, 8), 6), torch.ones(1, 1, 8, 8)
    )


# Atoms and their learning


def texture(size=32, n_channels=1, n_images=1):
    """Sparse sums of two atoms of 5x5 pixels."""
    atoms = random_atoms((2, n_channels, 5, 5), generator(1))
    codes = torch.randn(n_images, 2, size - 4, size - 4, generator=generator(2))
    codes *= torch.rand(codes.shape, generator=generator(3)) < 0.03
    return torch.nn.functional.conv_transpose2d(codes, atoms), atoms


@pytest.mark.parametrize("n_channels", [1, 3])
def test_patch_atoms_are_centred_patches_of_the_image(n_channels):
    image = torch.rand(2, n_channels, 12, 15, generator=generator())
    atoms = patch_atoms(image, 10, (4, 3), generator())
    assert atoms.shape == (10, n_channels, 4, 3)
    torch.testing.assert_close(atoms.flatten(1).norm(dim=1), torch.ones(10))
    assert atoms.mean((-2, -1)).abs().max() < 1e-6
    patches = image.unfold(2, 4, 1).unfold(3, 3, 1).movedim(1, 3).flatten(0, 2)
    patches = normalise(patches - patches.mean((-2, -1), keepdim=True), (1, 2, 3))
    cosines = atoms.flatten(1) @ patches.flatten(1).T
    torch.testing.assert_close(cosines.amax(1), torch.ones(10))
    assert len(set(cosines.argmax(1).tolist())) == 10


@pytest.mark.parametrize(
    "n_atoms, size, message",
    [(5, (9, 3), "9x3 pixels do not fit"), (0, (3, 3), "0 atoms cannot be cut out")],
)
def test_patches_that_cannot_be_cut_are_refused(n_atoms, size, message):
    with pytest.raises(ValueError, match=message):
        patch_atoms(torch.rand(1, 1, 8, 8), n_atoms, size, generator())
    with pytest.raises(ValueError, match="0 patches that are not flat"):
        patch_atoms(torch.ones(1, 1, 8, 8), 5, (3, 3), generator())


def test_patches_are_cut_where_the_image_is_not_flat():
    image = torch.zeros(1, 1, 30, 30)
    image[..., 20:, 20:] = torch.rand(10, 10, generator=generator())
    atoms = patch_atoms(image, 40, (3, 3), generator())
    torch.testing.assert_close(atoms.flatten(1).norm(dim=1), torch.ones(40))


def inpainting_fit(image, missing=0.3):
    physics = make_physics(
        "inpainting",
        tuple(image.shape[1:]),
        generator(4),
        n_images=len(image),
        missing=missing,
        noise_level=0.0,
    )
    return data_term(physics, physics(image))


def test_the_atoms_of_an_image_are_learned_from_half_of_its_pixels():
    image, truth = texture(size=48)
    fit = inpainting_fit(image, missing=0.5)
    start = random_atoms((2, 1, 5, 5), generator(6))
    options = {"n_steps": 100, "n_inner": 5, "lr": 0.05}
    atoms, _ = last(learn_convolutional([fit], start, 0.05, **options))

    def score(atoms):
        """The mean of the best correlations, whatever the shift."""
        shifted = torch.nn.functional.conv2d(truth, atoms, padding=4)
        return float(shifted.abs().amax((1, 2, 3)).mean())

    assert score(start) < 0.5 < 0.99 < score(atoms)


@pytest.mark.parametrize("nonnegative", [False, True], ids=["signed", "nonnegative"])
@pytest.mark.parametrize("problem", ["inpainting", "gaussian_deblurring", "sr4"])
def test_any_physics_lets_atoms_be_learned(problem, nonnegative):
    image, _ = texture(n_channels=3)
    physics = make_physics(problem, (3, 32, 32), generator(4))
    fit = data_term(physics, physics(image))
    start = patch_atoms(fit.initial_guess(), 6, (5, 5), generator(5))
    lam = 0.002
    states = list(
        learn_convolutional([fit], start, lam, n_steps=8, nonnegative=nonnegative)
    )

    def cost(atoms, codes):
        synthesis = torch.nn.functional.conv_transpose2d(codes, atoms)
        return float(fit.value(synthesis)) + lam * float(codes.abs().sum())

    assert len(states) == 8
    assert cost(*states[-1]) < cost(*states[0])
    assert (states[-1][1] >= 0).all() or not nonnegative
    torch.testing.assert_close(states[-1][0].flatten(1).norm(dim=1), torch.ones(6))


def test_images_that_learn_their_own_atoms_do_not_depend_on_each_other():
    images, _ = texture(n_images=2)
    start = random_atoms((2, 4, 1, 5, 5), generator(5))
    blurred = make_physics("gaussian_deblurring", (1, 32, 32), generator(4))
    y = blurred(images)
    options = {"lam": 0.01, "n_steps": 5}
    together = last(learn_convolutional([data_term(blurred, y)], start, **options))[0]
    for i in range(2):
        fit = data_term(blurred, y[i, None])
        alone = last(learn_convolutional([fit], start[i], **options))[0]
        torch.testing.assert_close(together[i], alone, rtol=0, atol=1e-3)


def test_atoms_shared_by_images_are_learned_from_each_in_turn():
    images, _ = texture(n_images=2)
    fits = [inpainting_fit(images[:1]), inpainting_fit(images[1:, :, :20])]
    start = random_atoms((4, 1, 5, 5), generator(5))
    shapes = [
        tuple(codes.shape)
        for _, codes in learn_convolutional(fits, start, 0.05, n_steps=4)
    ]
    assert shapes == [(1, 4, 28, 28), (1, 4, 16, 28)] * 2


def test_atoms_are_learned_from_an_image_at_least():
    with pytest.raises(ValueError, match="no image"):
        next(learn_convolutional([], random_atoms((4, 1, 5, 5), generator()), 0.1))


def test_convolutional_learning_says_that_lam_is_too_large():
    fit = inpainting_fit(texture()[0])
    start = random_atoms((4, 1, 5, 5), generator(5))
    with pytest.warns(UserWarning, match="lambda_max"):
        atoms, codes = last(learn_convolutional([fit], start, 1e3, n_steps=2))
    assert codes.count_nonzero() == 0 and atoms.isfinite().all()
