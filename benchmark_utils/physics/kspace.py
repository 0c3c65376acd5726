"""The data terms of MRI: A looks at an image through coils, and keeps some of k-space.

Complex images and measurements have their real and their imaginary part as channels, as
in deepinv. The Fourier transform is orthonormal, and the origin of k-space central.
"""

from functools import cached_property

import torch

from benchmark_utils.common.errors import NotApplicable
from benchmark_utils.physics.closed_forms import DiagonalDataTerm
from benchmark_utils.physics.iterative import conjugate_gradient
from benchmark_utils.physics.least_squares import KERNEL_THRESHOLD, DataTerm


def as_complex(x):
    """A tensor (B, 2, ...) of real and imaginary parts as a complex one (B, ...)."""
    return torch.complex(x[:, 0], x[:, 1])


def as_channels(x):
    """A complex tensor (B, ...) as its real and imaginary parts (B, 2, ...)."""
    return torch.stack([x.real, x.imag], dim=1)


class SingleCoilDataTerm(DiagonalDataTerm):
    """A = M F, M a mask: A A^T = M^2 is diagonal in k-space, where y is."""

    def __init__(self, physics, y):
        super().__init__(physics, y)
        self.spectrum = physics.mask.to(y).square()

    @property
    def n_measurements(self):
        return self.spectrum.expand_as(self.y).flatten(1).count_nonzero(1).clamp(min=1)

    def initial_guess(self):
        """Zero filling, A^T y: the pseudo-inverse, for a mask of zeros and ones."""
        return self.A_adjoint(self.y)


class MulticoilDataTerm(DataTerm):
    """A x = (M F S_n x)_n, with the sensitivity maps S_n of the coils (SENSE).

    Pruessmann et al. (1999), "SENSE: sensitivity encoding for fast MRI". Equations are
    solved by conjugate gradient; A^T A does without the shifts of deepinv's products,
    for those of the image cancel.
    """

    # The error of a prox over the step that it makes.
    ACCURACY = 1e-2

    def __init__(self, physics, y):
        super().__init__(physics, y)
        self.maps = physics.coil_maps.to(y.device)
        mask = physics.mask[:, :1].to(y)
        if self.maps.shape[-2:] != y.shape[-2:] or self.maps.shape[1] != y.shape[2]:
            raise NotApplicable(
                f"The coil maps have the shape {tuple(self.maps.shape)} and the "
                f"measurements {tuple(y.shape)}: maps are (B, coils, H, W) where "
                "measurements are (B, 2, coils, H, W)."
            )
        # Where whole columns are kept, the transforms along them cancel too.
        has_columns = bool((mask == mask[..., :1, :]).all())
        self.dims = (-1,) if has_columns else (-2, -1)
        self.spectrum = torch.fft.ifftshift(mask.square(), dim=self.dims)

    def gram(self, x):
        coils = torch.fft.fftn(self.maps * as_complex(x)[:, None], dim=self.dims)
        seen = torch.fft.ifftn(self.spectrum * coils, dim=self.dims)
        return as_channels((self.maps.conj() * seen).sum(1))

    def grad(self, x):
        return self.gram(x) - self.back_projection

    @cached_property
    def back_projection(self):
        return self.A_adjoint(self.y)

    def without(self, x):
        rest = super().without(x)
        rest.__dict__.pop("back_projection", None)
        return rest

    @cached_property
    def lipschitz(self):
        """max_r sum_n |S_n(r)|^2 times that of the mask: ||A||^2 or a little more."""
        sensitivity = self.maps.abs().square().sum(1).max() * self.spectrum.max()
        return max(float(sensitivity), torch.finfo(self.y.dtype).tiny)

    @property
    def n_measurements(self):
        kept = self.spectrum.expand(len(self.y), -1, -1, -1).flatten(1)
        return (2 * self.y.shape[2] * kept.count_nonzero(1)).clamp(min=1)

    def prox(self, z, gamma):
        if gamma == 0:
            return z
        # Near z, where gamma is small, few iterations are needed.
        change = conjugate_gradient(
            lambda d: d + gamma * self.gram(d),
            -gamma * self.grad(z),
            tol=self.ACCURACY / (1 + gamma * self.lipschitz),
        )
        return z + change

    def project_on_range(self, x):
        """x, its singular components of value s times s^2 / (s^2 + t^2).

        t is KERNEL_THRESHOLD times the norm of A: a soft step where the polynomial of
        ``DataTerm`` is a steep one, which takes a thousand products by A^T A.
        """
        reg = KERNEL_THRESHOLD**2 * self.lipschitz
        return conjugate_gradient(
            lambda d: self.gram(d) + reg * d, self.gram(x), tol=1e-4
        )
