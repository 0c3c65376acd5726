"""Sparse coding: FISTA finds the minimum, with any dictionary and any operator."""

import warnings

import deepinv as dinv
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import Lasso
from torch.nn import functional as F

from benchmark_utils import sparse_coding
from benchmark_utils.data_fit import data_fit
from benchmark_utils.problems import make_physics
from benchmark_utils.sparse_coding import (
    ConvolutionalDictionary,
    ConvolutionalLasso,
    GramLasso,
    MatrixLasso,
    convolutional_code,
    lambda_max,
    sparse_code,
    vector_lasso,
)

N, K, M, B = 12, 15, 9, 5
EXACT = {"n_iter": 20000, "tol": 1e-10}
KINDS = ["identity", "matrix", "masks"]
PHYSICS = ["inpainting", "gaussian_deblurring", "sr4"]
seeds = st.integers(0, 2**32 - 1)


def randn(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def dictionary(n=N, n_atoms=K, seed=1):
    D = randn(n, n_atoms, seed=seed)
    return D / D.norm(dim=0)


def operator(kind, seed=2):
    """An A of each kind."""
    if kind == "matrix":
        return randn(M, N, seed=seed) / M**0.5
    return randn(B, N, seed=seed) > -0.5 if kind == "masks" else None


def measure(A, x):
    if A is None:
        return x
    return A * x if A.dtype == torch.bool else x @ A.T


def as_matrices(A, D):
    """A D for each of the B signals."""
    if A is None:
        return [D] * B
    if A.dtype == torch.bool:
        return [mask[:, None] * D for mask in A]
    return [A @ D] * B


def data(kind, seed=0):
    """(y, D, A): noisy measurements of sparse signals."""
    D, A = dictionary(seed=seed + 1), operator(kind, seed + 2)
    codes = randn(B, K, seed=seed) * (randn(B, K, seed=seed + 3) > 0.8)
    return measure(A, codes @ D.T + 0.05 * randn(B, N, seed=seed + 4)), D, A


def lasso_by_scikit_learn(y, M, lam, nonnegative=False):
    model = Lasso(
        lam / len(y),
        fit_intercept=False,
        positive=nonnegative,
        tol=1e-14,
        max_iter=10**6,
    )
    return torch.from_numpy(model.fit(M.numpy(), y.numpy()).coef_)


def cost(y, M, lam, z):
    return 0.5 * (y - M @ z).square().sum() + lam * z.abs().sum()


# Vector dictionaries


@pytest.mark.parametrize("nonnegative", [False, True], ids=["signed", "nonnegative"])
@pytest.mark.parametrize("kind", KINDS)
def test_codes_are_those_of_scikit_learn(kind, nonnegative):
    y, D, A = data(kind)
    z = sparse_code(y, D, 0.1, A, nonnegative=nonnegative, **EXACT)
    expected = [
        lasso_by_scikit_learn(signal, matrix, 0.1, nonnegative)
        for signal, matrix in zip(y, as_matrices(A, D), strict=True)
    ]
    torch.testing.assert_close(z, torch.stack(expected), rtol=0, atol=1e-5)
    assert 0 < z.count_nonzero() < z.numel()


@pytest.mark.parametrize("kind", KINDS)
def test_codes_solve_the_equations_on_their_support(kind):
    y, D, A = data(kind)
    z = sparse_code(y, D, 0.1, A, **EXACT)
    for signal, matrix, code in zip(y, as_matrices(A, D), z, strict=True):
        on = code != 0
        small = matrix[:, on]
        right = small.T @ signal - 0.1 * code[on].sign()
        torch.testing.assert_close(
            code[on], torch.linalg.solve(small.T @ small, right), rtol=0, atol=1e-5
        )
        correlation = matrix.T @ (signal - matrix @ code)
        assert correlation.abs().max() <= 0.1 * (1 + 1e-5)


@given(st.sampled_from(KINDS), seeds, st.floats(0.05, 0.9), st.booleans())
def test_gap_bounds_the_distance_to_the_minimum(kind, seed, share, nonnegative):
    y, D, A = data(kind, seed % 2**31)
    lasso = vector_lasso(y, D, A)
    lam = share * float(lasso.lambda_max(nonnegative).min())
    options = {"A": A, "nonnegative": nonnegative}
    solution = sparse_code(y, D, lam, **options, **EXACT)
    assert (lasso.gap(solution, lam, nonnegative) <= 1e-8 * lasso.energy).all()
    best = lasso.value(solution, lam)
    for n_iter in (0, 1, 5, 50):
        z = sparse_code(y, D, lam, n_iter=n_iter, tol=0, **options)
        excess = lasso.value(z, lam) - best
        gap = lasso.gap(z, lam, nonnegative)
        assert (gap >= excess - 1e-9).all()


@given(st.sampled_from(KINDS), seeds, st.floats(-6, -1))
def test_tolerance_is_met_for_each_signal(kind, seed, log_tol):
    y, D, A = data(kind, seed % 2**31)
    y[0] *= 0.05
    lam, tol = 0.3 * float(lambda_max(y, D, A).min()), 10**log_tol
    z = sparse_code(y, D, lam, A, n_iter=10**5, tol=tol)
    lasso = vector_lasso(y, D, A)
    assert (lasso.gap(z, lam) <= tol * lasso.energy / 2 * 1.001).all()


def test_value_is_the_cost():
    y, D, A = data("matrix")
    z = randn(B, K, seed=9)
    expected = [cost(signal, A @ D, 0.3, code) for signal, code in zip(y, z)]
    for form in (GramLasso, MatrixLasso):
        torch.testing.assert_close(form(y, A @ D).value(z, 0.3), torch.stack(expected))


def test_gram_form_is_the_direct_form():
    y, D, A = data("matrix")
    z, (gram, direct) = (
        randn(B, K, seed=9),
        (f(y, A @ D) for f in (GramLasso, MatrixLasso)),
    )
    torch.testing.assert_close(gram.correlation(z), direct.correlation(z))
    torch.testing.assert_close(gram.gap(z, 0.2), direct.gap(z, 0.2))
    assert gram.lipschitz == direct.lipschitz
    assert gram.code_shape == direct.code_shape


def test_the_cheapest_form_is_chosen():
    y, wide = randn(100, 20), dictionary(20, 200)
    assert isinstance(vector_lasso(y, wide, None, 100), MatrixLasso)
    y, tall = randn(100, 200), dictionary(200, 20)
    assert isinstance(vector_lasso(y, tall, None, 100), GramLasso)
    assert isinstance(vector_lasso(y[:1], tall, None, 1), MatrixLasso)


@pytest.mark.parametrize("shape", [(8, 30), (30, 8), (10, 10), (1, 5)])
def test_lipschitz_constant_is_the_squared_norm(shape):
    y, D = randn(4, shape[0]), dictionary(*shape)
    exact = float(torch.linalg.matrix_norm(D, 2)) ** 2
    for form in (GramLasso, MatrixLasso):
        assert exact <= form(y, D).lipschitz <= exact * 1.0001


def test_a_mask_per_signal_has_a_true_lipschitz_bound():
    y, D, A = data("masks")
    bound = vector_lasso(y, D, A).lipschitz
    assert all(torch.linalg.matrix_norm(m, 2) ** 2 <= bound for m in as_matrices(A, D))


@pytest.mark.parametrize("kind", KINDS)
def test_starting_elsewhere_ends_at_the_same_codes(kind):
    y, D, A = data(kind)
    cold = sparse_code(y, D, 0.1, A, **EXACT)
    far = 10 * randn(B, K, seed=9)
    warm = sparse_code(y, D, 0.1, A, codes=far, **EXACT)
    torch.testing.assert_close(warm, cold, rtol=0, atol=1e-5)
    assert torch.equal(far, 10 * randn(B, K, seed=9))


def test_starting_at_the_solution_stays_there():
    y, D, A = data("matrix")
    cold = sparse_code(y, D, 0.1, A, **EXACT)
    warm = sparse_code(y, D, 0.1, A, codes=cold, n_iter=3, tol=0)
    torch.testing.assert_close(warm, cold, rtol=0, atol=1e-5)


def test_signals_of_a_batch_are_coded_apart():
    y, D, _ = data("identity")
    together = sparse_code(y, D, 0.01, n_iter=37, tol=0)
    alone = [sparse_code(signal[None], D, 0.01, n_iter=37, tol=0) for signal in y]
    torch.testing.assert_close(together, torch.cat(alone))


def test_momentum_and_its_restart_make_convergence_fast():
    """Ill-conditioned: 1e-10 takes plain steps thousands of iterations."""
    scales = torch.logspace(0, -1.5, N, dtype=torch.float64)
    D = torch.linalg.qr(randn(N, N, seed=5))[0] * scales
    y = randn(B, N, seed=6)
    lasso = vector_lasso(y, D)
    best = lasso.value(sparse_code(y, D, 1e-3, n_iter=10**5, tol=1e-13), 1e-3)
    z = sparse_code(y, D, 1e-3, n_iter=400, tol=0)
    assert (lasso.value(z, 1e-3) - best).max() < 1e-10 * lasso.energy.max()


@given(st.sampled_from(KINDS), seeds, st.booleans())
def test_lambda_max_is_where_codes_vanish(kind, seed, nonnegative):
    y, D, A = data(kind, seed % 2**31)
    limits = lambda_max(y, D, A, nonnegative)
    top = float(limits.max())
    options = {"A": A, "nonnegative": nonnegative}
    with pytest.warns(UserWarning, match="lambda_max"):
        z = sparse_code(y, D, top * 1.0001, **options)
    assert z.count_nonzero() == 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        z = sparse_code(y, D, top * 0.99, **options, **EXACT)
    assert (z != 0).any(1).tolist() == (limits > top * 0.99).tolist()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    "change", ["no signal", "no operator", "all missing", "huge", "tiny"]
)
def test_degenerate_data_never_give_nan(change, dtype):
    y, D, A = data("masks" if change == "all missing" else "matrix")
    if change == "no signal":
        y = torch.zeros_like(y)
    if change == "no operator":
        A = torch.zeros_like(A)
    if change == "all missing":
        A[0] = False
    y = y * {"huge": 1e12, "tiny": 1e-12}.get(change, 1)
    if A.dtype != torch.bool:
        A = A.to(dtype)
    y, D = y.to(dtype), D.to(dtype)
    lam = 0.2 * max(float(lambda_max(y, D, A).max()), 1e-3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        z = sparse_code(y, D, lam, A, n_iter=50)
    lasso = vector_lasso(y, D, A)
    assert z.isfinite().all()
    assert lasso.gap(z, lam).isfinite().all()
    if change in ("no signal", "no operator", "tiny"):
        assert z.count_nonzero() == 0
    if change == "all missing":
        assert z[0].count_nonzero() == 0 < z[1].count_nonzero()


D_WITH_ZERO = torch.cat([dictionary(), torch.zeros(N, 1)], 1)


@pytest.mark.parametrize(
    "y, D, A, message",
    [
        (randn(B, N), dictionary()[:, :0], None, "has no atom"),
        (randn(B, N), D_WITH_ZERO, None, "1 of the 16 atoms are zero"),
        (randn(B, N), dictionary() * torch.nan, None, "dictionary has NaN"),
        (randn(B, N) * torch.inf, dictionary(), None, "measurements have NaN"),
        (randn(0, N), dictionary(), None, "no measurements"),
        (randn(N), dictionary(), None, "Signals are the rows of y"),
        (randn(N, B), dictionary(), None, r"\(12, 5\) .* do not fit no operator"),
        (randn(B, M), dictionary(), randn(N, M), r"operator \(12, 9\)"),
        (randn(B, N), dictionary(), randn(M, N), r"operator \(9, 12\)"),
        (randn(B, N), dictionary(), randn(2, N) > 0, r"operator \(2, 12\)"),
    ],
)
def test_what_cannot_be_coded_is_refused_in_a_sentence(y, D, A, message):
    with pytest.raises(ValueError, match=message):
        sparse_code(y, D, 0.1, A)


@pytest.mark.parametrize("lam", [0, -1.0, float("nan"), float("inf"), "big"])
def test_lam_without_meaning_is_refused(lam):
    with pytest.raises(ValueError, match="lam must be a number above 0"):
        sparse_code(randn(B, N), dictionary(), lam)


def test_codes_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"\(5, 3\), where \(5, 15\) is needed"):
        sparse_code(randn(B, N), dictionary(), 0.1, codes=randn(B, 3))


# Convolutional dictionaries


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


@given(cases, st.sampled_from([1, 2**17]))
def test_synthesis_is_the_direct_convolution(case, chunk):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sparse_coding, "CHUNK", chunk)
        ours = case.dictionary.synthesis(case.z)
    torch.testing.assert_close(ours, direct_synthesis(case.z, case.atoms))


@given(cases, st.sampled_from([1, 2**17]))
def test_analysis_is_the_adjoint_of_synthesis(case, chunk):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sparse_coding, "CHUNK", chunk)
        back = case.dictionary.analysis(case.x)
    z = torch.zeros_like(case.z).requires_grad_()
    product = (direct_synthesis(z, case.atoms) * case.x).sum()
    torch.testing.assert_close(back, torch.autograd.grad(product, z)[0])


@given(cases, st.sampled_from([1, 2**17]))
def test_atom_gradient_is_that_of_autograd(case, chunk):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sparse_coding, "CHUNK", chunk)
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


def degraded(problem, n_channels=1, n_images=2, size=28, noise=0.02):
    """A data fit in double precision, and its physics."""
    generator = torch.Generator().manual_seed(0)
    shape = (n_channels, size, size)
    physics = make_physics(problem, shape, generator, n_images=n_images)
    if problem == "gaussian_deblurring":
        physics = dinv.physics.BlurFFT(img_size=shape, filter=physics.filter.double())
    else:
        physics = physics.to(torch.float64)
    x = randn(n_images, *shape, seed=3).cumsum(-1).cumsum(-2) / size
    y = physics.A(x)
    return data_fit(physics, y + noise * randn(*y.shape, seed=4) * (y != 0)), physics


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
    "problem, tightness",
    [("inpainting", 0.5), ("gaussian_deblurring", 0.8), ("sr4", 0.02)],
)
def test_lipschitz_of_degraded_images_is_a_bound(
    problem, tightness, n_channels, per_image
):
    fit, _ = degraded(problem, n_channels)
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
        alone = data_fit(fit.physics, fit.y[i, None])
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
    single = data_fit(physics.to(torch.float32), fit.y.float())
    ours = convolutional_code(single, atoms.float(), 0.1, n_iter=50)
    fit = data_fit(physics.to(torch.float64), fit.y)
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
    fit = data_fit(physics, torch.rand(1, 1, 8, 8))
    with pytest.raises(ValueError, match="Physics has no adjoint"):
        convolutional_code(fit, torch.rand(2, 1, 3, 3), 0.1)
