"""Computed tomography: the X-ray transform of images as a sparse matrix.

Conventions
-----------
An image holds attenuations in [0, 1]: 1 is MAX_ATTENUATION, and its width is
FIELD_OF_VIEW. A ray at the angle theta and the signed distance t from the centre of the
image is the line x cos(theta) + y sin(theta) = t, x to the right and y upwards, in
pixels; angle 0 sums columns, as in skimage.transform.radon. A is the matrix of line
integrals divided by its norm: ||A|| = 1. A sinogram is (B, C, bins, angles); that of a
disc of ones as wide as the image goes from 0 to ``sinogram_range``, which noise levels
are relative to.

A pixel is split into four, and the centre of each of them is interpolated linearly
between two bins of the detector, which are as wide as a pixel is at the centre of the
image: the area of a pixel is what the bins of an angle sum to.
"""

import hashlib
import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from weakref import WeakValueDictionary

import deepinv as dinv
import numpy as np
import scipy.sparse
import torch

from benchmark_utils.common.errors import NotApplicable
from benchmark_utils.common.paths import cache_folder
from benchmark_utils.common.shared_files import incoming, locked
from benchmark_utils.physics.iterative import largest_eigenvalue

# Per cm: 2.5 times that of water at 70 keV, which is 0.2; and cm.
MAX_ATTENUATION = 0.5
FIELD_OF_VIEW = 40.0

# Where the centres of the four parts of a pixel are, from its own.
PARTS = [(row, column) for row in (-0.25, 0.25) for column in (-0.25, 0.25)]


@dataclass(frozen=True)
class Geometry:
    """Where the rays are.

    Attributes
    ----------
    height, width : int
        Of the image, in pixels.
    n_angles : int
        Evenly from 0, the end of ``angular_range`` left out.
    angular_range : float
        In degrees.
    source : float or None
        Distance of the source of a fan beam from the centre, in diagonals of the image;
        None for a parallel beam. The flat detector is drawn at the centre.
    """

    height: int
    width: int
    n_angles: int
    angular_range: float = 180.0
    source: float | None = None

    @property
    def diagonal(self):
        return math.hypot(self.height, self.width)

    @property
    def n_bins(self):
        """So many that no ray through the image misses the detector."""
        if self.source is None:
            return math.ceil(self.diagonal)
        tangent = self.diagonal / 2 / math.sqrt(self.source**2 - 0.25) * self.source
        return math.ceil(2 * tangent)

    @cached_property
    def angles(self):
        """In radians: (n_angles,)."""
        return np.radians(np.arange(self.n_angles) * self.angular_range / self.n_angles)

    def on_detector(self, angle, shift=(0.0, 0.0)):
        """Where the centres of the pixels, moved by ``shift``, are seen.

        Returns
        -------
        bins : array (H, W)
            The position on the detector, in bins; 0 is the centre of the first.
        magnification : array (H, W), or 1
            Of lengths along the detector: 1 for a parallel beam.
        """
        y = (self.height - 1) / 2 - np.arange(self.height)[:, None] - shift[0]
        x = np.arange(self.width) - (self.width - 1) / 2 + shift[1]
        t = x * np.cos(angle) + y * np.sin(angle)
        middle = (self.n_bins - 1) / 2
        if self.source is None:
            return t + middle, 1.0
        distance = self.source * self.diagonal
        towards_source = x * np.sin(angle) - y * np.cos(angle)
        magnification = distance / (distance - towards_source)
        return magnification * t + middle, magnification

    @property
    def cosines(self):
        """Of the angle between each ray and the middle one: (n_bins,)."""
        if self.source is None:
            return np.ones(self.n_bins)
        offsets = np.arange(self.n_bins) - (self.n_bins - 1) / 2
        return 1 / np.hypot(1, offsets / (self.source * self.diagonal))

    def transposed_matrix(self):
        """Of the line integrals, in pixels: scipy.sparse (H W, angles x bins).

        Rows of the transpose are made of one pixel each: nothing has to be sorted.
        """
        seen = [self._seen_by_a_bin(angle) for angle in self.angles]
        n_slots = max(weights.shape[1] for _, weights in seen)
        shape = (self.height * self.width, self.n_angles, n_slots)
        columns, values = np.zeros(shape, np.int32), np.zeros(shape, np.float32)
        for k, (first, weights) in enumerate(seen):
            slots = first[:, None] + np.arange(n_slots)
            columns[:, k] = k * self.n_bins + slots.clip(max=self.n_bins - 1)
            values[:, k, : weights.shape[1]] = weights
        starts = np.arange(shape[0] + 1, dtype=np.int32) * (shape[1] * shape[2])
        matrix = scipy.sparse.csr_array(
            (values.ravel(), columns.ravel(), starts),
            shape=(shape[0], self.n_angles * self.n_bins),
        )
        matrix.eliminate_zeros()
        return matrix

    def _seen_by_a_bin(self, angle):
        """The first bin that sees each pixel, and what it and the next ones see.

        Returns
        -------
        first : int array (H W,)
        weights : float32 array (H W, number of bins)
        """
        parts = [self.on_detector(angle, shift) for shift in PARTS]
        bins = np.stack([b.ravel() for b, _ in parts])
        # A line integral is per unit of length across the ray, and a bin is wide.
        areas = np.stack([np.broadcast_to(m, b.shape).ravel() for b, m in parts])
        areas = areas / (len(PARTS) * np.interp(bins, _bins(self), self.cosines))
        left = np.floor(bins).astype(np.int32).clip(0, self.n_bins - 2)
        first = left.min(0)
        weights = np.zeros((len(first), (left - first).max() + 2), np.float32)
        pixels = np.arange(len(first))
        for part, area, bin_ in zip(bins, areas, left):
            weights[pixels, bin_ - first] += area * (1 - (part - bin_))
            weights[pixels, bin_ - first + 1] += area * (part - bin_)
        return first, weights


def _bins(geometry):
    return np.arange(geometry.n_bins)


class Matrices:
    """A and A^T of a geometry, divided by the norm; copies of a physics share them.

    They are kept in the cache folder, under a name that is told by the geometry and by
    the code of this file.
    """

    _alive = WeakValueDictionary()

    @classmethod
    def of(cls, geometry):
        """Those of this geometry, which are made once."""
        found = cls._alive.get(geometry)
        if found is None:
            found = cls._alive[geometry] = cls(geometry)
        return found

    def __init__(self, geometry):
        transposed, self.norm = _cached(geometry)
        self._on = {}
        pair = transposed.T.tocsr(), transposed
        self._pair = tuple(_to_torch(matrix) for matrix in pair)

    def __deepcopy__(self, memo):
        return self

    def on(self, like):
        """(A, A^T) on the device and with the dtype of a tensor."""
        key = like.device, like.dtype
        if key not in self._on:
            self._on[key] = tuple(matrix.to(*key) for matrix in self._pair)
        return self._on[key]


def _to_torch(matrix):
    # MKL is twice as fast with indices of 32 bits.
    parts = matrix.indptr.astype("i4"), matrix.indices.astype("i4"), matrix.data
    parts = [torch.from_numpy(part) for part in parts]
    return torch.sparse_csr_tensor(*parts, matrix.shape, check_invariants=False)


def _cached(geometry):
    """A^T / ||A|| (scipy.sparse) and ||A||, from the cache folder or made now."""
    folder = cache_folder()
    if folder is None:
        return _made(geometry)
    code = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
    name = hashlib.sha256(f"{geometry} {code}".encode()).hexdigest()[:24]
    folder = folder / "tomography"
    with locked(folder):
        try:
            with np.load(folder / f"{name}.npz") as file:
                parts = file["data"], file["indices"], file["indptr"]
                shape, norm = tuple(file["shape"]), float(file["norm"])
            return scipy.sparse.csr_array(parts, shape=shape), norm
        except (OSError, ValueError, KeyError, EOFError):
            # It is not there, or damaged.
            matrix, norm = _made(geometry)
        with incoming(folder) as temporary:
            np.savez(
                temporary / f"{name}.npz",
                data=matrix.data,
                indices=matrix.indices,
                indptr=matrix.indptr,
                shape=matrix.shape,
                norm=norm,
            )
    return matrix, norm


def _made(geometry):
    transposed = geometry.transposed_matrix()
    A = transposed.T.tocsr()
    square = largest_eigenvalue(
        lambda x: torch.from_numpy(transposed @ (A @ x[0].numpy()))[None],
        torch.zeros(1, transposed.shape[0]),
    )
    norm = math.sqrt(square)
    transposed.data /= np.float32(norm)
    return transposed, norm


class Product(torch.autograd.Function):
    """matrix @ v for each signal of v (B, C, n); its gradient is by the transpose."""

    @staticmethod
    def forward(context, v, matrix, transposed):
        context.matrices = transposed, matrix
        signals = v.reshape(-1, v.shape[-1])
        # For one signal, MKL's product with a vector is twice as fast.
        product = (
            (matrix @ signals[0])[None]
            if len(signals) == 1
            else (matrix @ signals.T).T
        )
        return product.reshape(*v.shape[:-1], -1)

    @staticmethod
    def backward(context, gradient):
        return Product.apply(gradient, *context.matrices), None, None


class Tomography(dinv.physics.LinearPhysics):
    """A of one geometry, on the CPU or on a GPU, its adjoint exact to rounding.

    Images are (B, C, height, width), and sinograms (B, C, n_bins, n_angles).
    """

    squared_norm = 1.0

    def __init__(self, geometry):
        super().__init__()
        self.geometry, self.matrices = geometry, Matrices.of(geometry)

    @property
    def norm(self):
        """What the line integrals, in pixels, are divided by."""
        return self.matrices.norm

    @property
    def attenuation_scale(self):
        """What A x is multiplied by to be an integral of attenuations: -log(I / I0)."""
        return self.norm * MAX_ATTENUATION * FIELD_OF_VIEW / self.geometry.width

    @property
    def sinogram_range(self):
        """The largest value for a disc of ones as wide as the image."""
        return min(self.geometry.height, self.geometry.width) / self.norm

    def A(self, x, **kwargs):
        size = self.geometry.height, self.geometry.width
        if tuple(x.shape[-2:]) != size:
            raise NotApplicable(
                "The image has {}x{} pixels, and this geometry is for {}x{}.".format(
                    *x.shape[-2:], *size
                )
            )
        rows = Product.apply(x.flatten(-2), *self.matrices.on(x))
        sides = self.geometry.n_angles, self.geometry.n_bins
        return rows.unflatten(-1, sides).mT.contiguous()

    def A_adjoint(self, y, **kwargs):
        check_sinogram(y, self.geometry)
        rows = Product.apply(y.mT.flatten(-2), *self.matrices.on(y)[::-1])
        return rows.unflatten(-1, (self.geometry.height, self.geometry.width))


def check_sinogram(y, geometry):
    """Raise ``NotApplicable`` unless y (..., bins, angles) is of this geometry."""
    sides = geometry.n_bins, geometry.n_angles
    if tuple(y.shape[-2:]) != sides:
        raise NotApplicable(
            "The sinogram has {} bins and {} angles, and this geometry has {} bins and "
            "{} angles: give one column for each angle.".format(*y.shape[-2:], *sides)
        )
