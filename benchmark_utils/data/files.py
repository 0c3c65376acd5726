"""Image files, read as what a viewer shows."""

import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import tifffile
import torch
from PIL import Image, UnidentifiedImageError

from benchmark_utils.common.errors import Unavailable

ORIENTATION = 0x0112  # The tag of EXIF, and of TIFF.
BITS_PER_SAMPLE = 258
PHOTOMETRIC = 262
WHITE_IS_ZERO = 0

# What TIFF files begin with: of either byte order, and those of above 4 GB.
TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
# The channels before the opacity, by the photometric interpretation of TIFF.
N_COLOURS = {WHITE_IS_ZERO: 1, 1: 1, 2: 3}
UNSPECIFIED, PREMULTIPLIED = 0, 1  # Kinds of a channel after the colours.

# What puts an image upright, by its orientation in EXIF.
UPRIGHT = {
    2: lambda x: x.flip(-1),
    3: lambda x: x.flip(-1, -2),
    4: lambda x: x.flip(-2),
    5: lambda x: x.mT,
    6: lambda x: x.mT.flip(-1),
    7: lambda x: x.mT.flip(-1, -2),
    8: lambda x: x.mT.flip(-2),
}


def read_image(path, background=1.0):
    """An image file as a viewer shows it: upright, and nothing of it transparent.

    Parameters
    ----------
    path : str or Path
        PNG, JPEG, TIFF, BMP, WebP, or what else Pillow reads; the first picture of a
        file of several. Colour profiles are not applied.
    background : float in [0, 1]
        The grey level behind transparent pixels; white by default.

    Returns
    -------
    tensor (3, H, W), or (1, H, W) for a grey image: float32 in [0, 1]. Files of 16 bits
    keep them, and are divided by 65535; floats in [0, 1] are taken as they are.

    Raises
    ------
    FileNotFoundError
    Unavailable
        The file is not an image that can be read.
    """
    path = Path(path)
    try:
        # Given the path, Pillow maps it to memory, and scrambles TIFF files that are
        # turned by a quarter.
        with path.open("rb") as file:
            return _read(file, path, background)
    except FileNotFoundError:
        raise
    # Pillow, torchvision and tifffile have an error each for what they cannot read.
    except (
        OSError,
        SyntaxError,
        RuntimeError,
        ValueError,
        ImportError,
        MemoryError,
        Image.DecompressionBombError,
    ) as error:
        lines = str(error).splitlines() or [type(error).__name__]
        raise Unavailable(
            f"{path} is not an image that can be read: {lines[0]}"
        ) from error


def pixels_of(image, background=1.0):
    """The pixels of a Pillow image, as ``read_image`` gives them."""
    image.load()
    # Pillow has put TIFF files upright already, and dropped their tag.
    orientation = image.getexif().get(ORIENTATION)
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        tags = getattr(image, "tag_v2", {})
        values = _with_opacity(np.array(image), image.info.get("transparency"))
        pixels = _wide(values, *tags.get(BITS_PER_SAMPLE, ()))
        # Of 8 bits, Pillow has inverted them.
        if tags.get(PHOTOMETRIC) == WHITE_IS_ZERO:
            pixels = 1 - pixels
    elif image.mode in ("1", "L") and "transparency" not in image.info:
        pixels = _scaled(np.array(image.convert("L")))
    elif image.mode in ("LA", "La"):
        pixels = _scaled(np.array(image.convert("LA")))
    elif image.has_transparency_data:
        pixels = _scaled(np.array(image.convert("RGBA")))
    else:
        pixels = _scaled(np.array(image.convert("RGB")))
    return _upright(_on_background(pixels, background), orientation)


def _read(file, path, background):
    header = file.read(26)
    file.seek(0)
    try:
        image = Image.open(file)
    except UnidentifiedImageError as error:
        # Pillow knows neither colours in floats nor floats of 16 or 64 bits.
        if header.startswith(TIFF):
            return _on_background(_tiff_pixels(path), background)
        raise ValueError("its format is not known") from error
    # Pillow swaps the bytes of compressed floats of the other order.
    is_float = image.format == "TIFF" and image.mode == "F"
    if not is_float and not _has_deep_colours(image, header):
        return pixels_of(image, background)
    if image.format == "TIFF":
        return _on_background(_tiff_pixels(path), background)
    pixels = _deep_png(path, image.info.get("transparency"))
    pixels = _on_background(pixels, background)
    return _upright(pixels, image.getexif().get(ORIENTATION))


def _wide(values, bits=16):
    """Values (H, W[, C]) of more than 8 bits as a tensor (C, H, W) in [0, 1]."""
    if values.dtype.kind == "f":
        return _checked_floats(values)
    if values.dtype.newbyteorder("=") == np.uint16:
        return _scaled(values, 2**bits - 1)
    raise ValueError(
        f"its values ({values.dtype}) have no known range; scale them to [0, 1]"
    )


def _checked_floats(values):
    finite = values[np.isfinite(values)]
    found = [f"values from {finite.min()!s} to {finite.max()!s}"] if finite.size else []
    if finite.size < values.size:
        found.append("NaN or infinite values")
    if len(found) > 1 or not finite.size or finite.min() < 0 or finite.max() > 1:
        raise ValueError(f"it has {' and '.join(found)}; bring all of them to [0, 1]")
    values = values.reshape(*values.shape[:2], -1).astype(np.float32)
    return torch.from_numpy(values).permute(2, 0, 1).contiguous()


def _scaled(pixels, largest=None):
    """An array (H, W) or (H, W, C) of whole numbers as a tensor (C, H, W) in [0, 1]."""
    largest = largest or np.iinfo(pixels.dtype).max
    pixels = pixels.reshape(*pixels.shape[:2], -1).astype(np.float32)
    return torch.from_numpy(pixels).permute(2, 0, 1).div(largest).contiguous()


def _with_opacity(values, transparent):
    """Values (H, W[, C]), and the opacity that a transparent colour gives to each."""
    if transparent is None:
        return values
    values = values.reshape(*values.shape[:2], -1)
    is_opaque = (values != transparent).any(-1, keepdims=True)
    opacity = np.iinfo(values.dtype).max * is_opaque
    return np.concatenate([values, opacity.astype(values.dtype)], -1)


def _on_background(pixels, background):
    """Pixels (C, H, W), of which the channel after the colours is the opacity."""
    if len(pixels) in (1, 3):
        return pixels
    colours, opacity = pixels[:-1], pixels[-1:]
    return opacity * colours + (1 - opacity) * background


def _upright(pixels, orientation):
    return UPRIGHT.get(orientation, lambda x: x)(pixels).contiguous()


# Pillow drops half of the bits of these files, or does not know them.


def _has_deep_colours(image, header):
    """Whether a file has several channels of 16 bits."""
    if image.format == "PNG":
        depth, is_grey = header[24], header[25] == 0
        return depth == 16 and not is_grey
    if image.format == "TIFF" and image.mode in ("RGB", "RGBA"):
        bits = image.tag_v2.get(BITS_PER_SAMPLE, ())
        return len(bits) > 1 and max(bits) == 16
    return False


def _deep_png(path, transparent):
    # torchvision will drop its decoders, and the other files can do without them.
    from torchvision.io import ImageReadMode, decode_image, read_file

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        pixels = decode_image(read_file(str(path)), ImageReadMode.UNCHANGED)
    return _scaled(_with_opacity(pixels.movedim(0, -1).numpy(), transparent))


def _tiff_pixels(path):
    """The first picture of a TIFF file as tifffile reads it: (C, H, W), upright."""
    try:
        with tifffile.TiffFile(path) as file:
            page = file.pages[0]
            values, orientation = page.asarray(), page.tags.valueof(ORIENTATION)
    # Each part of the reader has an error of its own for a damaged file.
    except (zlib.error, struct.error, LookupError, TypeError) as error:
        raise ValueError(f"tifffile says {error}") from error
    n_colours, others = N_COLOURS.get(page.photometric), page.extrasamples
    if n_colours is None or len(others) > 1 or page.axes not in ("YX", "YXS", "SYX"):
        raise ValueError(
            "it has neither grey levels nor red, green and blue; convert it to either"
        )
    if page.axes == "SYX":
        values = np.moveaxis(values, 0, -1)
    if UNSPECIFIED in others:
        values = values[..., :n_colours]
    pixels = _wide(values)
    if page.photometric == WHITE_IS_ZERO:
        pixels[0] = 1 - pixels[0]
    if PREMULTIPLIED in others:
        pixels[:-1] = (pixels[:-1] / pixels[-1:].clamp(min=1e-6)).clamp(max=1)
    return _upright(pixels, orientation)
