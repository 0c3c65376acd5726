"""Pictures of 8 bits: their files and PSNR, and the sheet of a dictionary."""

import io
import math

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from benchmark_utils.scoring import metrics

# Pictures kept of the first test images; N_EXACT without loss, the others as previews.
N_PICTURES, N_EXACT = 24, 2
# Of previews, in percent: 20 kB for a photograph of 256x256, where a PNG has 110.
QUALITY = 85

# Of the largest magnitude: below, a phase is noise.
DARK = 0.05
# Of k-space, in its pictures.
DECADES = 4

# Smaller atoms are enlarged to this width, in pixels, or a little more.
ATOM_WIDTH = 16


def png(image):
    """An image (C, H, W) with values in [0, 1], clipped, as the bytes of a PNG file."""
    return encoded(image, format="PNG")


def encoded(image, **options):
    """An image (C, H, W) with values in [0, 1], clipped, as the bytes of a file.

    ``options`` are those of Pillow's ``save``.
    """
    pixels = (image.clamp(0, 1).nan_to_num() * 255).round().byte()
    pixels = np.ascontiguousarray(pixels.movedim(0, -1).squeeze(-1).cpu().numpy())
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, **options)
    return buffer.getvalue()


def decode(file):
    """The bytes of a PNG or WebP file as uint8 (H, W, 3)."""
    return np.asarray(Image.open(io.BytesIO(file)).convert("RGB"))


def centre(picture, max_side):
    """The central part of at most ``max_side`` pixels in each direction."""
    top, left = (max(n - max_side, 0) // 2 for n in picture.shape[:2])
    return picture[top : top + max_side, left : left + max_side]


def light(picture):
    """A decoded picture as float (H, W, 3) in [0, 1], of 64 levels.

    The eye doesn't see it, and it saves a third of the weight of a page.
    """
    return (picture // 4 * 4 + 2) / 255


def picture_psnr(picture, truth):
    """PSNR (dB) of one decoded picture against another; infinite where they agree."""
    error = (picture.astype(float) - truth) / 255
    with np.errstate(divide="ignore"):
        return -10 * np.log10(np.mean(error**2))


def atom_sheet(atoms):
    """All the atoms of a dictionary in one image, in rows, with white margins.

    Each atom is scaled by its largest absolute value: 0 is mid-grey.

    Parameters
    ----------
    atoms : tensor (K, C, h, w)
        C is 1 or 3.

    Returns
    -------
    tensor (C, H, W) in [0, 1]
    """
    largest = atoms.abs().amax((1, 2, 3), keepdim=True)
    tiles = 0.5 + 0.5 * atoms / largest.clamp(min=torch.finfo(atoms.dtype).tiny)
    factor = math.ceil(ATOM_WIDTH / atoms.shape[-1])
    tiles = tiles.repeat_interleave(factor, -2).repeat_interleave(factor, -1)
    tiles = F.pad(tiles, (0, 1, 0, 1), value=1.0)

    n_atoms, n_channels, height, width = tiles.shape
    n_columns = math.ceil(math.sqrt(n_atoms))
    n_rows = math.ceil(n_atoms / n_columns)
    n_blanks = n_rows * n_columns - n_atoms
    tiles = torch.cat([tiles, tiles.new_ones(n_blanks, *tiles.shape[1:])])
    grid = tiles.view(n_rows, n_columns, n_channels, height, width)
    sheet = grid.permute(2, 0, 3, 1, 4).reshape(
        n_channels, n_rows * height, n_columns * width
    )
    return F.pad(sheet, (1, 0, 1, 0), value=1.0)


def phase(x):
    """The phase of complex images (B, 2, H, W): (B, 1, H, W), black to white in a turn.

    Grey is 0. Where the magnitude is below DARK times the largest, it is black.
    """
    size = torch.linalg.vector_norm(x, dim=1, keepdim=True)
    seen = size > DARK * size.amax((-3, -2, -1), keepdim=True)
    turns = torch.atan2(x[:, 1:], x[:, :1]) / (2 * math.pi)
    return torch.where(seen, 0.5 + turns, 0.0)


def kspace(y):
    """Magnitudes of k-space (B, 2, [coils,] H, W), of all coils: (B, 1, H, W).

    Logarithmic, from DECADES below the largest (black) to it (white).
    """
    size = torch.linalg.vector_norm(y.flatten(1, -3), dim=1, keepdim=True)
    largest = size.amax((-3, -2, -1), keepdim=True)
    tiny = torch.finfo(size.dtype).tiny
    return (1 + (size / largest.clamp(min=tiny)).log10() / DECADES).clamp(0, 1)


def of_result(batches, x_hat, snapshots=None, atoms=None):
    """What the dashboard shows of a run: files of the first N_PICTURES images.

    The first N_EXACT are PNG files, the others WebP files with some loss.

    Parameters
    ----------
    batches : list of Batch, with their truth.
    x_hat : list of tensors, one per batch.
    snapshots : dict {iteration: list of tensors} or None
    atoms : tensor (K, C, h, w) or None

    Returns
    -------
    dict: names (list of str), truth, measurement, reconstruction (lists of files),
    psnr (list of float; that of a picture is another where it shows a window of the
    values), snapshots, {iteration: list of N_EXACT files}, and atoms (PNG), a sheet of
    all of them, where there are some. Complex images have their magnitudes there, and
    "phase": truth and reconstruction, the phases, and measurement, k-space. Vectors
    have their atoms alone, or None.
    """
    sheet = {} if atoms is None else {"atoms": png(atom_sheet(atoms))}
    if not batches[0].domain.is_image:
        return sheet or None
    x_hat = [x.to(batch.x.device) for x, batch in zip(x_hat, batches)]

    def first(pictures_of_batches, n=N_PICTURES):
        images = [image for batch in pictures_of_batches for image in batch][:n]
        previews = [
            encoded(image, format="WEBP", quality=QUALITY) for image in images[N_EXACT:]
        ]
        return [*map(png, images[:N_EXACT]), *previews]

    def shown(signals, n=N_PICTURES):
        return first((b.domain.shown(x) for b, x in zip(batches, signals)), n)

    def psnr(signals):
        pairs = [
            (b.domain.scored(x), b.domain.scored(b.x)) for b, x in zip(batches, signals)
        ]
        return torch.cat([metrics.psnr(*pair) for pair in pairs])[:N_PICTURES].tolist()

    phases = {}
    if batches[0].domain.kind == "complex":
        phases["phase"] = {
            "truth": first(phase(batch.x) for batch in batches),
            "measurement": first(kspace(batch.y) for batch in batches),
            "reconstruction": first(phase(x) for x in x_hat),
        }
    names = [name for batch in batches for name in batch.names]
    return {
        "names": names[:N_PICTURES],
        "truth": shown([batch.x for batch in batches]),
        "measurement": first(
            b.domain.measurement_picture(b.y, b.true_physics) for b in batches
        ),
        "reconstruction": shown(x_hat),
        "psnr": psnr(x_hat),
        "snapshots": {k: shown(kept, N_EXACT) for k, kept in (snapshots or {}).items()},
        **phases,
        **sheet,
    }
