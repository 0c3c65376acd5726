"""The forward problems, by name: operator, noise, and their strengths.

Blurs and the filter of super-resolution wrap around the border (circular
convolution), so that A is the same operator for every solver, with no hidden
extrapolation outside of the image. Blurs of ``boundary=valid`` give the pixels alone
that see no border, as a camera does: y is smaller than x.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path

import deepinv as dinv
import numpy as np
import torch

from benchmark_utils.common.errors import NotApplicable
from benchmark_utils.common.parameters import (
    COUNT,
    LEVEL,
    POSITIVE,
    SHARE,
    Constraint,
    one_of,
    whole,
)
from benchmark_utils.common.precision import float32_by_default
from benchmark_utils.physics.noise import NOISES
from benchmark_utils.physics.own_operator import checked, load_function, split_name
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

FUNCTION = Constraint(callable, "a function (shape, generator) -> physics")


def strength(default, constraint):
    """A field of a problem: its default, and what any value of it must be."""
    return field(default=default, metadata={"constraint": constraint})


@dataclass(frozen=True)
class Problem(ABC):
    """A forward problem: y = noise(A x). Its fields are its strengths.

    Subclasses define ``operator``, and strengths of their own.

    noise_level : standard deviation of the Gaussian noise, for images in [0, 1].
    noise : "gaussian", "poisson" or "poisson_gaussian".
    gain : variance of Poisson's noise over the signal (1 / number of photons).
    """

    noise_level: float = strength(0.01, LEVEL)
    noise: str = strength("gaussian", one_of(*NOISES))
    gain: float = strength(0.01, POSITIVE)

    def __post_init__(self):
        for entry in fields(self):
            entry.metadata["constraint"].check(entry.name, getattr(self, entry.name))

    @abstractmethod
    def operator(self, shape, generator, n_images):
        """The deepinv physics A for ``n_images`` images of ``shape`` (C, H, W).

        What is random in A is drawn from ``generator``.
        """

    @property
    def size_multiple(self):
        """The sides of the images are multiples of this."""
        return 1

    def told(self, physics, generator):
        """What solvers are told of the ``physics`` that measures: all of it.

        A problem about wrong models returns another physics, drawn from ``generator``.
        """
        return physics

    @float32_by_default()
    def physics(self, shape, generator, n_images=1):
        """The operator with its noise model."""
        physics = self.operator(shape, generator, n_images)
        physics.noise_model = self.noise_model(physics)
        return physics

    def noise_model(self, physics):
        """The deepinv noise model of the strengths."""
        return NOISES[self.noise](self.noise_level, self.gain)


@dataclass(frozen=True)
class Denoising(Problem):
    """y = x + eps."""

    noise_level: float = strength(0.1, LEVEL)

    def operator(self, shape, generator, n_images):
        return dinv.physics.Denoising()


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

    def operator(self, shape, generator, n_images):
        measured = isinstance(self.kernel, str)
        kernel = read_kernel(self.kernel) if measured else self.default_kernel()
        check_kernel_fits(shape, kernel)
        if self.boundary == "valid":
            return dinv.physics.Blur(filter=kernel, padding="valid", use_fft=True)
        return dinv.physics.BlurFFT(img_size=shape, filter=kernel)


@dataclass(frozen=True)
class GaussianDeblurring(Deblurring):
    """25x25 Gaussian blur.

    blur_std : standard deviation of the Gaussian blur, in pixels.
    """

    blur_std: float = strength(2.0, BLUR_STD)

    def default_kernel(self):
        kernel = dinv.physics.functional.gaussian_blur(
            psf_size=(25, 25), sigma=(self.blur_std, self.blur_std)
        )
        return kernel.float()


@dataclass(frozen=True)
class MotionDeblurring(Deblurring):
    """Camera shake: kernel 1 to 8 of Levin et al. (2009)."""

    kernel: int | str = strength(1, KERNEL)

    def default_kernel(self):
        with np.load(LEVIN09) as kernels:
            return torch.from_numpy(kernels[f"kernel_{self.kernel}"])[None, None]


@dataclass(frozen=True)
class SuperResolution(Problem):
    """Bicubic downsampling by ``factor``, as MATLAB's imresize does inside the image.

    Pixel i of y looks at pixel factor i + (factor - 1) / 2 of x. The border is
    circular, where imresize repeats it.

    factor : how many times fewer pixels a side has.
    """

    factor: int = strength(4, COUNT)

    @property
    def size_multiple(self):
        return self.factor

    def operator(self, shape, generator, n_images):
        height, width = shape[-2:]
        if height % self.factor or width % self.factor:
            raise NotApplicable(
                f"An image of {height}x{width} pixels cannot be downsampled by "
                f"{self.factor}: choose a size (img_size) that is a multiple of "
                f"{self.factor}."
            )
        kernel = bicubic_kernel(self.factor)
        check_kernel_fits(shape, kernel)
        return dinv.physics.Downsampling(
            img_size=shape, filter=kernel, factor=self.factor, padding="circular"
        )


@dataclass(frozen=True)
class Inpainting(Problem):
    """Each pixel is missing with probability ``missing``; one mask per image.

    missing : share of the pixels that are missing.
    masks : how many masks there are in all, the same for training and for test images,
        which take them in turn; 0 for a mask of its own for each image.
    """

    missing: float = strength(0.5, SHARE)
    masks: int = strength(0, whole(0))

    def operator(self, shape, generator, n_images):
        size = shape[-2:]
        if self.masks:
            generator = torch.Generator().manual_seed(0)
        draws = torch.rand(
            (self.masks or n_images, 1, *size), generator=generator, dtype=torch.float32
        )
        if self.masks:
            draws = draws[torch.arange(n_images) % self.masks]
        mask = (draws >= self.missing).to(draws)
        return dinv.physics.Inpainting(img_size=shape, mask=mask)


@dataclass(frozen=True)
class OwnProblem(Problem):
    """The operator that a function of the user's makes, with its own noise.

    Where a strength is given, the noise is of this kind and level instead.

    make : callable (shape, generator) -> deepinv LinearPhysics.
    label : what sentences call it.
    """

    noise_level: float | None = strength(None, LEVEL.or_none())
    noise: str | None = strength(None, one_of(*NOISES).or_none())
    gain: float | None = strength(None, POSITIVE.or_none())
    make: Callable = field(default=None, metadata={"constraint": FUNCTION})
    label: str = strength("physics", Constraint(bool, "a name"))

    def operator(self, shape, generator, n_images):
        return checked(self.make(shape, generator), shape, self.label, n_images)

    @float32_by_default()
    def physics(self, shape, generator, n_images=1):
        """The operator with its noise model."""
        asked = {
            name: value
            for name in ("noise_level", "noise", "gain")
            if (value := getattr(self, name)) is not None
        }
        physics = self.operator(shape, generator, n_images)
        if asked:
            physics.noise_model = Denoising(**asked).noise_model(physics)
        return physics


PROBLEMS = {
    "denoising": Denoising,
    "gaussian_deblurring": GaussianDeblurring,
    "motion_deblurring": MotionDeblurring,
    "sr4": SuperResolution,
    "inpainting": Inpainting,
}


def strengths_of(problems):
    """The names of all their strengths, for {name: class} of problems."""
    names = (entry.name for problem in problems.values() for entry in fields(problem))
    return tuple(dict.fromkeys(names))


def bicubic_kernel(factor):
    """The filter of imresize for downscaling by ``factor``: (1, 1, k, k), k odd.

    The cubic of Keys (1981), a = -1/2, stretched by ``factor``, around the pixel
    (factor - 1) / 2 on the right of the kernel's centre.
    """
    radius = (5 * factor - 1) // 2
    offsets = torch.arange(-radius, radius + 1, dtype=torch.float64)
    # A convolution looks at pixel n - offset, which is -offset away.
    t = (-offsets - (factor - 1) / 2).abs() / factor
    near = 1.5 * t**3 - 2.5 * t**2 + 1
    far = -0.5 * t**3 + 2.5 * t**2 - 4 * t + 2
    profile = torch.where(t <= 1, near, torch.where(t < 2, far, 0.0))
    profile = profile / profile.sum()
    return torch.outer(profile, profile)[None, None].float()


def make_problem(name, problems=PROBLEMS, **strengths):
    """The problem of this name; a strength that is None has its default.

    ``problems`` is {name: class} of those to choose from. The name may be that of a
    function of the user's: /my/file.py, which makes the operator by its
    ``make_physics(shape, generator)``, or '/my/file.py:blur'.

    Raises
    ------
    NotApplicable
        Unknown problem, a strength that it does not have, or a value without meaning.
    """
    given = {key: value for key, value in strengths.items() if value is not None}
    is_own = split_name(name) != (None, None)
    if not is_own and name not in problems:
        raise NotApplicable(
            f"Unknown problem {name!r}. The problems are: {', '.join(problems)}, or "
            "/my/file.py with a function make_physics(shape, generator)."
        )
    known = Problem if is_own else problems[name]
    if unknown := given.keys() - {entry.name for entry in fields(known)}:
        raise NotApplicable(f"The problem {name} has no {', '.join(sorted(unknown))}.")
    if is_own:
        return OwnProblem(make=load_function(name), label=name, **given)
    return problems[name](**given)


def default_strength(problem, name, problems=PROBLEMS):
    """What None stands for; None if the problem is unknown or lacks this strength."""
    return getattr(problems.get(problem), name, None)


def make_physics(problem, shape, generator, n_images=1, problems=PROBLEMS, **strengths):
    """The physics of a problem, for ``n_images`` images of ``shape`` (C, H, W).

    The parameters and errors are those of ``make_problem``.
    """
    problem = make_problem(problem, problems, **strengths)
    return problem.physics(shape, generator, n_images)
