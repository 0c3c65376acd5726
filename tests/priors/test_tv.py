"""Total variation: its operators, its prox and its solver find the minimum."""

import deepinv as dinv
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from operators import make_physics

from benchmark_utils.data.batches import Batch
from benchmark_utils.priors.tv import (
    gradient,
    gradient_adjoint,
    total_variation,
    tv_prox,
)


def random(shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(shape, generator=generator, dtype=torch.float64)


def rectangles(shape, seed=0):
    """A noisy image of flat areas."""
    x = 0.2 * random(shape, seed)
    x[..., 2:7, 3:8] += 0.6
    x[..., 5:, 6:] += 0.3
    return x


def as_matrix(operator, shape):
    """A linear operator on images (1, 1, H, W), as a matrix."""
    pixels = torch.eye(shape[-2] * shape[-1], dtype=torch.float64)
    columns = [operator(pixel.view(shape)).flatten() for pixel in pixels]
    return torch.stack(columns, dim=1)


def minimise_by_admm(A, y, weight, shape, n_iter=6000):
    """argmin_x 1/2 ||A x - y||^2 + weight TV(x) for a matrix A, certified.

    The alternating direction method of multipliers on the splitting v = grad x. The
    assertions are the optimality conditions: A^T (A x - y) + grad^T p = 0 with p in
    the ball of radius ``weight`` and <p, grad x> = weight TV(x).
    """
    D = as_matrix(gradient, shape)
    rho = weight * 20
    solve = torch.linalg.inv(A.T @ A + rho * D.T @ D)
    v = s = torch.zeros(len(D), dtype=torch.float64)
    for _ in range(n_iter):
        x = solve @ (A.T @ y + rho * D.T @ (v - s))
        total = (D @ x + s).view(2, -1)
        norm = total.norm(dim=0).clamp(min=1e-15)
        v = (total * (1 - weight / rho / norm).clamp(min=0)).flatten()
        s = total.flatten() - v
    p = rho * s
    x_tv = float(total_variation(x.view(shape)))
    assert (A.T @ (A @ x - y) + D.T @ p).abs().max() < 1e-6
    assert p.view(2, -1).norm(dim=0).max() <= weight * (1 + 1e-6)
    assert float(p @ D @ x) == pytest.approx(weight * x_tv, rel=1e-5)
    return x.view(shape)


@given(st.tuples(*(st.integers(1, n) for n in (2, 3, 9, 9))), st.integers(0, 2**32 - 1))
def test_gradient_and_its_adjoint_are_adjoint(shape, seed):
    x, u = random(shape, seed), random((2, *shape), seed + 1)
    left, right = (gradient(x) * u).sum(), (x * gradient_adjoint(u)).sum()
    assert float(left) == pytest.approx(float(right), abs=1e-10)


def test_total_variation_is_the_length_of_the_edges():
    x = torch.zeros(1, 1, 8, 8)
    x[..., 3:] = 0.5
    assert total_variation(x).tolist() == [8 * 0.5]
    assert total_variation(x.mT).tolist() == [8 * 0.5]
    corner = torch.zeros(1, 1, 4, 4)
    corner[..., 0, 0] = 1.0
    # Both forward differences are at the same pixel: isotropic, sqrt(2) and not 2.
    assert total_variation(corner).item() == pytest.approx(2**0.5)


def test_total_variation_adds_up_over_channels_but_not_over_images():
    x = random((2, 3, 6, 5))
    separate = total_variation(x.flatten(0, 1)[:, None]).view(2, 3)
    torch.testing.assert_close(total_variation(x), separate.sum(1))


@pytest.mark.parametrize("weight", [0.02, 0.2])
def test_prox_is_the_certified_minimiser(weight):
    y = rectangles((1, 1, 9, 11))
    identity = torch.eye(y.numel(), dtype=torch.float64)
    expected = minimise_by_admm(identity, y.flatten(), weight, y.shape)
    torch.testing.assert_close(
        tv_prox(y, weight, n_iter=3000), expected, rtol=0, atol=1e-4
    )


def test_fifty_iterations_of_the_prox_are_accurate_to_a_few_thousandths():
    y = random((1, 3, 40, 30)) * 0.4 + 0.3
    exact = tv_prox(y, 0.1, n_iter=5000)
    assert (tv_prox(y, 0.1) - exact).norm() < 5e-3 * exact.norm()


@given(st.floats(0.001, 10), st.integers(0, 2**32 - 1))
def test_prox_keeps_the_mean_of_each_channel(weight, seed):
    y = random((2, 3, 7, 6), seed)
    means = tv_prox(y, weight).mean((-2, -1))
    torch.testing.assert_close(means, y.mean((-2, -1)))


def test_prox_of_a_large_weight_is_the_mean_and_of_no_weight_the_image():
    y = random((2, 3, 7, 6))
    flat = y.mean((-2, -1), keepdim=True).expand_as(y)
    torch.testing.assert_close(tv_prox(y, 50.0, n_iter=2000), flat, rtol=0, atol=1e-3)
    assert torch.equal(tv_prox(y, 0), y)


def test_prox_treats_the_images_of_a_batch_apart():
    y = random((3, 2, 9, 8))
    alone = torch.cat([tv_prox(image[None], 0.1) for image in y])
    torch.testing.assert_close(tv_prox(y, 0.1), alone)


def deblurring(shape):
    kernel = dinv.physics.functional.gaussian_blur(psf_size=(5, 5), sigma=(1.0, 1.0))
    physics = dinv.physics.BlurFFT(img_size=shape[1:], filter=kernel.double())
    physics.noise_model = dinv.physics.GaussianNoise(sigma=0.05)
    return physics


def inpainting(shape):
    generator = torch.Generator().manual_seed(0)
    physics = make_physics("inpainting", shape[1:], generator, noise_level=0.05)
    return physics.to(torch.float64)


@pytest.mark.parametrize("make", [deblurring, inpainting])
@pytest.mark.parametrize("reg", [0.05, 1.0])
def test_solver_reaches_the_certified_minimum(make, reg, get_iterates):
    shape = (1, 1, 9, 12)
    physics, x = make(shape), rectangles(shape)
    y = physics.A(x) + 0.05 * (random(shape, seed=1) - 0.5)
    # In units of noise 0.01, and as the noise to the power 1.4.
    weight = reg * 0.01 * 5**1.4

    def objective(x):
        fidelity = 0.5 * (physics.A(x) - y).square().sum()
        return float(fidelity + weight * total_variation(x))

    A = as_matrix(physics.A, shape)
    minimum = objective(minimise_by_admm(A, y.flatten(), weight, shape))
    iterates = get_iterates("TV", Batch(y=y, physics=physics), reg=reg, n_iter=3000)
    assert objective(iterates[-1]) == pytest.approx(minimum, rel=1e-5)
    assert objective(iterates[199]) == pytest.approx(minimum, rel=2e-2)
