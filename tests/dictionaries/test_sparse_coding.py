"""Sparse coding: FISTA finds the minimum, with any dictionary and any operator."""

import warnings

import pytest
import torch
from conftest import lasso_by_scikit_learn
from hypothesis import given
from hypothesis import strategies as st

from benchmark_utils.dictionaries.lasso import GramLasso, MatrixLasso, vector_lasso
from benchmark_utils.dictionaries.sparse_coding import lambda_max, sparse_code

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
