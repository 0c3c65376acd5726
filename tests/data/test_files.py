"""Image files are read as what a viewer shows."""

import struct
import zlib

import numpy as np
import pytest
import skimage.data
import tifffile
import torch
from PIL import Image, ImageOps

from benchmark_utils.common.errors import Unavailable
from benchmark_utils.data.files import read_image

PIXELS = skimage.data.astronaut()[100:148, 150:210]  # 48 x 60
PHOTO = Image.fromarray(PIXELS)
COLOURS = torch.from_numpy(PIXELS).permute(2, 0, 1) / 255
GREY = torch.from_numpy(np.array(PHOTO.convert("L")))[None] / 255
# 16 bits, of which the low ones count.
DEEP = PIXELS.astype(np.uint16) * 257 ^ 5


def write_deep_png(path, pixels):
    """A PNG of 16 bits per channel; Pillow writes none in colours."""
    height, width, channels = pixels.shape
    colour_type = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    header = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    with path.open("wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        for kind, data in chunks:
            checksum = struct.pack(">I", zlib.crc32(kind + data))
            file.write(struct.pack(">I", len(data)) + kind + data + checksum)


def deep(pixels):
    return torch.from_numpy(pixels.astype(np.float32)).permute(2, 0, 1) / 65535


def same(image, expected, atol=1e-6):
    assert image.dtype == torch.float32 and image.is_contiguous()
    torch.testing.assert_close(image, expected, rtol=0, atol=atol)


@pytest.mark.parametrize(
    "name, options",
    [
        ("photo.png", {}),
        ("photo.tif", {}),
        ("photo.bmp", {}),
        ("photo.webp", {"lossless": True}),
    ],
)
def test_formats_without_loss_give_the_same_pixels(name, options, tmp_path):
    PHOTO.save(tmp_path / name, **options)
    same(read_image(tmp_path / name), COLOURS)


def test_grey_files_have_one_channel(tmp_path):
    PHOTO.convert("L").save(tmp_path / "grey.png")
    same(read_image(tmp_path / "grey.png"), GREY)
    bilevel = PHOTO.convert("1")
    bilevel.save(tmp_path / "bilevel.png")
    expected = torch.from_numpy(np.array(bilevel))[None].float()
    same(read_image(tmp_path / "bilevel.png"), expected)


def test_a_palette_is_looked_up(tmp_path):
    palette = PHOTO.convert("P", palette=Image.Palette.ADAPTIVE)
    palette.save(tmp_path / "palette.png")
    expected = torch.from_numpy(np.array(palette.convert("RGB"))).permute(2, 0, 1) / 255
    same(read_image(tmp_path / "palette.png"), expected)


def test_cmyk_is_shown_in_red_green_and_blue(tmp_path):
    PHOTO.convert("CMYK").save(tmp_path / "cmyk.jpg", quality=100)
    assert (read_image(tmp_path / "cmyk.jpg") - COLOURS).abs().mean() < 0.02


def test_what_is_transparent_is_seen_over_white(tmp_path):
    rgba = PHOTO.convert("RGBA")
    rgba.putalpha(51)
    rgba.save(tmp_path / "alpha.png")
    same(read_image(tmp_path / "alpha.png"), 0.2 * COLOURS + 0.8)
    same(read_image(tmp_path / "alpha.png", background=0), 0.2 * COLOURS)
    la = PHOTO.convert("L").convert("LA")
    la.putalpha(51)
    la.save(tmp_path / "la.png")
    same(read_image(tmp_path / "la.png"), 0.2 * GREY + 0.8)


def test_a_transparent_colour_is_seen_over_white(tmp_path):
    palette = Image.fromarray(np.array([[0, 1], [1, 1]], np.uint8), "P")
    palette.putpalette([255, 0, 0, 0, 0, 255])
    palette.save(tmp_path / "palette.png", transparency=0)
    image = read_image(tmp_path / "palette.png")
    assert image[:, 0, 0].tolist() == [1, 1, 1]
    assert image[:, 1, 1].tolist() == [0, 0, 1]


def test_opaque_alpha_changes_nothing(tmp_path):
    PHOTO.convert("RGBA").save(tmp_path / "alpha.png")
    same(read_image(tmp_path / "alpha.png"), COLOURS)


def test_sixteen_bits_are_kept_in_png(tmp_path):
    path = tmp_path / "deep.png"
    write_deep_png(path, DEEP)
    same(read_image(path), deep(DEEP), atol=1e-7)
    write_deep_png(path, DEEP[..., :1])
    same(read_image(path), deep(DEEP[..., :1]), atol=1e-7)
    opacity = np.full_like(DEEP[..., :1], 13107)
    write_deep_png(path, np.concatenate([DEEP, opacity], 2))
    same(read_image(path), 0.2 * deep(DEEP) + 0.8)
    write_deep_png(path, np.concatenate([DEEP[..., :1], opacity], 2))
    same(read_image(path), 0.2 * deep(DEEP[..., :1]) + 0.8)


def test_sixteen_bits_are_kept_in_tiff(tmp_path):
    path = tmp_path / "deep.tif"
    tifffile.imwrite(path, DEEP, photometric="rgb")
    same(read_image(path), deep(DEEP), atol=1e-7)
    planes = np.moveaxis(DEEP, -1, 0)
    tifffile.imwrite(path, planes, photometric="rgb", planarconfig="separate")
    same(read_image(path), deep(DEEP), atol=1e-7)
    tifffile.imwrite(path, DEEP[..., 0])
    same(read_image(path), deep(DEEP[..., :1]), atol=1e-7)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["photo.png", "photo.tif"])
def test_a_rotated_file_is_put_upright(orientation, name, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = orientation
    PHOTO.save(tmp_path / name, exif=exif)
    with Image.open(tmp_path / name) as image:
        upright = np.array(ImageOps.exif_transpose(image))
    expected = torch.from_numpy(upright).permute(2, 0, 1) / 255
    assert expected.shape[1:] == ((48, 60) if orientation < 5 else (60, 48))
    same(read_image(tmp_path / name), expected)


def test_a_jpeg_of_a_camera_is_put_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    PHOTO.save(tmp_path / "camera.jpg", exif=exif, quality=95)
    image = read_image(tmp_path / "camera.jpg")
    assert (image - COLOURS.rot90(-1, (1, 2))).abs().mean() < 0.03


def test_a_file_that_is_not_there_and_one_that_is_no_image_are_told_apart(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_image(tmp_path / "nothing.png")
    (tmp_path / "notes.png").write_text("not an image")
    with pytest.raises(Unavailable, match=r"notes\.png is not an image that can be"):
        read_image(tmp_path / "notes.png")


@pytest.mark.parametrize("depth", [8, 16])
def test_a_truncated_file_is_refused(depth, tmp_path):
    path = tmp_path / "cut.png"
    if depth == 8:
        PHOTO.save(path)
    else:
        write_deep_png(path, DEEP)
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(Unavailable, match=r"cut\.png is not an image that can be"):
        read_image(path)


def test_values_without_a_known_range_are_refused(tmp_path):
    Image.fromarray(PIXELS[..., 0].astype(np.float32)).save(tmp_path / "float.tif")
    with pytest.raises(Unavailable, match=r"float\.tif.*no known range"):
        read_image(tmp_path / "float.tif")
