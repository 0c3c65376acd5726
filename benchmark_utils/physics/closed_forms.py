"""Data terms in closed form, where A A^T is diagonal in a known basis:

    prox(z) = z + A^T (A A^T + 1/gamma)^{-1} (y - A z)

(Woodbury; for downsampling this is the formula of Zhao et al., 2016, "Fast Single
Image Super-Resolution Using a New Analytical Solution for l2-l2 Problems").
"""

from functools import cached_property

import deepinv as dinv
import torch
from torch.nn import functional as F

from benchmark_utils.physics.holes import fill_holes
from benchmark_utils.physics.least_squares import KERNEL_THRESHOLD, DataTerm
from benchmark_utils.physics.psf import check_kernel_fits


class DiagonalDataTerm(DataTerm):
    """f where A A^T = T^{-1} diag(spectrum) T.

    Subclasses set ``spectrum`` and define ``transform`` (T) and ``inverse``.
    """

    has_closed_prox = True

    def transform(self, y):
        return y

    def inverse(self, y):
        return y

    @cached_property
    def lipschitz(self):
        # Not zero, even where nothing is measured: steps are divided by it.
        return max(float(self.spectrum.max()), torch.finfo(self.spectrum.dtype).tiny)

    @property
    def has_kernel(self):
        return not bool(self._kept(KERNEL_THRESHOLD).all())

    def _filtered_adjoint(self, y, weights):
        return self.A_adjoint(self.inverse(weights * self.transform(y)))

    def prox(self, z, gamma):
        if gamma == 0:
            return z
        weights = 1 / (self.spectrum + 1 / gamma)
        return z + self._filtered_adjoint(self.y - self.A(z), weights)

    def pseudo_inverse(self, reg):
        if reg == 0:
            return self._filtered_adjoint(self.y, self._inverse_spectrum(1e-6))
        return self._filtered_adjoint(self.y, 1 / (self.spectrum + reg))

    def project_on_range(self, x):
        weights = self._inverse_spectrum(KERNEL_THRESHOLD)
        return self._filtered_adjoint(self.A(x), weights)

    def range_and_kernel_energy(self, x):
        seen = self.project_on_range(x)
        lost = x - seen if self.has_kernel else torch.zeros_like(x)
        return tuple(part.flatten(1).square().sum(1) for part in (seen, lost))

    def _inverse_spectrum(self, threshold):
        return torch.where(self._kept(threshold), 1 / self.spectrum, 0.0)

    def _kept(self, threshold):
        return self.spectrum > threshold**2 * self.lipschitz


class MaskDataTerm(DiagonalDataTerm):
    """A multiplies by 0 or 1 (inpainting), or is the identity (denoising)."""

    def __init__(self, physics, y):
        super().__init__(physics, y)
        mask = getattr(physics, "mask", None)
        mask = mask.to(y) if torch.is_tensor(mask) else y.new_ones(1)
        self.known = mask
        self.mask = self._weighted(mask)
        self.spectrum = self.mask.square()

    @property
    def n_measurements(self):
        return self.mask.expand_as(self.y).flatten(1).count_nonzero(1).clamp(min=1)

    def A(self, x):
        return self.mask * x

    A_adjoint = A

    def initial_guess(self):
        """y, its holes filled with a Gaussian mean of the pixels around."""
        if self.known.numel() == 1:  # Denoising.
            return self.measured.clone()
        return fill_holes(self.measured, self.known)


class BlurDataTerm(DiagonalDataTerm):
    """A is a circular convolution: everything happens in the Fourier domain."""

    def __init__(self, physics, y):
        super().__init__(physics, y)
        self.size = y.shape[-2:]
        check_kernel_fits(self.size, physics.filter)
        self.transfer = dinv.physics.functional.filter_fft(
            physics.filter, (1, *self.size), real_fft=True, dims=(-2, -1)
        )
        self.spectrum = self.transfer.abs().square()

    @cached_property
    def y_hat(self):
        return self.transform(self.y)

    def without(self, x):
        rest = super().without(x)
        rest.__dict__.pop("y_hat", None)
        return rest

    def transform(self, y):
        return torch.fft.rfft2(y)

    def inverse(self, y):
        return torch.fft.irfft2(y, s=self.size)

    def A(self, x):
        return self.inverse(self.transfer * self.transform(x))

    def A_adjoint(self, y):
        return self.inverse(self.transfer.conj() * self.transform(y))

    def _filtered_adjoint(self, y, weights):
        # One filter: what 1 / spectrum amplifies never leaves the Fourier domain.
        return self.inverse(self.transfer.conj() * weights * self.transform(y))

    def grad(self, x):
        residual = self.transfer * self.transform(x) - self.y_hat
        return self.inverse(self.transfer.conj() * residual)

    def prox(self, z, gamma):
        if gamma == 0:
            return z
        z_hat = self.transform(z)
        filtered = self.transfer.conj() / (self.spectrum + 1 / gamma)
        return self.inverse(z_hat + filtered * (self.y_hat - self.transfer * z_hat))


class DownsamplingDataTerm(DiagonalDataTerm):
    """A keeps one pixel in s x s of a circular convolution.

    A A^T is a convolution on the small grid; its transfer function is the power of
    the filter summed over the s x s frequencies that alias onto each other.
    """

    def __init__(self, physics, y):
        super().__init__(physics, y)
        self.factor, self.size = physics.factor, y.shape[-2:]
        channels, height, width = y.shape[1], *self.size
        # One kernel for all the channels, or one for each: (C, 1, h, w).
        kernel = physics.filter.flip((-2, -1)).transpose(0, 1)
        self.kernel = kernel.expand(channels, 1, -1, -1)
        # The kernel's origin is its pixel (h // 2, w // 2), as in deepinv.
        h, w = self.kernel.shape[-2:]
        self.margins = (w - 1 - w // 2, w // 2, h - 1 - h // 2, h // 2)
        full_size = (height * self.factor, width * self.factor)
        self.transfer = dinv.physics.functional.filter_fft(
            physics.filter, (1, *full_size), real_fft=False, dims=(-2, -1)
        )
        power = self.transfer.abs().square()
        folded = power.unflatten(-1, (self.factor, width))
        folded = folded.unflatten(-3, (self.factor, height)).sum((-4, -2))
        self.spectrum = folded[..., : width // 2 + 1] / self.factor**2

    @property
    def has_kernel(self):
        return self.factor > 1 or super().has_kernel

    def transform(self, y):
        return torch.fft.rfft2(y)

    def inverse(self, y):
        return torch.fft.irfft2(y, s=self.size)

    def A(self, x):
        padded = F.pad(x, self.margins, mode="circular")
        return F.conv2d(padded, self.kernel, stride=self.factor, groups=x.shape[1])

    def A_adjoint(self, y):
        left, right, top, bottom = self.margins
        margin = [-(-m // self.factor) for m in (right, left, bottom, top)]
        # Pad y so that what wraps around is there, convolve, and keep the centre.
        padded = F.pad(y, margin, mode="circular")
        x = F.conv_transpose2d(
            padded, self.kernel, stride=self.factor, groups=y.shape[1]
        )
        rows = margin[2] * self.factor + top
        columns = margin[0] * self.factor + left
        height, width = (n * self.factor for n in self.size)
        return x[..., rows : rows + height, columns : columns + width]
