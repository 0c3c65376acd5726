"""Products with the matrix of a scanner, of which one ray of each orbit is kept."""

import warnings
from dataclasses import dataclass, replace

import numpy as np
import torch

# Columns that a matrix is multiplied with at once: MKL takes hardly longer for 16 than
# for 8, and far longer for 64.
CPU_COLUMNS, GPU_COLUMNS = 16, 256


@dataclass(frozen=True)
class RayProducts:
    """A and A^T on one device and of one dtype, by the symmetries of the scanner.

    Attributes
    ----------
    matrix, transposed : sparse tensors (n_kept, H W) and (H W, n_kept)
        Of the rays that are kept.
    sources : int tensor (n_rays,)
    pixels : int tensor (H W n_moves,)
        As in ``Symmetries``.
    places : int tensor (H W n_moves,)
        The inverse of ``pixels``: where each pixel of the image is in the products
        (H W, n_moves), flattened, once for each move.
    """

    matrix: torch.Tensor
    transposed: torch.Tensor
    sources: torch.Tensor
    pixels: torch.Tensor
    places: torch.Tensor

    @classmethod
    def by(cls, symmetries, transposed):
        """From ``Symmetries``, and the scipy matrix (H W, n_kept) of their rays."""
        pixels = symmetries.pixels
        moves = np.arange(pixels.shape[1])
        places = pixels.argsort(0) * len(moves) + moves
        indices = symmetries.sources, pixels.ravel(), places.ravel()
        return cls(
            *(_to_torch(matrix) for matrix in (transposed.T.tocsr(), transposed)),
            *(torch.from_numpy(index) for index in indices),
        )

    def to(self, device, dtype):
        names = "sources", "pixels", "places"
        return replace(
            self,
            matrix=self.matrix.to(device, dtype),
            transposed=self.transposed.to(device, dtype),
            **{name: getattr(self, name).to(device) for name in names},
        )

    def A(self, x):
        """The rays (..., n_rays) of images (..., H W); it has gradients."""
        return _Linear.apply(x, self.forward, self.back)

    def A_adjoint(self, y):
        """Images (..., H W) from rays (..., n_rays); it has gradients."""
        return _Linear.apply(y, self.back, self.forward)

    def forward(self, x):
        """(n, n_rays) from (n, H W)."""
        return torch.cat([self._forward(part) for part in self._parts(x)])

    def back(self, y):
        """(n, H W) from (n, n_rays)."""
        return torch.cat([self._back(part) for part in self._parts(y)])

    @property
    def n_moves(self):
        return len(self.pixels) // self.transposed.shape[0]

    def _parts(self, signals):
        """Some signals, whose moved images are the columns of one product."""
        is_on_cpu = signals.device.type == "cpu"
        columns = CPU_COLUMNS if is_on_cpu else GPU_COLUMNS
        return signals.split(max(1, columns // self.n_moves))

    def _forward(self, x):
        n, n_pixels = x.shape
        moved = x.new_empty(n_pixels, n, self.n_moves)
        for k, image in enumerate(x):
            moved[:, k] = image.index_select(0, self.pixels).view(n_pixels, -1)
        products = _product(self.matrix, moved.flatten(1)).unflatten(1, (n, -1))
        return products.transpose(0, 1).flatten(1).index_select(1, self.sources)

    def _back(self, y):
        n, n_kept = len(y), self.matrix.shape[0]
        products = y.new_zeros(n, n_kept * self.n_moves)
        products.index_add_(1, self.sources, y)
        products = products.view(n, n_kept, -1).transpose(0, 1).flatten(1)
        moved = _product(self.transposed, products).view(-1, n, self.n_moves)
        images = [
            image.flatten().index_select(0, self.places).view(-1, self.n_moves).sum(1)
            for image in moved.unbind(1)
        ]
        return torch.stack(images)


class _Linear(torch.autograd.Function):
    """A linear map of the last axis, whose gradient is its adjoint."""

    @staticmethod
    def forward(context, v, function, adjoint):
        context.pair = adjoint, function
        return function(v.reshape(-1, v.shape[-1])).view(*v.shape[:-1], -1)

    @staticmethod
    def backward(context, gradient):
        return _Linear.apply(gradient, *context.pair), None, None


def _product(matrix, columns):
    # MKL's product with a vector is twice as fast as that with one column.
    if columns.shape[1] == 1:
        return (matrix @ columns[:, 0])[:, None]
    return matrix @ columns


def _to_torch(matrix):
    # MKL is twice as fast with indices of 32 bits.
    parts = matrix.indptr.astype("i4"), matrix.indices.astype("i4"), matrix.data
    parts = [torch.from_numpy(part) for part in parts]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta")
        return torch.sparse_csr_tensor(*parts, matrix.shape, check_invariants=False)
