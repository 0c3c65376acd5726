"""The degradations D that restoration networks undo, with fresh parameters per call.

A restoration prior is T = R o D (Terris, Kamilov and Moreau, "FiRe", CVPR 2025): each
call of D draws, for each image, the parameters of the degradation (a blur width, a
motion kernel, a JPEG quality...) and the noise, all from one explicit generator. The
ranges ``(low, high)`` are parameters; equal ends fix the value.
"""

import io
import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache

import deepinv as dinv
import numpy as np
import torch
from PIL import Image
from torch.nn import functional as F

from benchmark_utils.physics.blurs import GaussianBlur, MotionBlur
from benchmark_utils.physics.degraded import (
    Degradation,
    Degraded,
    add_noise,
    uniform,
)
from benchmark_utils.physics.noise import (
    draw_measurements,
    is_signal_dependent,
    noise_level,
)


@dataclass(frozen=True)
class Identity(Degradation):
    """D(x) = x, given to the network as an image with noise of level ``sigma``."""

    sigma: float = 0.05

    def __call__(self, x, generator):
        return Degraded(x, x.new_full((len(x),), self.sigma))


@dataclass(frozen=True)
class Noise(Degradation):
    """Gaussian noise of standard deviation uniform in ``noise``."""

    noise: tuple = (0.0, 0.2)

    def __call__(self, x, generator):
        return Degraded(*add_noise(x, self.noise, generator), operator=torch.clone)


@dataclass(frozen=True)
class LogNoise(Degradation):
    """Gaussian noise whose standard deviation has a uniform logarithm in ``noise``.

    The range is that of samplers, which start from noise alone (Karras et al., 2022).
    """

    noise: tuple = (0.002, 80.0)
    mild_end = {"noise": 0}

    def __call__(self, x, generator):
        low, high = (math.log(end) for end in self.noise)
        sigma = uniform((low, high), len(x), generator).exp()
        noise = torch.randn(x.shape, generator=generator, device=x.device)
        noisy = x + sigma.view(-1, 1, 1, 1) * noise
        return Degraded(noisy, sigma, operator=torch.clone)


@dataclass(frozen=True)
class Jpeg(Degradation):
    """Noise, then JPEG compression (PIL's) of integer quality in ``quality``.

    The noise comes first, as in the authors' code: the file hides part of it. The two
    parts of complex images are in [-1, 1].
    """

    quality: tuple = (10, 90)
    noise: tuple = (0.0, 0.1)
    mild_end = {"quality": 1}

    def __call__(self, x, generator):
        noisy, sigma = add_noise(x, self.noise, generator)
        qualities = uniform(self.quality, len(x), generator).round().int().tolist()
        low = -1 if x.shape[1] == 2 else 0
        pixels = ((noisy - low) / (1 - low)).clamp(0, 1) * 255
        pixels = pixels.round().byte().cpu()
        with ThreadPoolExecutor(torch.get_num_threads()) as pool:
            images = list(pool.map(compressed, pixels, qualities))
        return Degraded(torch.stack(images).to(x) / 255 * (1 - low) + low, sigma)


def compressed(image, quality):
    """An image of bytes (C, H, W), written as a JPEG file and read again.

    Three channels are colours; others are written one by one.
    """
    if len(image) not in (1, 3):
        return torch.cat([compressed(channel[None], quality) for channel in image])
    pixels = np.ascontiguousarray(image.movedim(0, -1).squeeze(-1).numpy())
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    decoded = torch.from_numpy(np.array(Image.open(file)))
    return decoded.reshape(*image.shape[1:], -1).movedim(-1, 0)


@dataclass(frozen=True)
class Downscaling(Degradation):
    """Antialiased bicubic downscaling (MATLAB's imresize) by ``factor``.

    Sides that are not multiples of ``factor`` are first extended to the next one by
    repeating the border: y then covers a little more than x.
    """

    factor: int = 2
    noise: tuple = (0.0, 0.1)

    @property
    def smallest_side(self):
        return self.factor + 1

    def __call__(self, x, generator):
        y, sigma = add_noise(self.downscale(x), self.noise, generator)
        return Degraded(y, sigma, factor=self.factor, operator=self.downscale)

    def downscale(self, x):
        height, width = x.shape[-2:]
        extra = (0, -width % self.factor, 0, -height % self.factor)
        padded = F.pad(x, extra, mode="replicate") if any(extra) else x
        rows, columns = (
            downscaling_matrix(n, self.factor, x.dtype, x.device)
            for n in padded.shape[-2:]
        )
        return rows @ padded @ columns.T


@cache
@torch.inference_mode(False)  # so that it also serves where gradients are taken
def downscaling_matrix(n, factor, dtype, device):
    """MATLAB's imresize along one side, as a matrix: (n / factor, n).

    It is read from deepinv's imresize_matlab, which takes 8 to 15 times longer than the
    products with the matrices of both sides: it computes its weights at each call.
    """
    # Image i is 1 on its row i: with equal columns, only rows are mixed.
    images = torch.eye(n, dtype=torch.float64)[:, None, :, None]
    images = images.repeat(1, 1, 1, 2 * factor)
    resized = dinv.physics.functional.imresize_matlab(images, 1 / factor)
    return resized[:, 0, :, 0].T.to(device, dtype)


def _masked(x, mask, noise, generator):
    y, sigma = add_noise(x, noise, generator)
    return Degraded(mask * y, sigma, mask, operator=lambda z: mask * z)


@dataclass(frozen=True)
class RandomMask(Degradation):
    """Each pixel is missing with a probability uniform in ``missing``."""

    missing: tuple = (0.2, 0.8)
    noise: tuple = (0.0, 0.1)
    mild_end = {"missing": 0}

    def __call__(self, x, generator):
        share = uniform(self.missing, len(x), generator).view(-1, 1, 1, 1)
        draws = torch.rand(
            (len(x), 1, *x.shape[-2:]), generator=generator, device=x.device
        )
        return _masked(x, (draws >= share).to(x), self.noise, generator)


@dataclass(frozen=True)
class BrushMask(Degradation):
    """Free-form holes: brush strokes, as in Yu et al. (2019) and in LaMa.

    Each image has ``strokes`` strokes of ``steps`` straight segments; a segment's
    length and width are shares of the image's smaller side.
    """

    strokes: tuple = (2, 5)
    steps: int = 5
    length: tuple = (0.05, 0.25)
    width: tuple = (0.02, 0.08)
    noise: tuple = (0.0, 0.1)
    mild_end = {"width": 0, "strokes": 0}

    def __call__(self, x, generator):
        height, width = x.shape[-2:]
        side = min(height, width)
        most = round(self.strokes[1])

        def draw(interval, *shape):
            draws = uniform(interval, len(x) * math.prod(shape), generator)
            return draws.view(len(x), *shape)

        drawn = draw(self.strokes).round()[:, None] > torch.arange(most).to(x)
        radius = draw(self.width, most, 1) * side / 2
        angle = draw((0, 2 * torch.pi), most, 1)
        angle = angle + draw((-1, 1), most, self.steps).cumsum(2)
        length = side * draw(self.length, most, self.steps)
        down, right = angle.sin(), angle.cos()
        # Where each segment starts: where the one before it ends.
        row = draw((0, height), most, 1) + (length * down).cumsum(2) - length * down
        column = draw((0, width), most, 1) + (length * right).cumsum(2) - length * right

        each = (slice(None),) * 3 + (None, None)  # (B, strokes, steps, H, W)
        rows = torch.arange(height).to(x)[:, None] - row[each]
        columns = torch.arange(width).to(x) - column[each]
        along = rows * down[each] + columns * right[each]
        nearest = along.clamp(min=0).minimum(length[each])
        distance = (rows - nearest * down[each]).square()
        distance = distance + (columns - nearest * right[each]).square()
        hole = (distance <= radius.square()[each]).any(2) & drawn[..., None, None]
        mask = (~hole.any(1, keepdim=True)).to(x)
        return _masked(x, mask, self.noise, generator)


@dataclass(frozen=True)
class OneOf:
    """One of several degradations at each call, all equally likely."""

    choices: tuple

    def __call__(self, x, generator):
        draw = torch.rand(1, generator=generator, device=generator.device)
        return self.choices[int(draw * len(self.choices))](x, generator)


class Measurement:
    """D = A: the acquisition itself, with fresh noise, like that of the measurements.

    For inpainting, holes are passed on as a mask; what another operator does is left
    to the network, which sees A x + noise (an image of the same size).
    """

    def __init__(self, physics):
        self.physics, self.mask = physics, None
        if isinstance(physics, dinv.physics.Inpainting):
            # The same in all colours.
            self.mask = physics.mask[:, :1]

    def __call__(self, x, generator):
        physics, mask = self.physics, self.mask
        if mask is not None:
            mask = mask.expand(len(x), 1, *x.shape[-2:])
        if is_signal_dependent(physics):
            y = draw_measurements(physics, x, generator)
            sigma = x.new_full((len(x),), noise_level(physics, y))
        else:
            level = noise_level(physics)
            if mask is not None:
                return _masked(x, mask, (level, level), generator)
            y, sigma = add_noise(physics.A(x), (level, level), generator)
        A, A_adjoint = physics.A, physics.A_adjoint
        return Degraded(y, sigma, mask, operator=A, adjoint=A_adjoint)


# What the network of each task undoes, at the ranges it was trained on.
DEGRADATIONS = {
    "denoiser": Noise(),
    "deblur": GaussianBlur(noise=(0.0, 0.08)),
    "motion": MotionBlur(),
    "jpeg": Jpeg(),
    "sr2": Downscaling(2),
    "sr3": Downscaling(3),
    "inpaint": RandomMask(),
}
