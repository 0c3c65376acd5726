"""The closed forms of the data term agree with deepinv and with what defines them."""

import deepinv as dinv
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from operators import make_physics

from benchmark_utils.physics.data_term import data_term
from benchmark_utils.physics.least_squares import KERNEL_THRESHOLD, DataTerm
from benchmark_utils.physics.problems import PROBLEMS


def in_double(physics):
    """The same operator in double precision, for the tests that ask for accuracy."""
    if isinstance(physics, dinv.physics.BlurFFT):
        # Casting would drop the imaginary part of its transfer function.
        return dinv.physics.BlurFFT(
            img_size=physics.img_size, filter=physics.filter.double()
        )
    return physics.to(torch.float64)


def inner(a, b):
    return float((a * b).sum())


class Case:
    """One problem with its data fit, and what draws more tensors like its own."""

    def __init__(self, problem, n_images, shape, seed, dtype):
        self.generator = torch.Generator().manual_seed(seed)
        self.physics = make_physics(problem, shape, self.generator, n_images=n_images)
        if dtype == torch.float64:
            self.physics = in_double(self.physics)
        self.x = self.like(torch.empty(n_images, *shape, dtype=dtype))
        self.y = self.physics.A(self.x)
        self.y = self.y + 0.1 * self.like(self.y)
        self.fit = data_term(self.physics, self.y)

    def like(self, tensor):
        return torch.randn(tensor.shape, dtype=tensor.dtype, generator=self.generator)


def cases(dtype=torch.float64):
    """Any problem, several images, grey or colour, seldom square."""
    side = st.integers(7, 10).map(lambda n: 4 * n)
    return st.builds(
        Case,
        problem=st.sampled_from(list(PROBLEMS)),
        n_images=st.integers(1, 3),
        shape=st.tuples(st.sampled_from([1, 3]), side, side),
        seed=st.integers(0, 2**32),
        dtype=st.just(dtype),
    )


def test_usual_problems_are_in_closed_form():
    for problem in PROBLEMS:
        case = Case(problem, 2, (3, 32, 28), 0, torch.float32)
        assert type(case.fit) is not DataTerm


@given(cases(torch.float32))
def test_operator_and_adjoint_are_those_of_deepinv(case):
    v = case.like(case.y)
    torch.testing.assert_close(
        case.fit.A(case.x), case.physics.A(case.x), rtol=1e-5, atol=2e-6
    )
    torch.testing.assert_close(
        case.fit.A_adjoint(v), case.physics.A_adjoint(v), rtol=1e-5, atol=2e-6
    )


def test_the_norm_with_weights_is_that_of_the_operator_and_of_the_measurements():
    """Two blurs of other widths, as of one that is told, and the same y."""
    options = {"noise": "poisson", "gain": 0.01}
    physics = [
        make_physics("gaussian_deblurring", (3, 32, 32), None, blur_std=std, **options)
        for std in (0.8, 3.0)
    ]
    y = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    norms = [data_term(p, y).lipschitz for p in physics]
    assert norms == pytest.approx([data_term(p, y.clone()).lipschitz for p in physics])
    assert norms[0] != pytest.approx(norms[1], rel=1e-3)


@given(cases())
def test_adjoint_is_the_adjoint(case):
    v = case.like(case.y)
    left, right = inner(case.fit.A(case.x), v), inner(case.x, case.fit.A_adjoint(v))
    assert left == pytest.approx(right, rel=1e-9, abs=1e-9)


@given(cases())
def test_grad_is_the_gradient_of_value(case):
    x = case.like(case.x).requires_grad_()
    (expected,) = torch.autograd.grad(case.fit.value(x).sum(), x)
    torch.testing.assert_close(case.fit.grad(x.detach()), expected)


@given(cases(), st.floats(-2, 4))
def test_prox_solves_its_optimality_condition(case, log_gamma):
    z, gamma = case.like(case.x), 10**log_gamma
    p = case.fit.prox(z, gamma)
    residual = p - z + gamma * case.fit.grad(p)
    assert residual.abs().max() < 1e-10 * (1 + gamma)


@given(cases(), st.floats(-2, 1))
def test_prox_is_what_conjugate_gradient_finds(case, log_gamma):
    z, gamma = case.like(case.x), 10**log_gamma
    by_cg = dinv.physics.LinearPhysics.prox_l2(
        case.physics, z, case.y, gamma, max_iter=100, tol=1e-8
    )
    torch.testing.assert_close(case.fit.prox(z, gamma), by_cg, rtol=0, atol=1e-4)


@given(cases(torch.float32))
def test_prox_without_weight_changes_nothing(case):
    assert torch.equal(case.fit.prox(case.x, 0), case.x)


@given(cases())
def test_pseudo_inverse_meets_the_four_conditions_of_moore_and_penrose(case):
    def pinv(y):
        return data_term(case.physics, y).pseudo_inverse(0)

    A, x, v = case.fit.A, case.x, case.y
    # Singular values below 1e-6 times the largest are taken for zero.
    torch.testing.assert_close(A(pinv(A(x))), A(x), rtol=0, atol=1e-4)
    torch.testing.assert_close(pinv(A(pinv(v))), pinv(v), rtol=1e-6, atol=1e-6)
    w, z = case.like(v), case.like(x)
    scale = 1e-8 * float(v.norm() * w.norm())
    assert inner(A(pinv(v)), w) == pytest.approx(inner(v, A(pinv(w))), abs=scale)
    scale = 1e-8 * float(x.norm() * z.norm())
    assert inner(pinv(A(x)), z) == pytest.approx(inner(x, pinv(A(z))), abs=scale)


@given(cases(), st.floats(-4, 0))
def test_regularised_pseudo_inverse_solves_the_equations_of_tikhonov(case, log_reg):
    reg = 10**log_reg
    x = case.fit.pseudo_inverse(reg)
    left = case.fit.A_adjoint(case.fit.A(x)) + reg * x
    torch.testing.assert_close(left, case.fit.A_adjoint(case.y), rtol=1e-8, atol=1e-10)


def largest_eigenvalue(fit, x, n_iter=400):
    """||A||^2 by the power method."""
    for _ in range(n_iter):
        x = fit.A_adjoint(fit.A(x / x.norm()))
    return float(x.norm())


@given(cases())
def test_lipschitz_is_the_largest_eigenvalue(case):
    expected = largest_eigenvalue(case.fit, case.x + 1)
    assert case.fit.lipschitz == pytest.approx(expected, rel=1e-3)


@given(cases())
def test_projection_on_the_range_is_orthogonal(case):
    project = case.fit.project_on_range
    x, z = case.x, case.like(case.x)
    torch.testing.assert_close(project(project(x)), project(x))
    scale = 1e-10 * float(x.norm() * z.norm())
    assert inner(project(x), z) == pytest.approx(inner(x, project(z)), abs=scale)


@given(cases())
def test_projection_keeps_what_the_measurements_see_and_drops_the_rest(case):
    seen = case.fit.project_on_range(case.x)
    threshold = KERNEL_THRESHOLD * case.fit.lipschitz**0.5
    lost = case.x - seen
    assert case.fit.A(lost).norm() <= threshold * lost.norm() + 1e-9
    assert case.fit.A(seen).norm() >= threshold * seen.norm()


def test_initial_guess_fills_holes_and_keeps_what_is_seen():
    case = Case("inpainting", 2, (3, 32, 40), 0, torch.float64)
    fit = data_term(case.physics, case.physics.A(torch.full_like(case.x, 0.7)))
    torch.testing.assert_close(fit.initial_guess(), torch.full_like(case.x, 0.7))
    guess = case.fit.initial_guess()
    torch.testing.assert_close(case.physics.A(guess), case.fit.A(case.y))


def kernel():
    """A small kernel without symmetry."""
    return torch.tensor([[1.0, 2, 0], [0, 4, 1], [0, 1, 1]])[None, None] / 10


OTHER_OPERATORS = {
    "blur, valid": (
        (3, 12, 10),
        lambda: dinv.physics.Blur(filter=kernel(), padding="valid"),
    ),
    "blur, reflect": (
        (1, 12, 10),
        lambda: dinv.physics.Blur(filter=kernel(), padding="reflect"),
    ),
    "downsampling, reflect": (
        (3, 12, 16),
        lambda: dinv.physics.Downsampling(
            img_size=(3, 12, 16), filter="bicubic", factor=2, padding="reflect"
        ),
    ),
    "compressed sensing": (
        (1, 8, 6),
        lambda: dinv.physics.CompressedSensing(
            m=20, img_size=(1, 8, 6), rng=torch.Generator().manual_seed(0)
        ),
    ),
    "tomography": (
        (1, 10, 10),
        lambda: dinv.physics.Tomography(angles=8, img_width=10, normalize=True),
    ),
    "demosaicing": (
        (3, 8, 10),
        lambda: dinv.physics.Demosaicing(img_size=(3, 8, 10)),
    ),
    "random mask, one per channel": (
        (3, 8, 10),
        lambda: dinv.physics.Inpainting(
            img_size=(3, 8, 10),
            mask=0.5,
            pixelwise=False,
            rng=torch.Generator().manual_seed(0),
        ),
    ),
}


@pytest.mark.parametrize("name", OTHER_OPERATORS)
def test_any_linear_operator_of_deepinv_works(name):
    shape, make = OTHER_OPERATORS[name]
    physics, generator = make(), torch.Generator().manual_seed(1)
    x, z = (torch.rand((2, *shape), generator=generator) for _ in range(2))
    y = physics.A(x)
    fit = data_term(physics, y)
    assert fit.lipschitz == pytest.approx(largest_eigenvalue(fit, x, 2000), rel=0.02)
    p = fit.prox(z, 0.7)
    torch.testing.assert_close(p + 0.7 * fit.grad(p), z, rtol=0, atol=1e-4)
    torch.testing.assert_close(fit.A(fit.pseudo_inverse(0)), y, rtol=0, atol=1e-2)
    seen = fit.project_on_range(z)
    assert inner(seen, z - seen) == pytest.approx(0, abs=1e-2 * inner(z, z))
    assert fit.initial_guess().shape == x.shape
    assert fit.initial_guess().isfinite().all()
