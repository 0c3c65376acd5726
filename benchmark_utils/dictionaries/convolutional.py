"""Convolutional dictionaries: images x = sum_k d_k * z_k, through any linear physics.

    min 1/2 ||y - A sum_k d_k * z_k||^2 + lam ||z||_1,  ||d_k|| = 1               (1)

over the codes z (sparse coding), or over the atoms d too (dictionary learning). Images
are (B, C, H, W), atoms (K, C, h, w), codes (B, K, H - h + 1, W - w + 1). An l1
norm on the mean of an image would bias it: the atoms are best used for what is left of
images once their ``low_frequencies`` are known.
"""

from itertools import islice

import torch
from scipy.fft import next_fast_len

from benchmark_utils.common.errors import NotApplicable
from benchmark_utils.dictionaries.learning import SphereAdam
from benchmark_utils.dictionaries.sparse_coding import (
    Lasso,
    check_atoms,
    check_codes,
    check_lam,
    check_measurements,
    fista,
    inner,
    solve,
    warn_if_all_zero,
)
from benchmark_utils.dictionaries.vectors import normalise, randn
from benchmark_utils.physics.closed_forms import BlurDataTerm, DownsamplingDataTerm
from benchmark_utils.physics.smoothing import gaussian_mean

# Values transformed at a time on a CPU: they stay in its cache, and an iteration is
# up to twice as fast.
CHUNK = 2**18
ATOM_DIMS = (-3, -2, -1)


class ConvolutionalDictionary:
    """x = sum_k d_k * z_k: images (B, C, H, W) of codes (B, K, H - h + 1, W - w + 1).

    All the channels of a pixel share its codes. The convolutions are "full", done by
    FFT on a grid that is large enough for nothing to wrap around.

    Parameters
    ----------
    atoms : tensor (K, C, h, w), or (B, K, C, h, w) for a dictionary per image.
    size : tuple (H, W) of the images, not smaller than the atoms.
    """

    def __init__(self, atoms, size):
        if atoms.ndim not in (4, 5):
            raise ValueError(
                "Atoms have shape (K, C, h, w), or (B, K, C, h, w) with a dictionary "
                f"per image, not {tuple(atoms.shape)}."
            )
        check_atoms(atoms, ATOM_DIMS)
        self.size, self.atom_size = tuple(size), tuple(atoms.shape[-2:])
        self.code_size = tuple(
            n - k + 1 for n, k in zip(self.size, self.atom_size, strict=True)
        )
        if min(self.code_size) < 1:
            raise ValueError(
                f"Atoms of {self.atom_size[0]}x{self.atom_size[1]} pixels do not fit "
                f"in an image of {self.size[0]}x{self.size[1]}."
            )
        self.atoms = atoms if atoms.ndim == 5 else atoms[None]
        self.n_atoms, self.n_channels = self.atoms.shape[1:3]
        self.grid = tuple(next_fast_len(n) for n in self.size)
        self.transfer = self._spectrum(self.atoms)
        # Kept, for torch takes longer to conjugate than to multiply.
        self.adjoint_transfer = torch.conj_physical(self.transfer)

    def synthesis(self, z):
        """The images (B, C, H, W) of codes z."""
        x_hat = 0
        for k in self._chunks(len(z)):
            z_hat = self._spectrum(z[:, k, None])
            x_hat = x_hat + (z_hat * self.transfer[:, k]).sum(1)
        return self._inverse(x_hat, self.size)

    def analysis(self, x, out=None):
        """The adjoint of ``synthesis``: correlations of images x with each atom."""
        x_hat = self._spectrum(x)[:, None]
        shape = (len(x), self.n_atoms, *self.code_size)
        z = x.new_empty(shape) if out is None else out
        for k in self._chunks(len(x)):
            z_hat = x_hat[:, :, 0] * self.adjoint_transfer[:, k, 0]
            for c in range(1, self.n_channels):
                z_hat += x_hat[:, :, c] * self.adjoint_transfer[:, k, c]
            z[:, k] = self._inverse(z_hat, self.code_size)
        return z

    def atom_gradient(self, z, x):
        """Derivative of <x, synthesis(z)> in the atoms: (B, K, C, h, w)."""
        x_hat = self._spectrum(x)[:, None]
        gradient = x.new_empty(len(x), *self.atoms.shape[1:])
        for k in self._chunks(len(x)):
            z_hat = self._spectrum(z[:, k, None])
            gradient[:, k] = self._inverse(x_hat * z_hat.conj(), self.atom_size)
        return gradient

    def lipschitz(self, blur=None, factor=1):
        """||D||^2 of each dictionary on the grid, a tight bound: (1 or B,).

        The largest eigenvalue, over the frequencies, of the C x C matrices
        S = sum_k d_k d_k^H of the transfer functions.

        Parameters
        ----------
        blur : tensor (1 or B, 1 or C, H, W // 2 + 1 or W) or None
            The transfer function of a circular convolution of the images, at half of
            the frequencies or at all of them: ||A D||^2.
        factor : int
            One pixel is kept in ``factor`` x ``factor``, after ``blur`` at all of the
            frequencies: S is summed over those that alias.
        """
        if blur is None:
            transfer = self.transfer
        elif blur.shape[-1] < self.size[1]:
            transfer = torch.fft.rfft2(self.atoms, s=self.size) * blur[:, None]
        else:
            transfer = torch.fft.fft2(self.atoms, s=self.size) * blur[:, None] / factor
        # Frequencies that alias onto each other count as more atoms.
        transfer = transfer.unflatten(-1, (factor, -1)).unflatten(-3, (factor, -1))
        transfer = transfer.movedim((-4, -2), (2, 3)).flatten(1, 3)
        if self.n_channels == 1:
            return transfer.abs().square_().sum(1).flatten(1).amax(1)
        channels = transfer.unbind(2)
        S = torch.stack(
            [
                torch.stack([torch.linalg.vecdot(b, a, dim=1) for b in channels], -1)
                for a in channels
            ],
            -2,
        )
        return torch.linalg.eigvalsh(S)[..., -1].flatten(1).amax(1)

    def _chunks(self, n_images):
        """Slices of the atoms that are transformed together."""
        n = self.n_atoms
        if self.atoms.device.type == "cpu":
            n = max(1, CHUNK // (n_images * self.grid[0] * self.grid[1]))
        return [slice(k, k + n) for k in range(0, self.n_atoms, n)]

    def _spectrum(self, planes):
        """The Fourier transform of planes (..., h, w) padded by zeros to the grid."""
        return torch.fft.rfft2(planes, s=self.grid)

    def _inverse(self, spectrum, size):
        """The first rows and columns of the planes that have this Fourier transform."""
        height, width = size
        # Only the rows that are kept take the second transform.
        rows = torch.fft.ifft(spectrum, dim=-2)[..., :height, :]
        return torch.fft.irfft(rows, self.grid[1])[..., :width]


class ConvolutionalLasso(Lasso):
    """M z = A (sum_k d_k * z_k), for any linear physics.

    Parameters
    ----------
    f : DataTerm
        Of the measurements: ``data_term(physics, y)``.
    atoms : tensor (K, C, h, w) or (B, K, C, h, w)
    """

    def __init__(self, f, atoms):
        if not hasattr(f.physics, "A_adjoint"):
            raise ValueError(
                f"{type(f.physics).__name__} has no adjoint (A_adjoint): sparse "
                "coding needs a linear operator."
            )
        check_measurements(f.y)
        shape = f.A_adjoint(f.y).shape
        if len(shape) != 4 or atoms.shape[-3] != shape[1]:
            raise ValueError(
                f"Atoms of shape {tuple(atoms.shape)} do not fit images of shape "
                f"{tuple(shape)}: (K, C, h, w) and (B, C, H, W) have the same C."
            )
        self.data_term = f
        self.dictionary = ConvolutionalDictionary(atoms, shape[-2:])
        if len(self.dictionary.atoms) not in (1, len(f.y)):
            raise ValueError(
                f"There are {len(atoms)} dictionaries for {len(f.y)} images."
            )
        self.energy = inner(f.y, f.y)
        self.code_shape = (
            len(f.y),
            self.dictionary.n_atoms,
            *self.dictionary.code_size,
        )
        if isinstance(f, BlurDataTerm):
            # A blur removes what random atoms have most of: the product of the norms
            # would be ten times too large.
            bound = self.dictionary.lipschitz(f.transfer)
        elif isinstance(f, DownsamplingDataTerm):
            bound = self.dictionary.lipschitz(f.transfer, f.factor)
        else:
            bound = self.dictionary.lipschitz() * float(f.lipschitz)
        self.lipschitz = float(bound) if len(bound) == 1 else bound.view(-1, 1, 1, 1)

    def correlation(self, z, out=None):
        residual = -self.data_term.grad(self.dictionary.synthesis(z))
        return self.dictionary.analysis(residual, out)


# Atoms to start from


def random_atoms(shape, generator):
    """Gaussian convolutional atoms of norm 1: ``shape`` (..., K, C, h, w)."""
    return normalise(randn(shape, generator), ATOM_DIMS)


def patch_atoms(images, n_atoms, atom_size, generator):
    """Atoms cut out of images, without their mean, of norm 1: (n_atoms, C, h, w).

    Patches are drawn with a probability proportional to their variance.

    Parameters
    ----------
    images : tensor (B, C, H, W)
        Degraded images, their holes filled: ``data_term(physics, y).initial_guess()``.
    atom_size : tuple (h, w), not larger than the images.
    """
    height, width = atom_size
    check_atom_size(images.shape, atom_size)
    patches = images.unfold(2, height, 1).unfold(3, width, 1).movedim(1, 3)
    variance = patches.var((-2, -1), correction=0).sum(-1).flatten()
    n_textured = int((variance > 0).sum())
    if not 0 < n_atoms <= n_textured:
        raise ValueError(
            f"{n_atoms} atoms cannot be cut out of the images: they have {n_textured} "
            "patches that are not flat."
        )
    drawn = torch.multinomial(variance, n_atoms, generator=generator)
    cut = patches[torch.unravel_index(drawn, patches.shape[:3])]
    return normalise(cut - cut.mean((-2, -1), keepdim=True), ATOM_DIMS)


def check_atom_size(image_shape, atom_size, n_patches=0):
    """Raise ``NotApplicable`` for atoms (h, w) larger than images (..., H, W).

    Or where an image has less than ``n_patches`` patches of this size.
    """
    (height, width), (h, w) = image_shape[-2:], atom_size
    if h > height or w > width:
        raise NotApplicable(
            f"Atoms of {h}x{w} pixels do not fit in an image of {height}x{width}."
        )
    if (n_found := (height - h + 1) * (width - w + 1)) < n_patches:
        raise NotApplicable(
            f"{n_patches} atoms of {h}x{w} pixels cannot be cut out of an image of "
            f"{height}x{width}, which has {n_found} patches of this size."
        )


def low_frequencies(images, std):
    """Gaussian mean of each channel (B, C, H, W), of width ``std`` pixels; 0 for 0."""
    if std == 0:
        return torch.zeros_like(images)
    return gaussian_mean(images, std, radius=int(4 * std + 0.5), border="symmetric")


# Sparse coding and learning


@torch.no_grad()
def convolutional_code(
    f, atoms, lam, codes=None, n_iter=200, tol=0.0, nonnegative=False
):
    """The codes (B, K, H - h + 1, W - w + 1) of degraded images, for given atoms.

    ``ConvolutionalDictionary(atoms, (H, W)).synthesis`` makes images of them. The
    parameters are those of ``ConvolutionalLasso`` and ``solve``.
    """
    lasso = checked_lasso(f, atoms, lam, codes, nonnegative)
    return solve(lasso, lam, codes, n_iter, tol, nonnegative)


@torch.no_grad()
def coded_images(f, atoms, lam, codes=None, n_iter=200, every=10, nonnegative=False):
    """The images (B, C, H, W) of the codes, at one iteration in ``every``."""
    lasso = checked_lasso(f, atoms, lam, codes, nonnegative)
    iterates = islice(fista(lasso, lam, codes, nonnegative), n_iter)
    for k, z in enumerate(iterates, 1):
        if k % every == 0 or k == n_iter:
            yield lasso.dictionary.synthesis(z)


def checked_lasso(f, atoms, lam, codes, nonnegative):
    check_lam(lam)
    lasso = ConvolutionalLasso(f, atoms)
    check_codes(codes, lasso)
    warn_if_all_zero(lam, float(lasso.lambda_max(nonnegative).max()))
    return lasso


@torch.no_grad()
def learn_convolutional(
    terms, atoms, lam, n_steps=100, n_inner=10, lr=0.02, nonnegative=False
):
    """Atoms for degraded images, from nothing else: yields (atoms, codes).

    Problem (1) is solved over the codes by ``n_inner`` iterations of FISTA from the
    last ones, over the atoms by a step of Adam, in turn.

    Parameters
    ----------
    terms : list of DataTerm
        ``data_term(physics, y)`` of batches of images; each step takes the next one.
    atoms : tensor (K, C, h, w), or (B, K, C, h, w)
        Where to start: ``patch_atoms`` or ``random_atoms``. With B of them, each image
        of the batch learns its own.
    lr : float
        0.02 suits random atoms; 0.01 those cut out of images.
    nonnegative : bool
        Whether codes are at least 0.

    Yields
    ------
    atoms : tensor, the shape of those given.
    codes : tensor (B, K, H - h + 1, W - w + 1), of the batch of this step.
    """
    if not terms:
        raise ValueError("There is no image to learn atoms from.")
    adam = SphereAdam(normalise(atoms, ATOM_DIMS), ATOM_DIMS, lr, n_steps)
    all_codes = [None] * len(terms)
    for k in range(n_steps):
        i = k % len(terms)
        if all_codes[i] is None:
            lasso = checked_lasso(terms[i], adam.atoms, lam, None, nonnegative)
        else:
            lasso = ConvolutionalLasso(terms[i], adam.atoms)
        codes = solve(lasso, lam, all_codes[i], n_inner, 0, nonnegative)
        residual = terms[i].grad(lasso.dictionary.synthesis(codes))
        gradient = lasso.dictionary.atom_gradient(codes, residual)
        if k + len(terms) < n_steps:
            all_codes[i] = codes
        yield adam.step(gradient.sum(0) if atoms.ndim == 4 else gradient), codes
