"""Dictionaries: their scores, what learns them, and the data they are learned from."""

import copy
import warnings
from itertools import pairwise

import deepinv as dinv
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from operators import make_physics

from benchmark_utils.dictionaries.lasso import vector_lasso
from benchmark_utils.dictionaries.learning import (
    learn_adam,
    learn_line_search,
    learn_unrolled,
    unrolled_cost,
)
from benchmark_utils.dictionaries.sparse_coding import sparse_code
from benchmark_utils.dictionaries.vectors import (
    MatrixPhysics,
    kernel_norm,
    learning_cost,
    normalise,
    operator_of,
    oracle_score,
    random_dictionary,
    recovery_score,
)
from benchmark_utils.physics.data_term import data_term

KINDS = ["identity", "matrix", "masks"]
seeds = st.integers(0, 2**32 - 1)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def randn(*shape, seed=0):
    return torch.randn(shape, generator=generator(seed), dtype=torch.float64)


def small_data(kind, n=8, n_atoms=10, n_signals=20):
    """(data, D): two operators of a kind, in double precision."""
    D = normalise(randn(n, n_atoms, seed=1))
    data = []
    for seed in (2, 3):
        codes = randn(n_signals, n_atoms, seed=seed)
        x = codes * (randn(n_signals, n_atoms, seed=seed + 10) > 1) @ D.T
        A = {
            "identity": None,
            "matrix": normalise(randn(n - 2, n, seed=seed + 20)),
            "masks": randn(n_signals, n, seed=seed + 20) > -0.5,
        }[kind]
        data.append((A, A * x if kind == "masks" else x if A is None else x @ A.T))
    return data, normalise(randn(n, n_atoms, seed=4))


def sensing(n=20, m=14, n_operators=2, n_signals=2000):
    """(data, D_true, D_0): the problem of Malezieux et al. (2024), small."""
    draws = generator(1)
    D, D_0 = (random_dictionary(n, n, draws) for _ in range(2))
    data = []
    for _ in range(n_operators):
        A = normalise(torch.randn(m, n, generator=draws))
        codes = torch.randn(n_signals // n_operators, n, generator=draws)
        codes *= torch.rand(codes.shape, generator=draws) < 0.1
        data.append((A, codes @ D.T @ A.T))
    return data, D, D_0


def last(iterates):
    *_, iterate = iterates
    return iterate


# Scores


@given(seeds, st.integers(1, 12), st.integers(1, 12))
def test_order_signs_and_norms_of_atoms_do_not_matter(seed, n, n_atoms):
    D = random_dictionary(n, n_atoms, generator(seed))
    order = torch.randperm(n_atoms, generator=generator(seed))
    factors = torch.randn(n_atoms, generator=generator(seed + 1))
    assert recovery_score(D, D[:, order] * factors) == pytest.approx(1, abs=1e-5)


@given(seeds)
def test_random_dictionaries_score_below_one_half(seed):
    pair = [random_dictionary(100, 100, generator(seed + i)) for i in range(2)]
    assert 0.2 < recovery_score(*pair) < 0.3


def test_score_is_the_mean_cosine_of_the_best_assignment():
    D_true = torch.eye(3)
    D = normalise(torch.tensor([[4.0, 3.0, 0.0], [3.0, 4.0, 0.0], [0.0, 0.0, -1.0]]))
    assert recovery_score(D_true, D) == pytest.approx((0.8 + 0.8 + 1) / 3)
    # A lost atom counts as zero, and one atom is not assigned twice.
    assert recovery_score(D_true, D[:, :2]) == pytest.approx((0.8 + 0.8) / 3)
    twice = torch.stack([D_true[:, 0]] * 3, 1)
    assert recovery_score(D_true, twice) == pytest.approx(1 / 3)


def test_dictionaries_of_other_lengths_are_not_compared():
    with pytest.raises(ValueError, match="different lengths"):
        recovery_score(torch.eye(3), torch.eye(4))


def test_kernel_norm_is_what_no_operator_sees():
    e = torch.eye(4)
    assert kernel_norm(e, [None]) == 0
    assert kernel_norm(e, [torch.randn(4, 4, generator=generator())]) < 1e-12
    assert kernel_norm(e[:, :2], [e[2:]]) == pytest.approx(1)
    assert kernel_norm(e[:, :2], [e[2:], e[:1]]) == pytest.approx(0.5)
    diagonal = torch.tensor([[1.0], [0.0], [0.0], [1.0]])
    assert kernel_norm(5 * diagonal, [e[:3]]) == pytest.approx(0.5**0.5)


def test_kernel_norm_of_masks_counts_what_is_never_seen():
    masks = torch.tensor([[True, False, False], [False, True, False]])
    assert kernel_norm(torch.eye(3), [masks]) == pytest.approx(1 / 3)


def test_oracle_score_follows_the_rank_of_all_operators():
    A = torch.randn(8, 5, 20, generator=generator())
    assert oracle_score([A[0]]) == pytest.approx((5 / 20) ** 0.5)
    assert oracle_score([A[0], A[1]]) == pytest.approx((10 / 20) ** 0.5)
    assert oracle_score([A[0], A[0]]) == pytest.approx((5 / 20) ** 0.5)
    assert oracle_score(list(A)) == 1
    assert oracle_score([A[0], None]) == 1


def test_oracle_is_the_score_of_the_measured_part_of_random_atoms():
    D = random_dictionary(200, 200, generator())
    A = torch.randn(100, 200, generator=generator(1))
    seen = torch.linalg.pinv(A) @ A @ D
    assert recovery_score(D, seen) == pytest.approx(oracle_score([A]), abs=0.01)


def test_learning_cost_is_the_mean_over_the_signals():
    data, D = small_data("matrix")
    costs = []
    for A, y in data:
        z = sparse_code(y, D, 0.1, A, n_iter=5000, tol=1e-8)
        residual = (y - z @ D.T @ A.T).square().sum(1)
        costs.append(0.5 * residual + 0.1 * z.abs().sum(1))
    ours = learning_cost(data, D, 0.1, n_iter=5000, tol=1e-8)
    assert ours == pytest.approx(float(torch.cat(costs).mean()), rel=1e-5)


# Learning from measurements


@pytest.mark.parametrize("kind", KINDS)
def test_unrolled_gradient_is_that_of_finite_differences(kind):
    data, D = small_data(kind)
    A, y = data[0]
    lipschitz = 1.5 * vector_lasso(y, D, A).lipschitz

    def value(D):
        return unrolled_cost(y, D, 0.1, A, n_inner=7, lipschitz=lipschitz).sum()

    D = D.requires_grad_()
    (gradient,) = torch.autograd.grad(value(D), D)
    direction, D = randn(*D.shape, seed=5), D.detach()
    slope = (value(D + 1e-6 * direction) - value(D - 1e-6 * direction)) / 2e-6
    assert float((gradient * direction).sum()) == pytest.approx(float(slope), rel=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_envelope_and_unrolled_gradients_agree_once_codes_are_exact(kind):
    data, D = small_data(kind)
    options = {"n_steps": 2, "batch_size": 16, "n_inner": 500}
    envelope = list(learn_adam(data, D, 0.1, generator(), **options))
    unrolled = list(learn_unrolled(data, D, 0.1, generator(), **options))
    for ours, theirs in zip(envelope, unrolled, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-3)
    assert not torch.allclose(envelope[0], D, atol=1e-3)


LEARNERS = {
    "adam": lambda data, D: learn_adam(data, D, 0.1, generator(), n_steps=4),
    "unrolled": lambda data, D: learn_unrolled(data, D, 0.1, generator(), n_steps=4),
    "line_search": lambda data, D: learn_line_search(data, D, 0.1, n_steps=4),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", LEARNERS)
def test_each_step_yields_a_dictionary_and_the_last_ones_are_better(name, kind):
    data, D = small_data(kind)
    before = D.clone()
    dictionaries = list(LEARNERS[name](data, D))
    assert len(dictionaries) == 4 and torch.equal(D, before)
    for step in dictionaries:
        torch.testing.assert_close(step.norm(dim=0), torch.ones(10).double())
    assert learning_cost(data, dictionaries[-1], 0.1) < learning_cost(data, D, 0.1)
    again = list(LEARNERS[name](data, D))
    assert all(torch.equal(a, b) for a, b in zip(dictionaries, again, strict=True))


def test_adam_recovers_the_dictionary_with_two_operators_in_a_second():
    data, D, D_0 = sensing()
    options = {"n_steps": 150, "batch_size": 300, "lr": 0.05}
    learned = last(learn_adam(data, D_0, 0.1, generator(), **options))
    assert recovery_score(D, D_0) < 0.5
    assert recovery_score(D, learned) > 0.9


def test_adam_recovers_the_dictionary_from_signals_with_masks_of_their_own():
    [(A, y)], D, D_0 = sensing(m=20, n_operators=1)
    x = y @ torch.linalg.inv(A).T
    masks = torch.rand(x.shape, generator=generator(7)) > 0.3
    options = {"n_steps": 150, "batch_size": 300, "lr": 0.05}
    learned = last(learn_adam([(masks, masks * x)], D_0, 0.1, generator(), **options))
    assert recovery_score(D, learned) > 0.9


def test_one_operator_leaves_its_kernel_unknown():
    data, D, D_0 = sensing(n_operators=1)
    operators = [A for A, _ in data]
    options = {"n_steps": 150, "batch_size": 300, "lr": 0.05}
    learned = last(learn_adam(data, D_0, 0.1, generator(), **options))
    assert kernel_norm(D_0, operators) > 0.5 > 0.01 > kernel_norm(learned, operators)
    assert recovery_score(D, learned) < oracle_score(operators) + 0.01


def test_line_search_decreases_the_cost_at_each_step():
    data, _, D_0 = sensing(n_signals=200)
    dictionaries = [D_0, *learn_line_search(data, D_0, 0.1, n_steps=10)]
    costs = [learning_cost(data, d, 0.1, 100, tol=0) for d in dictionaries]
    assert len(costs) == 11
    assert all(after < before for before, after in pairwise(costs))


def test_line_search_ends_where_the_cost_does_not_change():
    data, D = small_data("identity")
    assert len(list(learn_line_search(data, D, 0.1, n_steps=1000, tol=1e-2))) < 100


def test_learners_work_without_autograd():
    data, _, D_0 = sensing(n_signals=100)
    with torch.inference_mode():
        for learn in (LEARNERS["adam"], LEARNERS["line_search"]):
            assert last(learn(data, D_0)).isfinite().all()


@pytest.mark.parametrize("name", LEARNERS)
def test_too_few_signals_and_too_large_a_lam_are_said(name):
    data, D = small_data("matrix", n_signals=4)
    with pytest.warns(UserWarning, match="8 signals are too few for 10 atoms"):
        next(LEARNERS[name](data, D))
    silent = [(A, 1e-3 * y) for A, y in data]
    with pytest.warns(UserWarning, match="lambda_max"), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*too few")
        dictionaries = list(LEARNERS[name](silent, D))
    assert dictionaries and all(d.isfinite().all() for d in dictionaries)


@pytest.mark.parametrize("name", LEARNERS)
@pytest.mark.parametrize(
    "data, message",
    [
        ([], "no signal"),
        ([(None, randn(9, 8)), (None, randn(0, 8))], "no measurements"),
        ([(randn(5, 7), randn(9, 5))], r"operator \(5, 7\)"),
        ([(None, randn(9, 8) * torch.nan)], "NaN"),
    ],
)
def test_what_cannot_be_learned_from_is_refused_in_a_sentence(name, data, message):
    with pytest.raises(ValueError, match=message):
        next(LEARNERS[name](data, normalise(randn(8, 10))))


# Operators and data


def test_matrix_physics_is_the_matrix_its_transpose_and_its_pseudo_inverse():
    A = randn(4, 7)
    physics, x, y = MatrixPhysics(A), randn(3, 7, seed=1), randn(3, 4, seed=2)
    torch.testing.assert_close(physics.A(x), x @ A.T)
    torch.testing.assert_close(physics.A_adjoint(y), y @ A)
    torch.testing.assert_close(
        physics.A_dagger(physics.A(x)), x @ torch.linalg.pinv(A) @ A
    )
    torch.testing.assert_close(
        copy.deepcopy(physics).float().A(x.float()), (x @ A.T).float()
    )
    assert operator_of(physics, y) is physics.matrix


def test_an_operator_on_images_is_not_one_on_vectors():
    blur = make_physics("gaussian_deblurring", (1, 32, 32), generator())
    with pytest.raises(ValueError, match="BlurFFT is neither a matrix"):
        operator_of(blur, torch.rand(1, 1, 32, 32))


SMALL = {
    "n_signals": 31,
    "n_train": 9,
    "dim": 12,
    "n_atoms": 15,
    "n_operators": 4,
    "m": 6,
}


@pytest.mark.parametrize(
    "name, sizes, n_measured",
    [("sensing", [7, 8, 8, 8], 6), ("identity", [31], 12), ("masks", [31], 12)],
)
def test_each_operator_has_its_share_of_the_signals(name, sizes, n_measured, get_data):
    data = get_data("synthetic_dictionary", operator=name, **SMALL)
    assert data["dictionary"].shape == (12, 15)
    torch.testing.assert_close(data["dictionary"].norm(dim=0), torch.ones(15))
    assert data["problem"] == name
    assert [len(batch.x) for batch in data["train"]] == [9]
    assert [len(batch.x) for batch in data["test"]] == sizes
    for batch in data["test"]:
        assert batch.y.shape == (len(batch.x), n_measured)
        assert len(batch.names) == len(batch.x)
        torch.testing.assert_close(batch.y, batch.physics.A(batch.x))
        A = operator_of(batch.physics, batch.y)
        sparse_code(batch.y, data["dictionary"], 0.1, A, n_iter=2)
        if name == "sensing":
            torch.testing.assert_close(A.norm(dim=0), torch.ones(12))
        if name == "masks":
            assert torch.equal(A.float() * batch.x, batch.y)
            assert len(A.unique(dim=0)) > 1


def test_the_share_of_codes_of_missing_values_and_the_noise_are_those_asked(get_data):
    many = {"n_signals": 4000, "dim": 50, "n_atoms": 50}
    data = get_data(
        "synthetic_dictionary", operator="masks", missing=0.3, density=0.2, **many
    )
    [batch] = data["test"]
    mask = operator_of(batch.physics, batch.y)
    assert float(mask.double().mean()) == pytest.approx(0.7, abs=0.01)
    codes = torch.linalg.solve(data["dictionary"], batch.x.T)
    active = codes.abs() > 1e-3
    assert float(active.double().mean()) == pytest.approx(0.2, abs=0.01)
    assert float(codes[active].std()) == pytest.approx(1, abs=0.02)
    noisy = get_data(
        "synthetic_dictionary", operator="identity", noise_level=0.5, **many
    )
    [batch] = noisy["test"]
    assert float((batch.y - batch.x).std()) == pytest.approx(0.5, abs=0.01)


def test_data_are_drawn_from_the_seed(get_data):
    first, again, other = (
        get_data("synthetic_dictionary", seed=seed, **SMALL) for seed in (0, 0, 1)
    )
    for a, b, c in zip(first["test"], again["test"], other["test"], strict=True):
        assert torch.equal(a.y, b.y) and not torch.equal(a.y, c.y)
    assert torch.equal(first["dictionary"], again["dictionary"])


@pytest.mark.parametrize(
    "parameter, value",
    [
        ("operator", "blur"),
        ("m", 0),
        ("m", 2.5),
        ("n_operators", 0),
        ("missing", 1.0),
        ("n_signals", 0),
        ("n_signals", 3),
        ("dim", -1),
        ("n_atoms", 0),
        ("density", 0.0),
        ("density", "some"),
        ("n_train", 0),
        ("noise_level", -0.1),
    ],
)
def test_data_that_cannot_be_made_say_why(parameter, value, get_data):
    data = get_data("synthetic_dictionary", **{**SMALL, parameter: value})
    assert data["test"] == [] and str(value) in data["unavailable"]
    assert (
        parameter in data["unavailable"] or "signals are too few" in data["unavailable"]
    )


def test_the_operators_of_the_data_are_linear_with_their_adjoints(get_data):
    for name in ("sensing", "identity", "masks"):
        for batch in get_data("synthetic_dictionary", operator=name, **SMALL)["test"]:
            assert isinstance(batch.physics.noise_model, dinv.physics.GaussianNoise)
            v = torch.randn(batch.y.shape, generator=generator())
            left = (batch.physics.A(batch.x) * v).sum()
            right = (batch.x * batch.physics.A_adjoint(v)).sum()
            torch.testing.assert_close(left, right)
            fit = data_term(batch.physics, batch.y)
            seen = fit.project_on_range(batch.x)
            # The projection is a polynomial of the operator, within 1e-3.
            torch.testing.assert_close(fit.A(seen), fit.A(batch.x), rtol=0, atol=1e-3)
