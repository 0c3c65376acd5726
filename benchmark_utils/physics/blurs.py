"""Blurs with a kernel of its own for each image, of random width or camera shake."""

from dataclasses import dataclass

import scipy.fft
import torch
from deepinv.physics.generator import MotionBlurGenerator
from torch.nn import functional as F

from benchmark_utils.physics.degraded import (
    Degradation,
    Degraded,
    add_noise,
    uniform,
)
from benchmark_utils.physics.smoothing import gaussian_profile


@dataclass(frozen=True)
class MirroredBlur:
    """Convolution of each image with its own kernel (B, 1, k, k), k odd.

    Images are mirrored at their borders: the result has their size.
    """

    kernels: torch.Tensor

    def __call__(self, x):
        height, width = x.shape[-2:]
        margin = self.kernels.shape[-1] // 2
        padded = F.pad(x, 4 * (margin,), mode="reflect")
        # Circular convolution is exact where the kernel does not wrap around.
        sizes = [scipy.fft.next_fast_len(n, real=True) for n in padded.shape[-2:]]
        transfer = torch.fft.rfft2(self.kernels, s=sizes)
        filtered = torch.fft.irfft2(
            torch.fft.rfft2(padded, s=sizes) * transfer, s=sizes
        )
        end = 2 * margin
        return filtered[..., end : end + height, end : end + width]

    def flipped(self):
        """The blur of the flipped kernels: the adjoint, away from the borders."""
        return MirroredBlur(self.kernels.flip((-2, -1)))


def blurred(x, blur, noise, generator):
    """What ``blur`` and noise of level uniform in ``noise`` make of x."""
    y, sigma = add_noise(blur(x), noise, generator)
    return Degraded(y, sigma, operator=blur, adjoint=blur.flipped())


@dataclass(frozen=True)
class GaussianBlur(Degradation):
    """Isotropic Gaussian blur, its standard deviation uniform in ``width`` (pixels)."""

    width: tuple = (0.2, 3.5)
    noise: tuple = (0.0, 0.1)
    mild_end = {"width": 0}
    smallest_side = 2

    def __call__(self, x, generator):
        width = uniform(self.width, len(x), generator).view(-1, 1, 1, 1)
        radius = max(1, min(int(3 * self.width[1] + 0.5), min(x.shape[-2:]) - 1))
        profile = gaussian_profile(width.clamp(min=1e-2), radius)
        blur = MirroredBlur(profile.mT * profile)
        return blurred(x, blur, self.noise, generator)


@dataclass(frozen=True)
class MotionBlur(Degradation):
    """Random camera shake: the trajectories of deepinv's ``MotionBlurGenerator``.

    ``length`` is the correlation length of the trajectory (its parameter l), and
    ``spread`` its amplitude (its parameter sigma), in half-widths of the kernel, which
    has ``size`` x ``size`` pixels.
    """

    length: tuple = (0.2, 0.8)
    spread: tuple = (0.1, 0.8)
    size: int = 31
    noise: tuple = (0.0, 0.1)
    mild_end = {"spread": 0}

    @property
    def smallest_side(self):
        # An image is mirrored over half a kernel, and must be larger than that.
        return self.size // 2 + 1

    def __call__(self, x, generator):
        kernels = self.draw_kernels(len(x), generator)
        return blurred(x, MirroredBlur(kernels), self.noise, generator)

    def draw_kernels(self, n, generator):
        """``n`` kernels (n, 1, size, size) of sum 1, on the generator's device.

        deepinv draws all the trajectories at once, but its ``step`` counts the pixels
        that they pass through image by image, and waits for the GPU at each.
        """
        deepinv_s = MotionBlurGenerator(
            (self.size, self.size), rng=generator, device=generator.device
        )
        length = uniform(self.length, n, generator)[:, None]
        spread = uniform(self.spread, n, generator)[:, None]
        rows, columns = (deepinv_s.f_matern(n, spread, length) for _ in range(2))
        return _share_of_time(rows, columns, self.size)


def _share_of_time(rows, columns, size):
    """The share of each trajectory (n, steps), centred, in each pixel of [-1, 1]^2.

    What lies outside of the square is not counted: (n, 1, size, size).
    """
    pixels, inside = 0, True
    for t in (rows, columns):
        t = t - t.mean(1, keepdim=True)
        inside = inside & (t.abs() <= 1)
        index = ((t + 1) / 2 * size).long().clamp(0, size - 1)
        pixels = size * pixels + index
    counts = rows.new_zeros(len(rows), size**2)
    counts.scatter_add_(1, pixels, inside.to(rows))
    shares = counts / counts.sum(1, keepdim=True).clamp(min=1)
    return shares.view(-1, 1, size, size)
