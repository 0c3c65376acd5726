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

    Pruessmann et al. (1999), "SENSE: sensitivity encoding for fast MRI". A^T A does
    without the shifts of deepinv's products, for those of the image cancel. Where whole
    columns of k-space are kept, it mixes the pixels of a row alone: equations are
    solved with its eigenvectors (``RowSpectra``); else, by conjugate gradient.
    """

    # The error of a prox over the step that it makes, by conjugate gradient.
    ACCURACY = 1e-2
    # Of the eigenvectors: above, to find them takes longer than what they save.
    MAX_BYTES = 200e6

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
        self.has_columns = bool((mask == mask[..., :1, :]).all())
        self.dims = (-1,) if self.has_columns else (-2, -1)
        self.spectrum = torch.fft.ifftshift(mask.square(), dim=self.dims)
        # Found here by the copies of this physics too.
        if not hasattr(physics, "row_spectra"):
            physics.row_spectra = RowSpectra()
        self.row_spectra = physics.row_spectra

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

    @property
    def has_closed_prox(self):
        """Whether the eigenvectors of A^T A are known, or are worth finding.

        They are not for a copy of an operator that has become another one: a training
        draws some images of a batch, and others at the next step.
        """
        spectrum = self.spectrum[..., 0, :]
        return self._has_few_vectors and self.row_spectra.may_serve(self.maps, spectrum)

    @property
    def _has_few_vectors(self):
        """Whether A^T A has eigenvectors row by row, and these are not too many."""
        n_images = max(len(self.maps), len(self.spectrum))
        height, width = self.spectrum.shape[-2:]
        n_bytes = n_images * height * width**2 * self.maps.element_size()
        return self.has_columns and n_bytes <= self.MAX_BYTES

    def _filtered(self, x, response):
        """x, the eigenvectors of A^T A times the response of their eigenvalues."""
        spectra = self._found_spectra()
        return spectra.filtered(x, response(spectra.values))

    def _found_spectra(self):
        self.row_spectra.find(self.maps, self.spectrum[..., 0, :])
        return self.row_spectra

    def prepare(self):
        super().prepare()
        if self._has_few_vectors:
            self._found_spectra()
        else:
            self.row_spectra.is_worth_finding = False

    def prox(self, z, gamma):
        if gamma == 0:
            return z
        if self.has_closed_prox:
            step = gamma * self.grad(z)
            return z - self._filtered(step, lambda values: 1 / (1 + gamma * values))
        # Near z, where gamma is small, few iterations are needed.
        change = conjugate_gradient(
            lambda d: d + gamma * self.gram(d),
            -gamma * self.grad(z),
            tol=self.ACCURACY / (1 + gamma * self.lipschitz),
        )
        return z + change

    def pseudo_inverse(self, reg):
        if self.has_closed_prox and reg > 0:
            seen = self.back_projection
            return self._filtered(seen, lambda values: 1 / (values + reg))
        return super().pseudo_inverse(reg)

    def project_on_range(self, x):
        """x, its singular components of value s times s^2 / (s^2 + t^2).

        t is KERNEL_THRESHOLD times the norm of A: a soft step where the polynomial of
        ``DataTerm`` is a steep one, which takes a thousand products by A^T A.
        """
        reg = KERNEL_THRESHOLD**2 * self.lipschitz
        if self.has_closed_prox:
            return self._filtered(x, lambda values: values / (values + reg))
        return conjugate_gradient(
            lambda d: self.gram(d) + reg * d, self.gram(x), tol=1e-4
        )


class RowSpectra:
    """The eigenvalues and eigenvectors of A^T A for columns of k-space, row by row.

    Of the pixels i and j of a row, S_n being the maps of the coils and c the inverse
    transform of the squared mask,

        (A^T A)_ij = c_(i - j) sum_n conj(S_n(i)) S_n(j),

    one Hermitian matrix for each row. They are found when they are first asked for, and
    belong to an operator: the copies of its physics share them.

    Attributes
    ----------
    values : tensor (B or 1, H, W), in [0, ||A||^2].
    vectors : tensor (B or 1, H, W, W), complex: those of a row are its columns.
    is_worth_finding : bool
        False where those of all the images are too many: some of them would serve no
        other ones.
    """

    def __init__(self):
        self.maps = self.spectrum = self.values = self.vectors = None
        self.is_worth_finding = True

    def __deepcopy__(self, memo):
        return self

    def may_serve(self, maps, spectrum):
        """Whether they are those of these maps and squared masks, or of none yet."""
        if self.values is None:
            return self.is_worth_finding
        return _is_same(maps, self.maps) and _is_same(spectrum, self.spectrum)

    @torch.inference_mode(False)  # so that they also serve where gradients are taken
    @torch.no_grad()
    def find(self, maps, spectrum):
        """Make sure that they are those of these maps and squared masks.

        Parameters
        ----------
        maps : complex tensor (B or 1, coils, H, W)
        spectrum : tensor (B or 1, 1, W), the origin first.
        """
        if self.values is not None and self.may_serve(maps, spectrum):
            return
        n = maps.shape[-1]
        places = torch.arange(n, device=maps.device)
        c = torch.fft.ifft(spectrum)[..., (places[:, None] - places) % n]
        of_coils = maps.permute(0, 2, 3, 1)
        values, vectors = torch.linalg.eigh(c * (of_coils.conj() @ of_coils.mT))
        self.values, self.vectors = values.clamp(min=0), vectors
        # Copies: the maps of a physics may be changed in place.
        self.maps, self.spectrum = maps.clone(), spectrum.clone()

    def filtered(self, x, weights):
        """x (B, 2, H, W), each eigenvector of it times its weight, of ``values``."""
        x, vectors = as_complex(x), self.vectors
        # One matrix for a row of all the images, or one for that of each image.
        rows = x.permute(1, 2, 0)[None] if len(vectors) == 1 else x[..., None]
        found = weights[..., None] * (vectors.mT @ rows.conj()).conj()
        found = vectors @ found
        x = found[0].permute(2, 0, 1) if len(vectors) == 1 else found[..., 0]
        return as_channels(x)


def _is_same(a, b):
    return b is not None and a.device == b.device and torch.equal(a, b)
