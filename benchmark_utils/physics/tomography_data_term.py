"""The data term of tomography: conjugate gradient with a preconditioner.

A^T A is near to a circular convolution, whose transfer function falls as the inverse of
the frequency; its inverse is the ramp filter. It makes conjugate gradient several times
faster (Fessler and Booth, 1999, "Conjugate-gradient preconditioning methods for
shift-variant PET image reconstruction").
"""

from functools import cached_property

import torch

from benchmark_utils.physics.iterative import conjugate_gradient
from benchmark_utils.physics.least_squares import DataTerm

# Of the transfer function, relative to its largest value: what is below is rounding, or
# has not been measured.
SMALLEST = 1e-3


class TomographyDataTerm(DataTerm):
    """f where A^T A is near to a circular convolution of the image."""

    @cached_property
    def spectrum(self):
        """The transfer function of A^T A at the centre of the image.

        Tensor (B, C, H, W // 2 + 1), above 0.
        """
        pixel = torch.zeros_like(self.A_adjoint(self.y))
        height, width = pixel.shape[-2:]
        pixel[..., height // 2, width // 2] = 1
        seen = self.A_adjoint(self.A(pixel))
        seen = seen.roll((-(height // 2), -(width // 2)), (-2, -1))
        transfer = torch.fft.rfft2(seen).real
        return transfer.clamp(min=SMALLEST * self.lipschitz)
