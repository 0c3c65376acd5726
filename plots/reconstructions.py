import math

import numpy as np
from benchopt import BasePlot
from PIL import Image

from benchmark_utils.scoring import (
    centre,
    decode,
    final_results,
    in_words,
    light,
    picture_psnr,
    short_label,
    with_final_results,
)

# A card is 2 x 2 tiles of this many pixels: the page holds all of them.
TILE = 128
# Larger pictures are shown by their centre.
MAX_SIDE = 512
# The side of the detail, of large pictures and of small ones.
DETAIL, LEAST_DETAIL = 32, 16
# The error that is white.
WHITE = 0.2
FRAME = (0, 255, 80)
NONE = "No pictures here: they are kept of images, not of vectors"


def enlarge(picture, height, width):
    """Nearest neighbour."""
    rows = np.arange(height) * picture.shape[0] // height
    columns = np.arange(width) * picture.shape[1] // width
    return picture[rows][:, columns]


def tile(picture):
    """The picture in a tile, white around it: reduced by means, enlarged by pixels."""
    scale = TILE / max(picture.shape[:2])
    height, width = (max(1, round(scale * n)) for n in picture.shape[:2])
    if scale >= 1:
        picture = enlarge(picture, height, width)
    else:
        picture = Image.fromarray(picture).resize((width, height), Image.Resampling.BOX)
    found = np.full((TILE, TILE, 3), 255, np.uint8)
    top, left = (TILE - height) // 2, (TILE - width) // 2
    found[top : top + height, left : left + width] = picture
    return found


def find_detail(truth):
    """Where gradients (mean) and contrast (standard deviation) are both strong.

    Returns
    -------
    slices of rows and of columns, of a square.
    """
    grey = truth.mean(-1)
    slope = sum(np.abs(gradient) for gradient in np.gradient(grey))
    side = min(DETAIL, max(LEAST_DETAIL, min(grey.shape) // 4), *grey.shape)
    rows, columns = (n // side for n in grey.shape)

    def blocks(values):
        values = values[: rows * side, : columns * side]
        return values.reshape(rows, side, columns, side)

    interest = blocks(slope).mean((1, 3)) * blocks(grey).std((1, 3))
    row, column = divmod(int(interest.argmax()), columns)
    return tuple(slice(i * side, (i + 1) * side) for i in (row, column))


def framed(picture, detail):
    """With a frame around the detail that is still a pixel wide in a tile."""
    picture = picture.copy()
    inside = picture[detail]
    width = math.ceil(max(picture.shape) / TILE)
    for edge in (np.s_[:width], np.s_[-width:]):
        inside[edge] = inside[:, edge] = FRAME
    return picture


def error_map(picture, truth):
    """|picture - truth|, the mean over the colours: black for 0, white from WHITE."""
    error = np.abs(picture.astype(float) - truth).mean(-1, keepdims=True)
    levels = np.clip(error / WHITE, 0, 255).astype(np.uint8)
    return levels.repeat(3, -1) // 16 * 16


def card(picture, detail, truth=None):
    """The picture and its detail, their errors below: float (2 TILE, 2 TILE, 3)."""
    rows = [light(np.hstack([tile(framed(picture, detail)), tile(picture[detail])]))]
    if truth is None:
        rows.append(np.ones((TILE, 2 * TILE, 3)))
    else:
        error = error_map(picture, truth)
        rows.append(np.hstack([tile(error), tile(error[detail])]) / 255)
    return np.vstack(rows)


def pictures_kept(df):
    return with_final_results(df, "names")["final_results"]


def picture_options(df):
    """The numbers of the pictures, each with its name, or its names in several data."""
    names = []
    for kept in pictures_kept(df):
        names += [[] for _ in range(len(kept["names"]) - len(names))]
        for known, name in zip(names, kept["names"]):
            known += [name.replace('"', "'")] if name and name not in known else []
    return [f"{i}. {', '.join(n)}".rstrip(". ") for i, n in enumerate(names, 1)] or [
        "1"
    ]


def parts(df):
    """Phases are shown apart, where images are complex."""
    return [
        "image",
        *(["phase"] if any("phase" in p for p in pictures_kept(df)) else []),
    ]


class Plot(BasePlot):
    """Truth, measurement, and what each solver makes of it, the best PSNR first.

    Beside each picture is a detail, the same in all, and below them the errors. The
    PSNR is that of the whole image; pictures are those of the first repetition. Beside
    the phases of complex images, the measurement is the logarithm of k-space.
    """

    name = "reconstructions"
    type = "image"
    options = {"dataset": ..., "objective": ..., "picture": picture_options}
    options |= {"part": parts}

    def plot(self, df, dataset, objective, picture, part="image"):
        rows = self._rows(df, dataset, objective, picture)
        is_phase = part == "phase"
        if is_phase:
            rows = rows.loc[["phase" in kept for kept in rows["final_results"]]]
        if rows.empty:
            return in_words(self._why_none(df, dataset, part))
        index = number(picture) - 1

        def of(row):
            return row["final_results"]["phase"] if is_phase else row["final_results"]

        def shown(pictures, kind):
            return centre(decode(pictures[kind][index]), MAX_SIDE)

        pictures = of(rows.iloc[0])
        truth = shown(pictures, "truth")
        measurement = decode(pictures["measurement"][index])
        detail = find_detail(truth)
        label = "k-space" if is_phase else "Measurement"
        whole = decode(pictures["truth"][index]).shape
        if measurement.shape != whole:
            label += " ({1}x{0} pixels)".format(*measurement.shape)
        measurement = centre(enlarge(measurement, *whole[:2]), MAX_SIDE)

        solvers = []
        for _, row in rows.iterrows():
            ours = shown(of(row), "reconstruction")
            psnr, score = -np.inf, ": diverged"
            if not row["objective_diverged"]:
                psnr = row["final_results"].get("psnr")
                psnr = psnr[index] if psnr else picture_psnr(ours, truth)
                score = "" if is_phase else f": {psnr:.2f} dB"
            image = card(ours, detail, None if is_phase else truth)
            solvers.append((psnr, short_label(row["solver_name"]) + score, image))
        solvers.sort(key=lambda solver: -solver[0])
        return [
            {"image": card(truth, detail), "label": "Truth"},
            {"image": card(measurement, detail), "label": label},
            *({"image": image, "label": label} for _, label, image in solvers),
        ]

    def get_metadata(self, df, dataset, objective, picture, part="image"):
        rows = self._rows(df, dataset, objective, picture)
        title = short_label(dataset)
        if not rows.empty:
            title += f": {rows['final_results'].iloc[0]['names'][number(picture) - 1]}"
            title += f" (below: errors, white from {WHITE})" * (part == "image")
        return {"title": title, "ncols": 3}

    @staticmethod
    def _rows(df, dataset, objective, picture):
        """One row per solver with such a picture, in the order of the run."""
        rows = final_results(df, dataset, objective, "names")
        counts = rows["final_results"].map(lambda kept: len(kept["names"]))
        return rows.loc[counts >= number(picture)]

    @staticmethod
    def _why_none(df, dataset, part):
        kept = pictures_kept(df[df["dataset_name"] == dataset])
        if kept.empty:
            return NONE
        if part == "phase":
            return "No phases here: these images are not complex"
        n = max(len(pictures["names"]) for pictures in kept)
        return f"No such picture here: these data have {n}"


def number(picture):
    """The number that an option begins with."""
    return int(picture.split(".")[0])
