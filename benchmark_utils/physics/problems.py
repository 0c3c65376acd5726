"""The forward problems, by name: operator, noise, and their strengths.

The filter of super-resolution wraps around the border, as blurs do (deblurring.py).
"""

from collections.abc import Callable
from dataclasses import dataclass, field, fields

import deepinv as dinv
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
from benchmark_utils.physics.deblurring import GaussianDeblurring, MotionDeblurring
from benchmark_utils.physics.noise import NOISES, levels_of, with_levels
from benchmark_utils.physics.own_operator import (
    checked,
    checked_noise,
    load_function,
    split_name,
)
from benchmark_utils.physics.problem import (
    GAIN_COUNTS,
    LEVEL_COUNTS,
    Problem,
    strength,
)
from benchmark_utils.physics.psf import check_kernel_fits

FUNCTION = Constraint(callable, "a function (shape, generator) -> physics")

# What a noise is that has one of these levels: both make poisson_gaussian.
KINDS_OF_LEVELS = {"gain": "poisson", "sigma": "gaussian"}


@dataclass(frozen=True)
class Denoising(Problem):
    """y = x + eps."""

    noise_level: float = strength(0.1, LEVEL, noise=LEVEL_COUNTS)

    def operator(self, shape, generator, images):
        return dinv.physics.Denoising()


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

    def operator(self, shape, generator, images):
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
        which take them in turn. 0 for a mask of its own for each image.
    """

    missing: float = strength(0.5, SHARE)
    masks: int = strength(0, whole(0))

    def operator(self, shape, generator, images):
        size = shape[-2:]
        if self.masks:
            generator = torch.Generator().manual_seed(0)
        n_masks = self.masks or len(images)
        draws = torch.rand(
            (n_masks, 1, *size), generator=generator, dtype=torch.float32
        )
        if self.masks:
            draws = draws[[i % n_masks for i in images]]
        mask = (draws >= self.missing).to(draws)
        return dinv.physics.Inpainting(img_size=shape, mask=mask)


@dataclass(frozen=True)
class OwnProblem(Problem):
    """The operator that a function of the user's makes, with its own noise.

    noise_level, gain : those of its own noise, or of the one that is given; of Gaussian
        or Poisson's noise, where it has none.
    noise : another kind of noise than its own.
    make : callable (shape, generator) -> deepinv LinearPhysics.
    label : what sentences call it.
    """

    noise_level: float | None = strength(
        None, LEVEL.or_none(), noise=(None, *LEVEL_COUNTS)
    )
    noise: str | None = strength(None, one_of(*NOISES).or_none())
    gain: float | None = strength(None, POSITIVE.or_none(), noise=(None, *GAIN_COUNTS))
    make: Callable = field(default=None, metadata={"constraint": FUNCTION})
    label: str = strength("physics", Constraint(bool, "a name"))

    def operator(self, shape, generator, images):
        return checked(self.make(shape, generator), shape, self.label, len(images))

    def noise_model(self, physics):
        physics.noise_model = self._noise_model(physics.noise_model)
        return checked_noise(physics, self.label)

    def _noise_model(self, own):
        asked = {"sigma": self.noise_level, "gain": self.gain}
        asked = {name: level for name, level in asked.items() if level is not None}
        kind = self.noise
        if kind is None and not levels_of(own):
            kind = "_".join(KINDS_OF_LEVELS[name] for name in sorted(asked))
        if kind:
            usual = {"sigma": Problem.noise_level, "gain": Problem.gain}
            levels = usual | levels_of(own) | asked
            return NOISES[kind](levels["sigma"], levels["gain"])
        if unknown := asked.keys() - levels_of(own).keys():
            raise NotApplicable(
                f"{self.label} gives {type(own).__name__}, which has no "
                f"{' and no '.join(sorted(unknown))}: say which noise is meant, as "
                "noise=poisson_gaussian."
            )
        return with_levels(own, **asked)


PROBLEMS = {
    "denoising": Denoising,
    "gaussian_deblurring": GaussianDeblurring,
    "motion_deblurring": MotionDeblurring,
    "sr4": SuperResolution,
    "inpainting": Inpainting,
}


def strengths_of(problems, only_told=False):
    """The names of all their strengths, for {name: class} of problems.

    ``only_told``: of those that change what solvers are told, and nothing else.
    """
    entries = (entry for problem in problems.values() for entry in fields(problem))
    return tuple(
        dict.fromkeys(
            entry.name for entry in entries if not only_told or "told" in entry.metadata
        )
    )


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
            f"There is no problem {name!r} for these images. The problems are: "
            f"{', '.join(problems)}, or /my/file.py with a function "
            "make_physics(shape, generator)."
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
