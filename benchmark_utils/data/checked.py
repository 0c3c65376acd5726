"""The door of the datasets: what a loader returns is checked and converted here, once.

What has one meaning is converted; the rest is refused in a sentence that says what came
and what is needed. Values out of range would be scored all the same, and wrongly.
"""

from collections.abc import Mapping

import numpy as np
import torch
from PIL import Image

from benchmark_utils.common.errors import NotApplicable, Unavailable
from benchmark_utils.data.files import pixels_of

# SSIM looks at 11 pixels around each, and the enlarged detail is an eighth of a side.
SMALLEST_SIDE = 8

CHANNELS = (1, 3)

# Values that leave [0, 1] by less were rounded, and are clipped.
ROUNDING = 1e-4

NEED = (
    "an image has the shape (C, H, W), (H, W, C) or (H, W), with 1 or 3 channels and "
    "float values in [0, 1], 8-bit values or booleans"
)


def load_checked(dataset, split):
    """{name: tensor (C, H, W), float32 in [0, 1]}: what ``dataset.load(split)`` gives.

    Complex images, where they are its domain, are (2, H, W): see ``as_complex_image``.

    Raises
    ------
    NotApplicable
        It is no dictionary of images.
    Unavailable
        A file that it reads is not there.
    """
    where = f"The dataset {dataset.name}"
    try:
        loaded = dataset.load(split)
    except FileNotFoundError as error:
        raise Unavailable(
            f"{where} reads a file that is not there: {error.filename or error}."
        ) from error
    if not isinstance(loaded, Mapping):
        raise NotApplicable(
            f"{where} loads {_kind(loaded)} for {split}: it must load a dictionary "
            "{name: image}."
        )
    convert = as_complex_image if dataset.domain.kind == "complex" else as_image
    return {
        str(name): convert(image, f"{where}, image {name!r} of {split}")
        for name, image in loaded.items()
    }


def as_image(value, name="The image"):
    """One image as a tensor (C, H, W), float32 in [0, 1], without a gradient.

    Parameters
    ----------
    value : tensor, numpy array or Pillow image
        (C, H, W), (H, W, C) or (H, W), with 1 or 3 channels: floats in [0, 1],
        booleans, or 8-bit values, which are divided by 255.
    name : str
        What the sentence begins with.

    Raises
    ------
    NotApplicable
        It is something else, or could be read in two ways.
    """
    pixels = _as_tensor(value, name)
    described = _describe(pixels)

    def refuse(reason):
        raise NotApplicable(f"{name} is {described}: {reason}; {NEED}.")

    if pixels.is_complex():
        refuse(
            "complex values are not supported here, but with domain = COMPLEX_IMAGES"
        )
    shape = tuple(pixels.shape)
    if pixels.ndim == 2:
        pixels = pixels[None]
    elif pixels.ndim == 4:
        refuse("it is a batch, and each image has a name of its own")
    elif pixels.ndim != 3:
        refuse("it has not the shape of an image")
    elif shape[0] in CHANNELS and shape[2] in CHANNELS:
        refuse("either end of its shape could be the channels")
    elif shape[2] in CHANNELS:
        pixels = pixels.permute(2, 0, 1)
    elif shape[0] not in CHANNELS:
        refuse(
            "it has neither 1 nor 3 channels (read_image of benchmark_utils.data "
            "composes transparent images over a background)"
        )
    if min(pixels.shape[1:]) < SMALLEST_SIDE:
        refuse(f"it has fewer than {SMALLEST_SIDE} pixels on a side")
    if pixels.dtype == torch.uint8:
        return pixels.float().div(255).contiguous()
    if pixels.dtype == torch.bool:
        return pixels.float().contiguous()
    if not pixels.is_floating_point():
        refuse("the range of its whole numbers is not known")
    if not bool(pixels.isfinite().all()):
        refuse("it has NaN or infinite values")
    low, high = float(pixels.min()), float(pixels.max())
    if low < -ROUNDING or high > 1 + ROUNDING:
        refuse(_out_of_range(low, high))
    return pixels.float().clamp(0, 1).contiguous()


def as_complex_image(value, name="The image"):
    """A complex image as its real and imaginary parts (2, H, W), float32.

    Parameters
    ----------
    value : complex tensor or numpy array (H, W), with magnitudes in [0, 1].
    name : str
        What the sentence begins with.

    Raises
    ------
    NotApplicable
        It is something else.
    """
    pixels = _as_tensor(value, name)
    magnitude = pixels.abs()
    problems = {
        "its values are real, and those of this dataset are complex": (
            not pixels.is_complex()
        ),
        "it has not two dimensions": pixels.ndim != 2,
        f"it has fewer than {SMALLEST_SIDE} pixels on a side": (
            min(pixels.shape, default=0) < SMALLEST_SIDE
        ),
        "it has NaN or infinite values": not bool(magnitude.isfinite().all()),
        "its magnitudes are above 1": bool((magnitude > 1 + ROUNDING).any()),
    }
    for reason, is_so in problems.items():
        if is_so:
            raise NotApplicable(
                f"{name} is {_describe(pixels)}: {reason}; a complex image has the "
                "shape (H, W), complex values, and magnitudes in [0, 1]."
            )
    return torch.stack([pixels.real, pixels.imag]).float()


def _as_tensor(value, name):
    try:
        if isinstance(value, Image.Image):
            return pixels_of(value)
        if isinstance(value, np.ndarray):
            # torch knows neither the other byte order nor negative strides.
            value = np.ascontiguousarray(value)
            return torch.from_numpy(value.astype(value.dtype.newbyteorder("=")))
    # An array of objects, or a Pillow image whose range is not known.
    except (TypeError, ValueError) as error:
        raise NotApplicable(f"{name} cannot be read: {error}; {NEED}.") from error
    if torch.is_tensor(value):
        return value.detach().cpu()
    raise NotApplicable(f"{name} is {_kind(value)}: it must be an image; {NEED}.")


def _kind(value):
    return "None" if value is None else f"a {type(value).__name__}"


def _describe(pixels):
    """The shape, the dtype and the range of values, in words."""
    shape, dtype = tuple(pixels.shape), str(pixels.dtype).removeprefix("torch.")
    described = f"of shape {shape} and dtype {dtype}"
    if not pixels.numel():
        return f"{described}, without a value"
    if pixels.is_complex():
        return f"{described}, with magnitudes up to {float(pixels.abs().max()):.4g}"
    values = pixels.double()
    finite = values[values.isfinite()]
    if not len(finite):
        return f"{described}, without a finite value"
    return f"{described}, with values from {finite.min():.4g} to {finite.max():.4g}"


def _out_of_range(low, high):
    if low >= 0 and high <= 255:
        return "its values look like 0..255 and must be divided by 255"
    if low >= -1 - ROUNDING and high <= 1 + ROUNDING:
        return "its values look like [-1, 1] and must be brought to [0, 1]"
    return "its values are not in [0, 1]"
