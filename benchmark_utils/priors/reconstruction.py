"""Networks that reconstruct: x = network(y, physics), to be trained."""

import math

import torch
from torch import nn

from benchmark_utils.learning.implicit import prox
from benchmark_utils.physics.data_term import data_term
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

    def forward(self, y, physics):
        f = data_term(physics, y)
        return self.denoiser(f.initial_guess(), f.noise_level)


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
            return self.denoiser(x.flatten(0, 1)[:, None], sigma).view(x.shape)
        return self.denoiser(x, sigma)
