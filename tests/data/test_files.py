"""Image files are read as what a viewer shows."""

import io
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
FLOATS = PIXELS.astype(np.float32) / 255


def write_deep_png(path, pixels, transparent=None):
    """A PNG of 16 bits per channel; Pillow writes none in colours."""
    height, width, channels = pixels.shape
    colour_type = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    header = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    if transparent is not None:
        chunks.insert(1, (b"tRNS", transparent.astype(">u2").tobytes()))
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


@pytest.mark.parametrize("channels", [1, 3])
def test_a_transparent_colour_of_sixteen_bits_is_seen_over_white(channels, tmp_path):
    pixels = np.arange(2 * 3 * channels, dtype=np.uint16).reshape(2, 3, channels)
    write_deep_png(tmp_path / "deep.png", pixels, transparent=pixels[0, 1])
    expected = deep(pixels)
    expected[:, 0, 1] = 1
    same(read_image(tmp_path / "deep.png"), expected)


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


def read_tiff(path, values, **options):
    usual = "rgb" if values.ndim == 3 else "minisblack"
    tifffile.imwrite(path, values, **{"photometric": usual, **options})
    return read_image(path)


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_tiff_of_any_values_is_put_upright_as_that_of_8_bits(
    orientation, compression, tmp_path
):
    options = {
        "extratags": [(274, "H", 1, orientation, True)],
        "compression": compression,
    }
    for channels in (slice(None), 0):
        pixels = PIXELS[..., channels]
        image = read_tiff(tmp_path / "8.tif", pixels, **options)
        # Pillow scrambles the one that it opens by its path.
        with Image.open(io.BytesIO((tmp_path / "8.tif").read_bytes())) as shown:
            upright = np.array(ImageOps.exif_transpose(shown))
        expected = torch.from_numpy(upright / np.float32(255))
        same(image, expected[None] if channels == 0 else expected.permute(2, 0, 1))
        sixteen = pixels.astype(np.uint16) * 257
        same(read_tiff(tmp_path / "16.tif", sixteen, **options), image)
        floats = FLOATS[..., channels]
        same(read_tiff(tmp_path / "floats.tif", floats, **options), image)


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_where_zero_is_white_the_values_are_inverted(compression, tmp_path):
    options = {"photometric": "miniswhite", "compression": compression}
    grey = PIXELS[..., 0]
    image = read_tiff(tmp_path / "8.tif", grey, **options)
    same(image, 1 - COLOURS[:1])
    for byteorder in "<>":
        sixteen = grey.astype(np.uint16) * 257
        path = tmp_path / "16.tif"
        same(read_tiff(path, sixteen, byteorder=byteorder, **options), image)
    for dtype in (np.float32, np.float64):
        same(
            read_tiff(tmp_path / "f.tif", (grey / 255).astype(dtype), **options), image
        )


def test_the_channel_after_the_colours_is_what_the_file_says(tmp_path):
    path = tmp_path / "deep.tif"
    kept, options = deep(DEEP), {"photometric": "rgb"}
    seen = 0.2 * kept + 0.8
    opacity = np.full_like(DEEP[..., :1], 13107)
    values = np.concatenate([DEEP, opacity], 2)
    same(read_tiff(path, values, extrasamples=["unassalpha"], **options), seen)
    same(read_tiff(path, values, extrasamples=["unspecified"], **options), kept)
    values[..., :3] = np.round(0.2 * DEEP)
    image = read_tiff(path, values, extrasamples=["assocalpha"], **options)
    same(image, seen, atol=2e-5)
    grey = np.concatenate([DEEP[..., :1], opacity], 2)
    options = {"photometric": "minisblack", "planarconfig": "contig"}
    same(read_tiff(path, grey, extrasamples=["unassalpha"], **options), seen[:1])


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


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_a_truncated_tiff_of_floats_is_refused(compression, tmp_path):
    path = tmp_path / "cut.tif"
    tifffile.imwrite(path, FLOATS, photometric="rgb", compression=compression)
    whole = path.read_bytes()
    for size in (0, 4, 8, 100, len(whole) // 2):
        path.write_bytes(whole[:size])
        with pytest.raises(Unavailable, match=r"cut\.tif is not an image that can be"):
            read_image(path)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_in_0_1_are_taken_as_they_are(dtype, tmp_path):
    path, values = tmp_path / "floats.tif", FLOATS.astype(dtype)
    expected = torch.from_numpy(values.astype(np.float32)).permute(2, 0, 1)
    same(read_tiff(path, values), expected, atol=0)
    planes = np.moveaxis(values, -1, 0)
    same(read_tiff(path, planes, planarconfig="separate"), expected, atol=0)
    same(read_tiff(path, values[..., 0]), expected[:1], atol=0)
    opaque = np.concatenate([values, np.ones_like(values[..., :1])], 2)
    same(read_tiff(path, opaque, extrasamples=["unassalpha"]), expected, atol=0)


@pytest.mark.parametrize(
    "wrong, sentence",
    [
        (255, r"it has values from 0\.0 to 255\.0; bring all of them to \[0, 1\]"),
        (-0.5, r"values from -0\.5 to 1\.0; bring"),
        (1.0000001, r"to 1\.0000001; bring"),
        (np.nan, r"values from 0\.0 to 1\.0 and NaN or infinite values; bring"),
        (np.inf, r"values from 0\.0 to 1\.0 and NaN or infinite values; bring"),
    ],
)
@pytest.mark.parametrize("channels", [slice(None), 0])
def test_floats_out_of_0_1_are_refused(channels, wrong, sentence, tmp_path):
    values = FLOATS[..., channels].copy()
    values.flat[:3] = 0, 1, wrong
    with pytest.raises(Unavailable, match=rf"floats\.tif is not .*{sentence}"):
        read_tiff(tmp_path / "floats.tif", values)


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.uint32])
@pytest.mark.parametrize("channels", [slice(None), 0])
def test_values_without_a_known_range_are_refused(channels, dtype, tmp_path):
    values = PIXELS[..., channels].astype(dtype)
    with pytest.raises(Unavailable, match=r"whole\.tif.*no known range"):
        read_tiff(tmp_path / "whole.tif", values)


def test_channels_that_are_no_colours_are_refused(tmp_path):
    options = {"photometric": "minisblack", "planarconfig": "contig"}
    with pytest.raises(Unavailable, match="neither grey levels nor red, green and"):
        read_tiff(tmp_path / "spectral.tif", FLOATS, **options)


@pytest.mark.parametrize("byteorder", "<>")
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_grey_floats_of_either_byte_order_are_read(byteorder, compression, tmp_path):
    path = tmp_path / "floats.tif"
    tifffile.imwrite(path, FLOATS[..., 0], byteorder=byteorder, compression=compression)
    torch.testing.assert_close(read_image(path)[0], torch.from_numpy(FLOATS[..., 0]))


def test_white_of_twelve_bits_is_one(tmp_path):
    """Two pixels of 4095 are three bytes."""
    tags = {256: 4, 257: 4, 258: 12, 259: 1, 262: 1, 273: 8, 277: 1, 278: 4, 279: 24}
    entries = b"".join(struct.pack("<HHIHH", t, 3, 1, v, 0) for t, v in tags.items())
    count = struct.pack("<H", len(tags))
    path = tmp_path / "twelve.tif"
    path.write_bytes(
        b"II*\0" + struct.pack("<I", 32) + b"\xff" * 24 + count + entries + bytes(4)
    )
    assert torch.equal(read_image(path), torch.ones(1, 4, 4))
