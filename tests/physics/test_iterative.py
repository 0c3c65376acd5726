"""What is computed by products alone agrees with the closed forms."""

import deepinv as dinv
import pytest
import torch
from operators import make_physics

from benchmark_utils.data.images import center_crop, load_images
from benchmark_utils.physics.closed_forms import BlurDataTerm
from benchmark_utils.physics.data_term import data_term
from benchmark_utils.physics.iterative import (
    conjugate_gradient,
    largest_eigenvalue,
    spectral_projection,
)
from benchmark_utils.physics.least_squares import DataTerm
from benchmark_utils.scoring.metrics import range_and_kernel_psnr


def random(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_conjugate_gradient_solves_each_system_of_a_batch():
    A = random(5, 30, 30)
    A = A @ A.mT / 30 + torch.eye(30)
    b = random(5, 30, seed=1)
    b[2] = 0
    x = conjugate_gradient(lambda v: (A @ v[..., None])[..., 0], b, tol=1e-6)
    torch.testing.assert_close(x, torch.linalg.solve(A, b), rtol=0, atol=1e-4)
    assert not x[2].any()


def test_the_largest_eigenvalue_is_over_all_the_batch():
    scale = torch.tensor([1.0, 3.0, 2.0])[:, None]
    values = torch.linspace(0, 1, 20)
    found = largest_eigenvalue(lambda x: scale * values * x, torch.zeros(3, 20))
    assert found == pytest.approx(3.0, rel=1e-3)


def test_the_projection_keeps_what_is_above_the_threshold():
    values = torch.tensor([0.0, 0.02, 0.04, 0.0625, 0.1, 0.5, 1.0])
    kept = spectral_projection(lambda x: values**2 * x, torch.ones(1, 7), 0.05)
    expected = torch.tensor([[0.0, 0, 0, 1, 1, 1, 1]])
    torch.testing.assert_close(kept, expected, rtol=0, atol=0.01)


def errors_both_ways(problem):
    """psnr_range and psnr_kernel of a first guess: exact, and by products alone."""
    x = torch.stack([center_crop(i, 96) for i in load_images("natural-test").values()])
    physics = make_physics(problem, (3, 96, 96), torch.Generator())
    y = physics.A(x) + 0.01 * random(*x.shape)
    exact, by_products = data_term(physics, y), DataTerm(physics, y)
    x_hat = exact.initial_guess()
    return [range_and_kernel_psnr(f, x_hat, x) for f in (exact, by_products)]


@pytest.mark.parametrize("problem", ["gaussian_deblurring", "motion_deblurring"])
def test_range_and_kernel_errors_agree_with_the_closed_form_to_a_twentieth_of_a_dB(
    problem,
):
    for exact, by_products in zip(*errors_both_ways(problem)):
        assert float((exact - by_products).mean().abs()) < 0.05


def test_a_circular_blur_is_one_operator_given_both_ways():
    physics = make_physics("motion_deblurring", (3, 48, 40), torch.Generator())
    same = dinv.physics.Blur(filter=physics.filter, padding="circular")
    same.noise_model = physics.noise_model
    x, z = random(2, 3, 48, 40), random(2, 3, 48, 40, seed=1)
    y = physics.A(x)
    ours, theirs = data_term(physics, y), data_term(same, y)
    assert type(ours) is type(theirs) is BlurDataTerm
    torch.testing.assert_close(theirs.A(x), same.A(x), rtol=0, atol=1e-5)
    torch.testing.assert_close(theirs.prox(z, 9.0), ours.prox(z, 9.0))


@pytest.mark.parametrize("gamma", [1e-2, 1.0, 1e2, 1e4])
def test_the_prox_by_products_is_the_closed_form_whatever_its_weight(gamma):
    physics = make_physics("gaussian_deblurring", (1, 48, 40), torch.Generator())
    x, z = torch.rand(1, 1, 48, 40), torch.rand(1, 1, 48, 40)
    y = physics.A(x)
    expected = data_term(physics, y).prox(z, gamma)
    found = DataTerm(physics, y).prox(z, gamma)
    torch.testing.assert_close(found, expected, rtol=0, atol=2e-3)


def test_the_norm_of_an_operator_is_computed_once():
    physics = make_physics("gaussian_deblurring", (1, 32, 32), torch.Generator())
    calls = []
    A = physics.A
    physics.A = lambda x: calls.append(1) or A(x)
    y = A(torch.rand(1, 1, 32, 32))
    assert DataTerm(physics, y).lipschitz == pytest.approx(1.0, rel=1e-3)
    n_calls = len(calls)
    assert n_calls > 1 and DataTerm(physics, y).lipschitz > 0
    assert len(calls) == n_calls


def kernel(*shape):
    return torch.rand(shape, generator=torch.Generator().manual_seed(2))


P, SHAPE = dinv.physics, torch.Size((2, 12, 10))


def downsampling(filter):
    return P.Downsampling(SHAPE, filter=filter, factor=2, padding="circular")


# What users brought, and what once crashed or gave a wrong constant.
OPERATORS = {
    "bool mask": lambda: P.Inpainting(SHAPE, mask=kernel(1, 1, 12, 10) > 0.5),
    "soft mask": lambda: P.Inpainting(SHAPE, mask=kernel(1, 1, 12, 10)),
    "mask per channel": lambda: P.Inpainting(SHAPE, mask=kernel(1, 2, 12, 10).round()),
    "filter per channel": lambda: downsampling(kernel(1, 2, 3, 3)),
    "blur per channel": lambda: P.BlurFFT(SHAPE, filter=kernel(1, 2, 3, 3)),
    "even kernel": lambda: P.BlurFFT(SHAPE, filter=kernel(1, 1, 4, 4)),
    "blur, valid": lambda: P.Blur(filter=kernel(1, 1, 3, 3), padding="valid"),
    "compressed sensing": lambda: P.CompressedSensing(
        m=40, img_size=SHAPE, rng=torch.Generator().manual_seed(0)
    ),
}


@pytest.mark.parametrize("name", OPERATORS)
def test_the_data_term_of_a_users_operator_is_that_of_its_matrix(name):
    physics = OPERATORS[name]()
    basis = torch.eye(SHAPE.numel()).unflatten(1, SHAPE)
    A = torch.cat([physics.A(e[None]).flatten(1) for e in basis]).T.double()
    x, z = torch.rand(2, *SHAPE), torch.rand(2, *SHAPE)
    y = physics.A(x).float()
    f = data_term(physics, y)
    norm = float(torch.linalg.matrix_norm(A, 2)) ** 2
    assert f.lipschitz == pytest.approx(norm, rel=0.01)
    normal = 3.7 * A.T @ A + torch.eye(len(A.T))
    right = 3.7 * y.flatten(1).double() @ A + z.flatten(1).double()
    expected = torch.linalg.solve(normal, right.T).T
    torch.testing.assert_close(
        f.prox(z, 3.7).flatten(1).double(), expected, rtol=0, atol=2e-4
    )
    assert f.initial_guess().shape == x.shape and f.initial_guess().isfinite().all()
