"""The problems of deblurring: a kernel, and what solvers are told of it.

Blurs wrap around the border (circular convolution), so that A is the same operator for
every solver, with no hidden extrapolation outside of the image. Blurs of
``boundary=valid`` give the pixels alone that see no border, as a camera does: y is
smaller than x.
"""

import copy
from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path

import deepinv as dinv
import numpy as np
import torch
from scipy import ndimage

from benchmark_utils.common.errors import NotApplicable
from benchmark_utils.common.parameters import NUMBER, POSITIVE, Constraint, one_of
from benchmark_utils.physics.problem import Problem, strength, told_strength
from benchmark_utils.physics.psf import check_kernel_fits, read_kernel

LEVIN09 = Path(__file__).parent / "kernels" / "levin09.npz"
N_KERNELS = 8

# The 25x25 square cuts wider blurs: at 5, what is left has a deviation of 4.8.
BLUR_STD = Constraint(
    lambda v: POSITIVE.is_valid(v) and v <= 4, "a number above 0, 4 at most"
)

KERNEL_FILE = Constraint(
    lambda v: isinstance(v, str) and bool(v.strip()), "a file, as /my/psf.npy"
)
KERNEL = Constraint(
    lambda v: one_of(*range(1, N_KERNELS + 1)).is_valid(v) or KERNEL_FILE.is_valid(v),
    f"a number from 1 to {N_KERNELS}, or a file, as /my/psf.npy",
)


@dataclass(frozen=True)
class Deblurring(Problem):
    """A blur, circular or of the pixels alone that see no border (valid).

    Subclasses define ``default_kernel``.

    boundary : "circular", or "valid": of the pixels alone that see no border.
    kernel : a file with a measured one, /my/psf.npy or a picture; of motion_deblurring,
        also one of 1 to 8.
    """

    boundary: str = strength("circular", one_of("circular", "valid"))
    kernel: str | None = strength(None, KERNEL_FILE.or_none())

    @abstractmethod
    def default_kernel(self):
        """The kernel where no file gives one: (1, 1, h, w), of sum 1."""

    @property
    def is_measured(self):
        """Whether the kernel is that of a file."""
        return isinstance(self.kernel, str)

    def operator(self, shape, generator, images):
        is_measured = self.is_measured
        kernel = read_kernel(self.kernel) if is_measured else self.default_kernel()
        check_kernel_fits(shape, kernel)
        if self.boundary == "valid":
            return dinv.physics.Blur(filter=kernel, padding="valid", use_fft=True)
        return dinv.physics.BlurFFT(img_size=shape, filter=kernel)


@dataclass(frozen=True)
class GaussianDeblurring(Deblurring):
    """25x25 Gaussian blur.

    blur_std : standard deviation of the Gaussian blur, in pixels.
    told_blur : solvers are told a kernel that is so many times as wide.
    """

    blur_std: float = strength(2.0, BLUR_STD)
    told_blur: float = told_strength(1.0, POSITIVE)

    def __post_init__(self):
        super().__post_init__()
        BLUR_STD.check("blur_std times told_blur", self.blur_std * self.told_blur)
        for name in ("blur_std", "told_blur"):
            if self.is_measured and getattr(self, name) != getattr(type(self), name):
                raise NotApplicable(
                    f"{name} is for the Gaussian kernel: with a kernel of a file, "
                    "leave it out."
                )

    def default_kernel(self):
        return gaussian_kernel(self.blur_std)

    def told_operator(self, physics, generator, y):
        if self.told_blur == 1:
            return physics
        return with_kernel(physics, gaussian_kernel(self.blur_std * self.told_blur))


@dataclass(frozen=True)
class MotionDeblurring(Deblurring):
    """Camera shake: kernel 1 to 8 of Levin et al. (2009).

    told_rotation : solvers are told a kernel that is turned by so many degrees.
    """

    kernel: int | str = strength(1, KERNEL)
    told_rotation: float = told_strength(0.0, NUMBER)

    def default_kernel(self):
        with np.load(LEVIN09) as kernels:
            return torch.from_numpy(kernels[f"kernel_{self.kernel}"])[None, None]

    def told_operator(self, physics, generator, y):
        if self.told_rotation == 0:
            return physics
        return with_kernel(physics, rotated(physics.filter, self.told_rotation))


def gaussian_kernel(std):
    """A Gaussian of standard deviation ``std`` pixels, of sum 1: (1, 1, 25, 25)."""
    kernel = dinv.physics.functional.gaussian_blur(psf_size=(25, 25), sigma=(std, std))
    return kernel.float()


def rotated(kernel, degrees):
    """A kernel (1, C, h, w) turned counterclockwise in its rectangle, of the same sum.

    Raises
    ------
    NotApplicable
        Half of it or more leaves the rectangle.
    """
    turned = ndimage.rotate(
        kernel.numpy(), degrees, axes=(-1, -2), reshape=False, order=1
    )
    turned = torch.from_numpy(turned)
    if turned.sum() < kernel.sum() / 2:
        raise NotApplicable(
            f"Turned by told_rotation={degrees}, half of the kernel leaves its "
            f"rectangle of {kernel.shape[-2]}x{kernel.shape[-1]} pixels: choose a "
            "smaller angle, or add a margin to the kernel."
        )
    return turned * (kernel.sum() / turned.sum())


def with_kernel(physics, kernel):
    """A copy of a blur with another kernel, of the same size."""
    physics = copy.deepcopy(physics)
    physics.update_parameters(filter=kernel)
    return physics
