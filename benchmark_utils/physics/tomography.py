"""Computed tomography: the X-ray transform of images as a sparse matrix.

Conventions
-----------
An image holds attenuations in [0, 1]: 1 is MAX_ATTENUATION, and its width is
FIELD_OF_VIEW. A is the matrix of line integrals (rays.py) divided by its norm:
||A|| = 1. A sinogram is (B, C, bins, angles); that of a disc of ones as wide as the
image goes from 0 to ``sinogram_range``, which noise levels are relative to.
"""

import hashlib
import math
import zipfile
from weakref import WeakValueDictionary

import deepinv as dinv
import numpy as np
import scipy.sparse
import torch

from benchmark_utils.common.checksums import sha256
from benchmark_utils.common.errors import NotApplicable
from benchmark_utils.common.paths import cache_folder
from benchmark_utils.common.shared_files import incoming, locked
from benchmark_utils.physics import iterative, ray_products, rays, symmetries
from benchmark_utils.physics.iterative import MARGIN, largest_eigenvalue
from benchmark_utils.physics.ray_products import RayProducts
from benchmark_utils.physics.symmetries import Symmetries

# Per cm: 2.5 times that of water at 70 keV, which is 0.2; and cm.
MAX_ATTENUATION = 0.5
FIELD_OF_VIEW = 40.0

# Of ``Matrices.transfer``, relative to its largest value: what is lower has not been
# measured (limited angles), or is rounding.
SMALLEST_TRANSFER = 0.01

# What shapes a matrix that is kept.
MODULES = iterative, ray_products, rays, symmetries
CODE = [__file__, *(module.__file__ for module in MODULES)]


class Matrices:
    """A and A^T of a geometry, divided by the norm; copies of a physics share them.

    They are kept in the cache folder, under a name that is told by the geometry and by
    the code that makes them.

    Attributes
    ----------
    norm : float
        What the line integrals, in pixels, were divided by.
    transfer : tensor (height, width // 2 + 1), above 0
        A^T A at the centre of the image, as the transfer function of a circular
        convolution, which falls as the inverse of the frequency: its inverse is the
        ramp filter.
    bound : float
        A^T A is at most ``bound`` times this convolution.
    """

    _alive = WeakValueDictionary()

    @classmethod
    def of(cls, geometry):
        """Those of this geometry, which are made once."""
        found = cls._alive.get(geometry)
        if found is None:
            orbits = Symmetries(geometry)
            made = _cached(geometry, orbits)
            found = cls._alive[geometry] = cls(orbits, *made)
        return found

    def __init__(self, orbits, transposed, norm, transfer, bound):
        self.norm, self.bound = float(norm), float(bound)
        self.transfer = torch.from_numpy(transfer)
        self._products = RayProducts.by(orbits, transposed)
        self._on = {}

    def __deepcopy__(self, memo):
        return self

    def on(self, like):
        """The products, on the device and with the dtype of a tensor."""
        key = like.device, like.dtype
        if key not in self._on:
            self._on[key] = self._products.to(*key)
        return self._on[key]


def _cached(geometry, orbits):
    """What ``_made`` gives, from the cache folder if it is there."""
    folder = cache_folder("tomography")
    code = [sha256(path) for path in CODE]
    name = hashlib.sha256(f"{geometry} {code}".encode()).hexdigest()[:24] + ".npz"
    if (made := _read(folder / name)) is not None:
        return made
    try:
        with locked(folder):
            # Another process may have made it meanwhile.
            made = _read(folder / name)
            if made is None:
                made = _made(geometry, orbits)
                _write(folder, name, made)
    except OSError as error:
        print(
            f"The matrix of the scanner cannot be kept in {folder} "
            f"({type(error).__name__}): each process makes it anew. Set "
            "BENCHMARK_CACHE to a folder that can be written."
        )
    return made or _made(geometry, orbits)


def _read(path):
    """What ``_write`` has written, or None where it is not there, or damaged."""
    try:
        with np.load(path) as file:
            parts = file["data"], file["indices"], file["indptr"]
            matrix = scipy.sparse.csr_array(parts, shape=file["shape"])
            return matrix, file["norm"], file["transfer"], file["bound"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None


def _write(folder, name, made):
    matrix, norm, transfer, bound = made
    with incoming(folder) as temporary:
        np.savez(
            temporary / name,
            data=matrix.data,
            indices=matrix.indices,
            indptr=matrix.indptr,
            shape=matrix.shape,
            norm=norm,
            transfer=transfer,
            bound=bound,
        )


def _made(geometry, orbits):
    """The transposed matrix, over its norm, and the three others of ``Matrices``."""
    transposed = geometry.transposed_matrix(orbits.rays)
    products = RayProducts.by(orbits, transposed)

    def gram(x):
        return products.back(products.forward(x.flatten(1))).view_as(x)

    image = torch.zeros(1, geometry.height, geometry.width)
    square = largest_eigenvalue(gram, image)
    image[0, geometry.height // 2, geometry.width // 2] = 1
    shift = -(geometry.height // 2), -(geometry.width // 2)
    transfer = torch.fft.rfft2(gram(image)[0].roll(shift, (0, 1))).real / square
    transfer = transfer.clamp(min=SMALLEST_TRANSFER * float(transfer.max()))
    scale = transfer.rsqrt()

    def whitened(x):
        x = torch.fft.irfft2(scale * torch.fft.rfft2(x), s=x.shape[-2:])
        x = torch.fft.rfft2(gram(x) / square)
        return torch.fft.irfft2(scale * x, s=image.shape[-2:])

    bound = MARGIN * largest_eigenvalue(whitened, image, tol=1e-3)
    norm = math.sqrt(square)
    transposed.data /= np.float32(norm)
    return transposed, norm, transfer.numpy(), bound


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

    @property
    def level_unit(self):
        """What 1 is for the noise of images: their usual level is 0.01, 0.002 here."""
        return 0.2 * self.sinogram_range

    def A(self, x, **kwargs):
        size = self.geometry.height, self.geometry.width
        if tuple(x.shape[-2:]) != size:
            raise NotApplicable(
                "The image has {}x{} pixels, and this geometry is for {}x{}.".format(
                    *x.shape[-2:], *size
                )
            )
        rows = self.matrices.on(x).A(x.flatten(-2))
        sides = self.geometry.n_angles, self.geometry.n_bins
        return rows.unflatten(-1, sides).mT.contiguous()

    def A_adjoint(self, y, **kwargs):
        check_sinogram(y, self.geometry)
        rows = self.matrices.on(y).A_adjoint(y.mT.flatten(-2))
        return rows.unflatten(-1, (self.geometry.height, self.geometry.width))


def check_sinogram(y, geometry):
    """Raise ``NotApplicable`` unless y (..., bins, angles) is of this geometry."""
    sides = geometry.n_bins, geometry.n_angles
    if tuple(y.shape[-2:]) != sides:
        raise NotApplicable(
            "The sinogram has {} bins and {} angles, and this geometry has {} bins and "
            "{} angles: give one column for each angle.".format(*y.shape[-2:], *sides)
        )


def check_tomography(name, batches):
    """Raise ``NotApplicable`` for a solver of this name, unless y are sinograms."""
    if not all(isinstance(batch.physics, Tomography) for batch in batches):
        raise NotApplicable(
            f"{name} takes sinograms: choose a problem of tomography (ct, ct_sparse, "
            "ct_limited or ct_fan)."
        )
