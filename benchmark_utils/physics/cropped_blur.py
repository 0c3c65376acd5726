"""The data term of a blur that looks at no pixel outside of the image.

A = crop of a circular convolution: y is smaller than x. The prox has the dual form

    prox(z) = z + A^T (A A^T + 1/gamma)^{-1} (y - A z)

(Woodbury), where A A^T is a convolution of y that does not wrap around. It is solved by
conjugate gradient, preconditioned by the convolution that does (T. Chan, 1988, "An
Optimal Circulant Preconditioner for Toeplitz Systems"; here, the power of the kernel on
the grid of y). Masking the larger circular problem (Almeida and Figueiredo, 2013,
"Deconvolving Images with Unknown Boundaries Using the Alternating Direction Method of
Multipliers") has closed forms too, but with one more variable, which is for ADMM alone.
"""

import deepinv as dinv
import torch
from torch.nn import functional as F

from benchmark_utils.physics.iterative import conjugate_gradient
from benchmark_utils.physics.least_squares import DataTerm

# Of the largest power, what the preconditioner adds where nothing regularises.
FLOOR = 1e-6


class CroppedBlurDataTerm(DataTerm):
    """f where A is ``deepinv.physics.Blur(filter, padding="valid")``."""

    def __init__(self, physics, y):
        super().__init__(physics, y)
        h, w = physics.filter.shape[-2:]
        height, width = y.shape[-2:]
        self.size = (height + h - 1, width + w - 1)
        self.margins = (w - 1 - w // 2, w // 2, h - 1 - h // 2, h // 2)
        self.transfer = dinv.physics.functional.filter_fft(
            physics.filter, (1, *self.size), real_fft=True, dims=(-2, -1)
        )
        self.power = periodised_power(physics.filter, (height, width))

    def A(self, x):
        left, _, top, _ = self.margins
        height, width = self.y.shape[-2:]
        blurred = self._filtered(self.transfer, x)
        return blurred[..., top : top + height, left : left + width]

    def A_adjoint(self, y):
        return self._filtered(self.transfer.conj(), F.pad(y, self.margins))

    def _filtered(self, transfer, x):
        return torch.fft.irfft2(transfer * torch.fft.rfft2(x), s=self.size)

    def prox(self, z, gamma):
        if gamma == 0:
            return z
        return z + self.A_adjoint(self._solve(self.y - self.A(z), 1 / gamma))

    def pseudo_inverse(self, reg):
        return self.A_adjoint(self._solve(self.y, reg))

    def initial_guess(self):
        """What explains y nearest to y itself, its border repeated outside of it.

        The pseudo-inverse is nearly black where the pixels of y hardly look.
        """
        repeated = F.pad(self.y, self.margins, mode="replicate")
        return self.prox(repeated, 1 / (0.01 * self.lipschitz))

    def _solve(self, b, reg):
        """(A A^T + reg)^{-1} b."""
        weights = 1 / (self.power + max(reg, FLOOR * float(self.power.max())))
        return conjugate_gradient(
            lambda u: self.A(self.A_adjoint(u)) + reg * u,
            b,
            precondition=lambda r: torch.fft.irfft2(
                weights * torch.fft.rfft2(r), s=r.shape[-2:]
            ),
        )


def periodised_power(kernel, size):
    """|K|^2 at the frequencies of a grid of this size, which may be smaller than K."""
    (h, w), (rows, columns) = kernel.shape[-2:], size
    folded = F.pad(kernel, (0, -w % columns, 0, -h % rows))
    folded = folded.unflatten(-1, (-1, columns)).unflatten(-3, (-1, rows))
    return torch.fft.rfft2(folded.sum((-4, -2))).abs().square()
