"""Networks that reconstruct are the iterations that they are said to be."""

import math

import deepinv as dinv
import pytest
import torch
from operators import make_physics

from benchmark_utils.physics.ct import CT_PROBLEMS
from benchmark_utils.physics.data_term import data_term
from benchmark_utils.physics.mri import MRI_PROBLEMS
from benchmark_utils.physics.problems import PROBLEMS
from benchmark_utils.priors.compact import load_compact, load_for_channels
from benchmark_utils.priors.experts import FieldsOfExperts
from benchmark_utils.priors.reconstruction import (
    LearnedPrimalDual,
    UnrolledHQS,
    VarNet,
)
from benchmark_utils.scoring.metrics import psnr


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


class Halved(torch.nn.Module):
    """D(x, sigma) = x / 2, for grey images, and what it was given."""

    channels = 1

    def forward(self, x, sigma):
        self.given = x, float(sigma)
        return 0.5 * x


def test_unrolled_networks_see_parts_of_complex_images_as_grey_images_in_0_1():
    network = UnrolledHQS(Halved(), 1)
    x = torch.rand(2, 2, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
    restored = network.denoise(x, torch.tensor(0.2))
    images, sigma = network.denoiser.given
    assert images.shape == (4, 1, 8, 8) and sigma == pytest.approx(0.1)
    torch.testing.assert_close(images[1, 0], (x[0, 1] + 1) / 2)
    torch.testing.assert_close(restored, (x + 1) / 2 - 1)


@pytest.mark.parametrize("problem", MRI_PROBLEMS)
def test_unrolled_hqs_of_complex_images_starts_as_plug_and_play(problem, get_data):
    (batch,) = get_data("brain", problem=problem, img_size=64, n_images=1)["test"]
    network = UnrolledHQS(load_for_channels("denoiser", 2, "cpu"), 3, 0.1, 0.02, 0.2)
    with torch.no_grad():
        ours = list(network.iterates(batch.y, batch.physics))
        f, denoiser = data_term(batch.physics, batch.y), load_compact("grey", "cpu")
        x = f.initial_guess()
        for sigma, z in zip(torch.logspace(-1, math.log10(0.02), 3), ours, strict=True):
            x = f.prox(x, float(sigma) ** 2 / (0.2 * f.noise_level**2))
            parts = [(part + 1) / 2 for part in x.unbind(1)]
            parts = [2 * denoiser(p[:, None], sigma / 2) - 1 for p in parts]
            x = torch.cat(parts, dim=1)
            torch.testing.assert_close(z, x, rtol=0, atol=1e-3)
        assert psnr(ours[-1], batch.x) > psnr(f.initial_guess(), batch.x) + 1


def test_the_iterates_of_an_image_do_not_depend_on_the_others():
    """Accelerated gradient restarts where it climbs: for each image alone."""
    _, physics = measured("gaussian_deblurring", PROBLEMS, 3)
    x = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    # This one has less contrast, and climbs at other iterations.
    x[1] = 0.5 + 0.3 * (x[1] - 0.5)
    y, network = physics.A(x), FieldsOfExperts.tv(1.0, n_iter=60)

    def iterates(y):
        return torch.stack(list(network.iterates(data_term(physics, y))))

    with torch.no_grad():
        alone = torch.cat([iterates(y[:1]), iterates(y[1:])], dim=1)
        torch.testing.assert_close(iterates(y), alone, rtol=0, atol=1e-4)


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
