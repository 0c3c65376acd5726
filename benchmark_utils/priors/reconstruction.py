"""Networks that reconstruct: x = network(y, physics), to be trained."""

import math

import torch
from deepinv.models import PDNet_DualBlock, PDNet_PrimalBlock
from torch import nn

from benchmark_utils.learning.implicit import prox
from benchmark_utils.learning.samples import turned_back, turned_by
from benchmark_utils.physics.data_term import data_term
from benchmark_utils.priors.complex_parts import as_complex_images, as_grey_images
from benchmark_utils.priors.networks import CompactUNet


def untrained_denoiser(channels):
    """A CompactUNet of 0.5 million weights, which starts as the identity."""
    network = CompactUNet((32, 64, 96), blocks=1, channels=channels)
    nn.init.zeros_(network.tail.weight)
    return network


class ArtifactRemoval(nn.Module):
    """x = D(first guess of y, sigma): what a regularised A^+ y has wrong is removed.

    Jin, McCann, Froustey and Unser (2017), with the data term's first guess (filled
    holes, a regularised pseudo-inverse) and the noise level of y.

    Parameters
    ----------
    denoiser : module (x (B, C, H, W), sigma) -> (B, C, H, W)
    """

    def __init__(self, denoiser):
        super().__init__()
        self.denoiser = denoiser

    def forward(self, y, physics, turns=None):
        """x (B, C, H, W); with ``turns`` (draw_turns), T x for the operator A T.

        The first guess of A T is that of A, turned back, for turns are orthogonal.
        """
        f = data_term(physics, y)
        if turns is None:
            return self.denoiser(f.initial_guess(), f.noise_level)
        x = self.denoiser(turned_back(f.initial_guess(), turns), f.noise_level)
        return turned_by(x, turns)


class UnrolledHQS(nn.Module):
    """A few iterations of plug-and-play HQS, whose numbers and network are learned.

    Zhang, Van Gool and Timofte (2020), "Deep Unfolding Network for Image
    Super-Resolution", with one denoiser for all iterations:

        x_k = prox_{f / alpha_k}(z_k),   alpha_k = reg_k sigma^2 / sigma_k^2
        z_{k+1} = D(x_k, sigma_k)

    Parameters
    ----------
    denoiser : CompactUNet
        One of colours takes a complex image as two grey ones.
    n_iter : int
    sigma_start, sigma_end, reg : float
        Where sigma_k, on a logarithmic scale, and reg_k start.
    """

    def __init__(self, denoiser, n_iter, sigma_start=0.15, sigma_end=0.02, reg=0.15):
        super().__init__()
        self.denoiser = denoiser.requires_grad_(True)
        ends = math.log(sigma_start), math.log(sigma_end)
        self.log_sigma = nn.Parameter(torch.linspace(*ends, n_iter))
        self.log_reg = nn.Parameter(torch.full((n_iter,), math.log(reg)))

    def forward(self, y, physics):
        *_, x = self.iterates(y, physics)
        return x

    def iterates(self, y, physics):
        """The z_k, one after the other."""
        f = data_term(physics, y)
        z = f.initial_guess()
        for sigma, reg in zip(self.log_sigma.exp(), self.log_reg.exp()):
            x = prox(f, z, sigma**2 / (reg * f.noise_level**2))
            z = self.denoise(x, sigma)
            yield z

    def denoise(self, x, sigma):
        if x.shape[1] == 2 != self.denoiser.channels:
            return as_complex_images(self.denoiser(as_grey_images(x), sigma / 2))
        return self.denoiser(x, sigma)


class LearnedPrimalDual(nn.Module):
    """Chambolle and Pock's iterations, whose proximal operators are small networks.

    Adler and Öktem (2018), "Learned Primal-Dual Reconstruction", their algorithm 3:

        v_{k+1} = v_k + G_k(v_k, A x_k^(2), y)
        x_{k+1} = x_k + P_k(x_k, A^T v_{k+1}^(1))

    x holds MEMORY images and v as many sinograms, of which (i) is the i-th; x^(1) is
    the result. G_k and P_k are three convolutions each, those of deepinv. They start at
    zero, and the images at the first guess, where the paper has zero.

    Parameters
    ----------
    channels : int, of the images, and of the sinograms.
    n_iter : int
    """

    MEMORY = 5

    def __init__(self, channels, n_iter):
        super().__init__()
        self.channels, n = channels, channels * self.MEMORY
        self.dual = nn.ModuleList(
            PDNet_DualBlock(n + 2 * channels, n) for _ in range(n_iter)
        )
        self.primal = nn.ModuleList(
            PDNet_PrimalBlock(n + channels, n) for _ in range(n_iter)
        )
        for block in (*self.dual, *self.primal):
            nn.init.zeros_(block.out_conv.weight)
            nn.init.zeros_(block.out_conv.bias)

    def forward(self, y, physics):
        *_, x = self.iterates(y, physics)
        return x

    def iterates(self, y, physics):
        """The x_k^(1), one after the other."""
        n = self.channels
        x = data_term(physics, y).initial_guess().repeat(1, self.MEMORY, 1, 1)
        v = torch.zeros_like(y).repeat(1, self.MEMORY, 1, 1)
        for dual, primal in zip(self.dual, self.primal):
            v = dual(v, physics.A(x[:, n : 2 * n]), y)
            x = primal(x, physics.A_adjoint(v[:, :n]))
            yield x[:, :n]


class VarNet(nn.Module):
    """Gradient steps of learned sizes, each with a regulariser of its own.

    Hammernik et al. (2018), "Learning a Variational Network for Reconstruction of
    Accelerated MRI Data", with U-Nets as Sriram et al. (2020) have them; the maps of
    the coils are those of the operator:

        x_{k+1} = D_k(x_k, sigma) - step_k grad f(x_k)

    Parameters
    ----------
    denoisers : list of modules (x (B, C, H, W), sigma) -> (B, C, H, W)
        The D_k. The steps start at 1.
    """

    def __init__(self, denoisers):
        super().__init__()
        self.denoisers = nn.ModuleList(denoisers)
        self.steps = nn.Parameter(torch.ones(len(denoisers)))

    def forward(self, y, physics):
        *_, x = self.iterates(y, physics)
        return x

    def iterates(self, y, physics):
        """The x_k, one after the other."""
        f = data_term(physics, y)
        x = f.initial_guess()
        for denoiser, step in zip(self.denoisers, self.steps):
            x = denoiser(x, f.noise_level) - step * f.grad(x)
            yield x
