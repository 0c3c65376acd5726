"""The problems of magnetic resonance imaging: masks of k-space and coils.

Images are complex, (B, 2, H, W): their real and their imaginary part. Their magnitude
is in [0, 1]. The Fourier transform is orthonormal, and ``noise_level`` is the standard
deviation of each part of each value of k-space that is measured.
"""

import math
from dataclasses import dataclass

import deepinv as dinv
import torch

from benchmark_utils.common.errors import NotApplicable
from benchmark_utils.common.parameters import COUNT, LEVEL, Constraint, one_of
from benchmark_utils.physics.kspace import as_channels, as_complex
from benchmark_utils.physics.problem import Problem, strength, told_strength

# As in fastMRI (Zbontar et al., 2018): 8% of the lines at acceleration 4, 4% at 8.
SHARE_OF_CENTRE = 0.32

# Side of the central square of k-space that tells maps=estimated.
CALIBRATION = 16

GOLDEN_ANGLE = math.pi * (math.sqrt(5) - 1) / 2

ACCELERATION = Constraint(
    lambda v: COUNT.is_valid(v) or (isinstance(v, float) and 1 <= v < math.inf),
    "a number, 1 or more",
)

NUMBER_OF_MASKS = Constraint(
    lambda v: v in ("shared", "per_image") or COUNT.is_valid(v),
    "shared, per_image, or a whole number, 1 or more",
)


def _lines(generator_class):
    def draw(shape, acceleration, generator):
        n_lines = int(shape[-1] // acceleration)
        if not int(SHARE_OF_CENTRE / acceleration * shape[-1]):
            raise NotApplicable(
                f"A mask of acceleration {acceleration} keeps {n_lines} of the "
                f"{shape[-1]} lines of k-space, and none at its centre: choose a "
                "lower acceleration, or a larger img_size."
            )
        lines = generator_class(
            shape, acceleration, SHARE_OF_CENTRE / acceleration, rng=generator
        )
        return lines.step()["mask"][0, 0]

    return draw


def radial(shape, acceleration, generator):
    """Spokes at golden angles through a disc, as many as it takes: (H, W) of 0 and 1.

    Winkelmann et al. (2007), "An optimal radial profile order based on the golden
    ratio", on the Cartesian grid.
    """
    rows, columns = (torch.arange(n) - n // 2 for n in shape)
    rows, columns = rows[:, None], columns[None]
    area = SHARE_OF_CENTRE / acceleration * math.prod(shape)
    kept = rows**2 + columns**2 <= area / math.pi
    angle = math.pi * float(torch.rand(1, generator=generator))
    while kept.float().mean() < 1 / acceleration:
        kept |= (rows * math.cos(angle) - columns * math.sin(angle)).abs() <= 0.5
        angle += GOLDEN_ANGLE
    return kept.float()


# callable (shape: (H, W), acceleration, generator) -> mask (H, W) of 0 and 1.
MASKS = {
    "gaussian": _lines(dinv.physics.generator.GaussianMaskGenerator),
    "uniform": _lines(dinv.physics.generator.RandomMaskGenerator),
    "radial": radial,
}


@dataclass(frozen=True)
class SingleCoilMri(Problem):
    """k-space, of which 1 / ``acceleration`` is measured.

    acceleration : how many times less is measured.
    mask : vertical lines at random, more of them near the centre ("gaussian";
        Schlemper et al., 2017) or not ("uniform"), or spokes ("radial"). The centre is
        kept whole: it is 0.32 of what is measured.
    masks : one for all the images that are measured together, up to eight ("shared"),
        or one for each ("per_image"). A number: how many there are in all, the same
        for training and for test images, which take them in turn.
    """

    noise: str = strength("gaussian", one_of("gaussian"))
    acceleration: float = strength(4, ACCELERATION)
    mask: str = strength("gaussian", one_of(*MASKS))
    masks: str | int = strength("shared", NUMBER_OF_MASKS)

    def operator(self, shape, generator, images):
        return dinv.physics.MRI(mask=self.draw_masks(shape, generator, images))

    def draw_masks(self, shape, generator, images):
        """(number of images or 1, 1, H, W), of 0 and 1."""
        if shape[0] != 2:
            raise NotApplicable(
                f"MRI measures complex images, and these have {shape[0]} channels: "
                "domain must be COMPLEX_IMAGES."
            )
        n_masks = {"shared": 1, "per_image": len(images)}.get(self.masks, self.masks)
        in_turn = COUNT.is_valid(self.masks)
        if in_turn:
            generator = torch.Generator().manual_seed(0)
        draw = MASKS[self.mask]
        masks = torch.stack(
            [draw(shape[-2:], self.acceleration, generator) for _ in range(n_masks)]
        )[:, None]
        if in_turn and n_masks > 1:
            return masks[[i % n_masks for i in images]]
        return masks


@dataclass(frozen=True)
class MulticoilMri(SingleCoilMri):
    """The same, seen by ``n_coils`` coils, whose smooth sensitivity maps are drawn.

    n_coils : number of coils.
    maps : those that solvers are told: the true ones ("known"), or those that the
        centre of k-space tells of each image ("estimated": ``estimated_maps``, where
        lines that are not measured are 0). The latter hold the phase of the image; the
        truth is then the image of all of k-space by these maps, sum_n conj(S_n) (the
        image of coil n).
    map_error : share of other maps in those that solvers are told.
    """

    n_coils: int = strength(8, COUNT)
    maps: str = told_strength("known", one_of("known", "estimated"))
    map_error: float = told_strength(0.0, LEVEL, maps=("known",))

    def operator(self, shape, generator, images):
        mask = self.draw_masks(shape, generator, images)
        maps = coil_maps(self.n_coils, shape[-2:], generator)
        return dinv.physics.MultiCoilMRI(mask=mask, coil_maps=maps)

    def told_operator(self, physics, generator, y):
        if self.maps == "estimated":
            if min(y.shape[-2:]) < CALIBRATION:
                raise NotApplicable(
                    f"maps=estimated takes images of {CALIBRATION}x{CALIBRATION} "
                    f"pixels or more, and one has {y.shape[-2]}x{y.shape[-1]}."
                )
            told = estimated_maps(y, CALIBRATION)
        elif self.map_error:
            n_coils, *shape = physics.coil_maps.shape[1:]
            others = coil_maps(n_coils, shape, generator)
            told = normalised(physics.coil_maps + self.map_error * others)
        else:
            return physics
        return dinv.physics.MultiCoilMRI(mask=physics.mask, coil_maps=told)

    def truth_by(self, told, physics, x):
        if self.maps != "estimated":
            return None
        coils = physics.coil_maps * as_complex(x)[:, None]
        return as_channels((told.coil_maps.conj() * coils).sum(1))


MRI_PROBLEMS = {"mri": SingleCoilMri, "multicoil_mri": MulticoilMri}


def check_mri(name, batches):
    """Raise ``NotApplicable`` for a solver of this name, unless y are k-spaces."""
    kinds = dinv.physics.MRI | dinv.physics.MultiCoilMRI
    if not all(isinstance(batch.physics, kinds) for batch in batches):
        raise NotApplicable(
            f"{name} takes k-space: choose a problem of MRI (mri or multicoil_mri)."
        )


def coil_maps(n_coils, shape, generator):
    """Smooth random sensitivity maps: complex (1, n_coils, H, W), sum_n |S_n|^2 = 1.

    Each coil is a Gaussian of space around a point of a circle through the middle of
    the sides of the image, or of one that is larger by a fifth at most, with a phase
    that is linear in space; the coils surround the image.
    """
    rows, columns = (torch.linspace(-1, 1, n) for n in shape)

    def uniform(low, high, n=n_coils):
        draws = torch.rand(n, generator=generator)
        return (low + (high - low) * draws)[:, None, None]

    steps = torch.arange(n_coils)[:, None, None] + uniform(-0.2, 0.2)
    angle = 2 * math.pi * (steps / n_coils + uniform(0, 1, 1))
    distance, width = uniform(1.0, 1.2), uniform(0.5, 0.7)
    down = rows[:, None] - distance * angle.sin()
    right = columns[None] - distance * angle.cos()
    size = torch.exp(-(down**2 + right**2) / (2 * width**2))
    phase = uniform(-math.pi, math.pi)
    phase = phase + uniform(-2, 2) * rows[:, None] + uniform(-2, 2) * columns[None]
    return normalised(torch.polar(size, phase.expand_as(size))[None])


def estimated_maps(y, size=24):
    """Sensitivity maps from the centre of k-space: complex (B, coils, H, W).

    The images of the coils at a low resolution over the root of the sum of their
    squares (McKenzie et al., 2002, "Self-calibrating parallel imaging with automatic
    coil sensitivity extraction"). They hold the smooth phase of the image: where they
    are right, images are seen without it.

    Parameters
    ----------
    y : tensor (B, 2, coils, H, W)
        Measurements, with the origin of k-space central.
    size : int
        Side of the central square that tells them: better where it is fully sampled.

    Raises
    ------
    NotApplicable
        The square is larger than k-space, or nothing is measured there.
    """
    height, width = y.shape[-2:]
    if y.ndim != 5 or y.shape[1] != 2 or not 1 < size <= min(height, width):
        raise NotApplicable(
            f"Maps are estimated from measurements (B, 2, coils, H, W) and a central "
            f"square of 2 pixels or more inside of them, not from {tuple(y.shape)} and "
            f"{size}."
        )
    profile = torch.hann_window(size + 2, periodic=False, device=y.device)[1:-1]
    window = y.new_zeros(height, width)
    top, left = height // 2 - size // 2, width // 2 - size // 2
    window[top : top + size, left : left + size] = torch.outer(profile, profile)
    blurred = dinv.physics.MRI.ifft(as_complex(y) * window)
    if not bool(blurred.abs().amax((1, 2, 3)).gt(0).all()):
        raise NotApplicable(
            f"Nothing is measured in the central {size}x{size} values of k-space: maps "
            "cannot be estimated from them."
        )
    return normalised(blurred)


def normalised(maps):
    """Maps (B, coils, H, W) with sum_n |S_n|^2 = 1 in each pixel where one is not 0."""
    total = torch.linalg.vector_norm(maps, dim=1, keepdim=True)
    return maps / total.clamp(min=torch.finfo(total.dtype).tiny)
