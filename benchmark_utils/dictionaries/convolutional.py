"""Convolutional dictionaries: images x = sum_k d_k * z_k, and back."""

import torch
from scipy.fft import next_fast_len

from benchmark_utils.dictionaries.checks import check_atoms

# Values transformed at a time on a CPU: they stay in its cache, and an iteration is
# up to twice as fast.
CHUNK = 2**18
# An atom (C, h, w) is a small image.
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
