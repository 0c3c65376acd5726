"""The compact network: small enough for a CPU, shipped with the repository.

A bias-free residual U-Net that works on 2x2 pixel blocks (Zhang et al., 2021,
"Plug-and-Play Image Restoration with Deep Denoiser Prior", for the bias-free
residual U-Net and its noise-level map; Shi et al., 2016, for pixel shuffling).
"""

from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional as F


class ResidualBlock(nn.Module):
    """x + conv(relu(conv(x))), with 3x3 convolutions and no bias."""

    def __init__(self, width):
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)

    def forward(self, x):
        return x + self.conv2(F.relu(self.conv1(x), inplace=True))


class CompactUNet(nn.Module):
    """Residual U-Net conditioned on the noise level, of each image or each pixel.

    Parameters
    ----------
    widths : sequence of int
        Feature channels at each scale; every scale halves the resolution.
    blocks : int
        Residual blocks per scale, on the way down and on the way up.
    channels : int
        Image channels.
    """

    def __init__(self, widths=(48, 96, 128), blocks=2, channels=3):
        super().__init__()
        self.multiple, self.channels = 2 ** len(widths), channels

        def stack(width):
            return nn.Sequential(*(ResidualBlock(width) for _ in range(blocks)))

        self.head = nn.Conv2d(4 * channels + 4, widths[0], 3, padding=1, bias=False)
        self.encoders = nn.ModuleList(stack(width) for width in widths[:-1])
        self.downs = nn.ModuleList(
            nn.Conv2d(fine, coarse, 2, stride=2, bias=False)
            for fine, coarse in pairwise(widths)
        )
        self.body = stack(widths[-1])
        self.ups = nn.ModuleList(
            nn.ConvTranspose2d(coarse, fine, 2, stride=2, bias=False)
            for fine, coarse in pairwise(widths)
        )
        self.decoders = nn.ModuleList(stack(width) for width in widths[:-1])
        self.tail = nn.Conv2d(widths[0], 4 * channels, 3, padding=1, bias=False)

    @classmethod
    def from_weights(cls, weights):
        """The network whose ``state_dict`` is ``weights``, of their sizes."""
        n_downs = sum(name.startswith("downs.") for name in weights)
        firsts = ["head", *(f"downs.{i}" for i in range(n_downs))]
        widths = [weights[f"{name}.weight"].shape[0] for name in firsts]
        blocks = {name.split(".")[1] for name in weights if name.startswith("body.")}
        channels = weights["tail.weight"].shape[0] // 4
        network = cls(widths=widths, blocks=len(blocks), channels=channels)
        network.load_state_dict(weights)
        return network

    def forward(self, x, sigma):
        """Restore ``x``.

        Parameters
        ----------
        x : tensor (B, C, H, W), values in [0, 1] up to the noise. Any H and W.
            C is ``channels``, or 1 for grey images.
        sigma : float, tensor (B,) or tensor (B, 1, H, W)
            Noise level on the scale of ``x``: of all, of each image, of each pixel.
            1 says that nothing is known of a pixel.

        Returns
        -------
        tensor (B, C, H, W), not clipped.
        """
        if x.shape[1] == 1 < self.channels:
            return self._restore_grey(x, sigma)
        height, width = x.shape[-2:]
        padding = (0, -width % self.multiple, 0, -height % self.multiple)
        sigma = torch.as_tensor(sigma, dtype=x.dtype, device=x.device)
        if sigma.ndim < 4:
            sigma = sigma.reshape(-1, 1, 1, 1)
        h = torch.cat([x, sigma.expand(len(x), 1, height, width)], dim=1)
        if any(padding):
            h = F.pad(h, padding, mode="replicate")
        h = self.head(F.pixel_unshuffle(h, 2))

        skips = []
        for encoder, down in zip(self.encoders, self.downs):
            h = encoder(h)
            skips.append(h)
            h = down(h)
        h = self.body(h)
        for up, decoder, skip in reversed(
            list(zip(self.ups, self.decoders, skips, strict=True))
        ):
            h = decoder(up(h) + skip)

        residual = F.pixel_shuffle(self.tail(h), 2)[..., :height, :width]
        return x + residual

    def _restore_grey(self, x, sigma):
        """Restore grey images as ``channels`` equal ones, and average the result.

        The network knows noise that is independent from one of the n channels to the
        next. What it is told is sqrt(n) sigma: the mean of n such noises has level
        sigma, as the grey image has.
        """
        sigma = torch.as_tensor(self.channels**0.5 * sigma).clamp(max=1)
        channels = x.expand(-1, self.channels, -1, -1)
        # Not a call of the module, whose hooks count one for each image.
        return self.forward(channels, sigma).mean(1, keepdim=True)


class EDMUNet(CompactUNet):
    """The compact network with EDM's preconditioning, for any noise level.

    The network sees images of unit variance and the logarithm of the noise level, and
    what it gives is a share of the image where there is little noise, and of the mean
    image where there is much (Karras et al., 2022, "Elucidating the Design Space of
    Diffusion-Based Generative Models", Table 1, for images around 0.5). Each
    channel has noise of its own: grey images are not taken as colours.
    """

    # Standard deviation of the pixels of photographs with values in [0, 1].
    sigma_data = 0.25

    def forward(self, x, sigma):
        sigma = torch.as_tensor(sigma, dtype=x.dtype, device=x.device)
        if sigma.ndim < 4:
            sigma = sigma.reshape(-1, 1, 1, 1)
        total = (sigma.square() + self.sigma_data**2).sqrt()
        centred = x - 0.5
        residual = super().forward(centred / total, sigma.log() / 4)
        share = (self.sigma_data / total).square()
        return 0.5 + share * centred + sigma * self.sigma_data / total * residual
