"""Image files, read as what a viewer shows."""

import warnings
from pathlib import Path

import numpy as np
import tifffile
import torch
from PIL import Image

from benchmark_utils.common.errors import Unavailable

ORIENTATION = 0x0112  # The tag of EXIF, and of TIFF.
BITS_PER_SAMPLE = 258

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
    keep them, and are divided by 65535.

    Raises
    ------
    FileNotFoundError
    Unavailable
        The file is not an image that can be read.
    """
    path = Path(path)
    try:
        with Image.open(path) as image:
            if not _has_deep_colours(image, path):
                return pixels_of(image, background)
            orientation = image.getexif().get(ORIENTATION)
            pixels = _deep_colours(path, image.format)
        pixels = _on_background(pixels, background)
        return _upright(pixels, orientation)
    except FileNotFoundError:
        raise
    # Pillow, torchvision and tifffile have an error each for what they cannot read.
    except (OSError, SyntaxError, RuntimeError, ValueError, ImportError) as error:
        lines = str(error).splitlines() or [type(error).__name__]
        raise Unavailable(
            f"{path} is not an image that can be read: {lines[0]}"
        ) from error


def pixels_of(image, background=1.0):
    """The pixels of a Pillow image, as ``read_image`` gives them."""
    image.load()
    # Pillow has put TIFF files upright already, and dropped their tag.
    orientation = image.getexif().get(ORIENTATION)
    if image.mode.startswith("I;16"):
        pixels = _scaled(np.array(image))
    elif image.mode in ("I", "F"):
        raise ValueError(
            f"its values (mode {image.mode}) have no known range; scale them to [0, 1]"
        )
    elif image.mode in ("1", "L") and "transparency" not in image.info:
        pixels = _scaled(np.array(image.convert("L")))
    elif image.mode in ("LA", "La"):
        pixels = _scaled(np.array(image.convert("LA")))
    elif image.has_transparency_data:
        pixels = _scaled(np.array(image.convert("RGBA")))
    else:
        pixels = _scaled(np.array(image.convert("RGB")))
    return _upright(_on_background(pixels, background), orientation)


def _scaled(pixels):
    """An array (H, W) or (H, W, C) of whole numbers as a tensor (C, H, W) in [0, 1]."""
    largest = np.iinfo(pixels.dtype).max
    pixels = pixels.reshape(*pixels.shape[:2], -1).astype(np.float32)
    return torch.from_numpy(pixels).permute(2, 0, 1).div(largest).contiguous()


def _on_background(pixels, background):
    """Pixels (C, H, W), of which the channel after the colours is the opacity."""
    if len(pixels) in (1, 3):
        return pixels
    colours, opacity = pixels[:-1], pixels[-1:]
    return opacity * colours + (1 - opacity) * background


def _upright(pixels, orientation):
    return UPRIGHT.get(orientation, lambda x: x)(pixels).contiguous()


# Pillow reads these files too, and drops half of their bits.


def _has_deep_colours(image, path):
    """Whether a file has several channels of 16 bits."""
    if image.format == "PNG":
        with path.open("rb") as file:
            header = file.read(26)
        depth, is_grey = header[24], header[25] == 0
        return depth == 16 and not is_grey
    if image.format == "TIFF" and image.mode in ("RGB", "RGBA"):
        bits = image.tag_v2.get(BITS_PER_SAMPLE, ())
        return len(bits) > 1 and max(bits) == 16
    return False


def _deep_colours(path, file_format):
    if file_format == "PNG":
        # torchvision will drop its decoders, and the other files can do without them.
        from torchvision.io import ImageReadMode, decode_image, read_file

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            pixels = decode_image(read_file(str(path)), ImageReadMode.UNCHANGED)
        return _scaled(pixels.movedim(0, -1).numpy())
    with tifffile.TiffFile(path) as file:
        pixels, axes = file.pages[0].asarray(), file.pages[0].axes
    return _scaled(np.moveaxis(pixels, 0, -1) if axes == "SYX" else pixels)
