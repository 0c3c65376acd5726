"""Gradients through minimisers are those of finite differences and of unrolling."""

import deepinv as dinv
import pytest
import torch
from operators import make_physics

from benchmark_utils.learning.implicit import prox
from benchmark_utils.physics.data_term import data_term
from benchmark_utils.physics.least_squares import DataTerm
from benchmark_utils.priors.experts import FieldsOfExperts


def problem(name="inpainting", size=10, channels=1):
    generator = torch.Generator().manual_seed(0)
    physics = make_physics(name, (channels, size, size), generator).double()
    physics.noise_model.sigma = torch.tensor(0.1)
    ramp = torch.linspace(0, 1, size, dtype=torch.float64)
    x = (ramp[:, None] > ramp.flip(0)[None]).double().expand(1, channels, -1, -1)
    noise = torch.randn(x.shape, generator=generator, dtype=torch.float64)
    return x, physics.A(x) + 0.1 * noise, physics


def experts(prior, **options):
    make = (
        FieldsOfExperts.tv
        if prior == "tv"
        else lambda w, n, **o: FieldsOfExperts.cosines(3, w, n, **o)
    )
    model = make(0.3, 600, **options).double()
    model.EPS, model.MAX_ITER, model.TOL = 0.05, 200, 1e-6
    return model


@pytest.mark.parametrize("prior", ["tv", "experts"])
@pytest.mark.parametrize("name", ["denoising", "inpainting"])
def test_the_hypergradient_is_that_of_finite_differences(prior, name):
    x, y, physics = problem(name)
    model = experts(prior)

    def loss():
        return (model(y, physics) - x).square().sum()

    loss().backward()
    parameters = [p for p in model.parameters() if p.requires_grad]
    for parameter in parameters:
        for place in list(torch.cartesian_prod(*map(torch.arange, parameter.shape)))[
            :5
        ]:
            place = tuple(torch.atleast_1d(place).tolist())
            values, h = [], 1e-4
            with torch.no_grad():
                for sign in (1, -1):
                    parameter[place] += sign * h
                    values.append(float(loss()))
                    parameter[place] -= sign * h
            expected = (values[0] - values[1]) / (2 * h)
            found = float(parameter.grad[place])
            assert found == pytest.approx(expected, rel=2e-3, abs=1e-6)


@pytest.mark.parametrize("is_complex", [False, True])
def test_the_gradient_of_the_energy_is_that_of_its_formula(is_complex):
    x, y, physics = problem("denoising", 8, 2)
    model = experts("tv", is_complex=is_complex)
    f = data_term(physics, y)
    x = torch.rand(x.shape, dtype=x.dtype, generator=torch.Generator().manual_seed(0))
    x.requires_grad_()
    down, right = (torch.roll(x, -1, d) - x for d in (-2, -1))
    square = down.square() + right.square()
    square = square.sum(1, keepdim=True) if is_complex else square
    R = 0.3 * (square + model.EPS**2).sqrt().sum()
    energy = f.value(x).sum() + f.noise_level * R
    (expected,) = torch.autograd.grad(energy, x)
    torch.testing.assert_close(model.gradient(f, x).detach(), expected)


def test_the_step_is_small_enough_for_the_energy_to_fall():
    _, y, physics = problem("denoising")
    f, model = data_term(physics, y), experts("experts")
    with torch.no_grad():
        slopes = [float(model.gradient(f, x).norm()) for x in model.iterates(f)]
    assert slopes[-1] < 1e-6 * slopes[0]


def test_the_prox_by_conjugate_gradient_has_the_gradients_of_the_closed_form():
    blur = make_physics("gaussian_deblurring", (1, 32, 32), torch.Generator()).double()
    general = dinv.physics.LinearPhysics(A=blur.A, A_adjoint=blur.A_adjoint)
    general.noise_model = blur.noise_model
    generator = torch.Generator().manual_seed(0)
    y, z, c = torch.rand(3, 1, 1, 32, 32, generator=generator, dtype=torch.float64)
    gradients = []
    for physics in (blur, general):
        f = data_term(physics, y)
        assert isinstance(f, DataTerm)
        at, gamma = z.clone().requires_grad_(), torch.tensor(4.0, requires_grad=True)
        (c * prox(f, at, gamma)).sum().backward()
        gradients.append((at.grad, gamma.grad))
    for ours, expected in zip(*gradients):
        torch.testing.assert_close(ours, expected, rtol=1e-3, atol=1e-4)
