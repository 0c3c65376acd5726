"""Networks that reconstruct are the iterations that they are said to be."""

import deepinv as dinv
import pytest
import torch
from operators import make_physics

from benchmark_utils.physics.ct import CT_PROBLEMS
from benchmark_utils.physics.data_term import data_term
from benchmark_utils.physics.mri import MRI_PROBLEMS
from benchmark_utils.priors.reconstruction import LearnedPrimalDual, VarNet


def measured(problem, problems, channels, **strengths):
    """(y, physics) of two random images of 32x32 pixels."""
    generator = torch.Generator().manual_seed(0)
    shape = channels, 32, 32
    physics = make_physics(problem, shape, generator, 2, problems=problems, **strengths)
    return physics(torch.rand(2, *shape, generator=generator)), physics


class Removed(torch.nn.Module):
    """What deepinv subtracts of x, as a network; D(x) = x - what is removed."""

    def forward(self, x):
        return 0.1 * (3 * x).sin()


class Denoiser(Removed):
    def forward(self, x, sigma):
        return x - super().forward(x)


@pytest.mark.parametrize("masks", ["shared", "per_image"])
@pytest.mark.parametrize("problem", MRI_PROBLEMS)
def test_varnet_is_that_of_deepinv(problem, masks):
    y, physics = measured(problem, MRI_PROBLEMS, 2, masks=masks)
    ours = VarNet([Denoiser() for _ in range(3)])
    theirs = dinv.models.VarNet(Removed(), num_cascades=3)
    with torch.no_grad():
        for k, step in enumerate((0.5, 1.0, 1.2)):
            ours.steps[k] = step
            theirs.backbone_net[k].dc_weight.fill_(step)
        guess = data_term(physics, y).initial_guess()
        expected = theirs.backbone_inference(guess, physics, y)
        torch.testing.assert_close(ours(y, physics), expected, rtol=1e-4, atol=1e-5)


@pytest.fixture
def sinograms():
    return measured("ct_sparse", CT_PROBLEMS, 1, n_angles=12)


def test_the_learned_primal_dual_starts_at_the_first_guess(sinograms):
    network = LearnedPrimalDual(1, 2)
    expected = data_term(sinograms[1], sinograms[0]).initial_guess()
    torch.testing.assert_close(network(*sinograms), expected)


def test_its_blocks_may_be_the_steps_of_chambolle_and_pock(sinograms):
    """For f(x) = 1/2 ||A x - y||^2 and no prior, from the same first guess."""
    y, physics = sinograms
    sigma, tau, n_iter = 0.7, 0.9, 4
    network = LearnedPrimalDual(1, n_iter)

    class Dual(torch.nn.Module):
        def forward(self, v, seen, y):
            v = v.clone()
            v[:, :1] = (v[:, :1] + sigma * (seen - y)) / (1 + sigma)
            return v

    class Primal(torch.nn.Module):
        """Keeps x as the first image, and the extrapolated one as the second."""

        def forward(self, x, back):
            new = x[:, :1] - tau * back
            return torch.cat([new, 2 * new - x[:, :1], x[:, 2:]], dim=1)

    network.dual = torch.nn.ModuleList(Dual() for _ in range(n_iter))
    network.primal = torch.nn.ModuleList(Primal() for _ in range(n_iter))
    x = ahead = data_term(physics, y).initial_guess()
    v = torch.zeros_like(y)
    for found in network.iterates(y, physics):
        v = (v + sigma * (physics.A(ahead) - y)) / (1 + sigma)
        new = x - tau * physics.A_adjoint(v)
        x, ahead = new, 2 * new - x
        torch.testing.assert_close(found, x)


def test_all_the_weights_of_the_learned_primal_dual_may_be_learned(sinograms):
    network = LearnedPrimalDual(1, 2)
    for weights in network.parameters():
        torch.nn.init.normal_(weights, std=0.1)
    network(*sinograms).square().sum().backward()
    assert all(w.grad is not None and w.grad.any() for w in network.parameters())
