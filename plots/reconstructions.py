import numpy as np
from benchopt import BasePlot

from benchmark_utils.scoring import (
    centre,
    decode,
    final_results,
    light,
    picture_psnr,
    short_label,
    with_final_results,
)

# Larger pictures are shown by their centre: the page holds all of them.
MAX_SIDE = 256
# The detail has 1/8 of the side of the picture, and is shown 3 times larger.
DETAIL = 8
ZOOM = 3
FRAME = (0, 255, 80)


def enlarge(picture, height, width):
    """Nearest neighbour."""
    rows = np.arange(height) * picture.shape[0] // height
    columns = np.arange(width) * picture.shape[1] // width
    return picture[rows][:, columns]


def find_detail(truth):
    """Where gradients (mean) and contrast (standard deviation) are both strong.

    Returns
    -------
    top, left, side : int, of a square.
    """
    grey = truth.mean(-1)
    slope = sum(np.abs(gradient) for gradient in np.gradient(grey))
    side = min(grey.shape) // DETAIL
    rows, columns = (n // side for n in grey.shape)

    def blocks(values):
        values = values[: rows * side, : columns * side]
        return values.reshape(rows, side, columns, side)

    interest = blocks(slope).mean((1, 3)) * blocks(grey).std((1, 3))
    row, column = divmod(int(interest.argmax()), columns)
    return row * side, column * side, side


def framed(picture):
    picture = picture.copy()
    for edge in (picture[0], picture[-1], picture[:, 0], picture[:, -1]):
        edge[:] = FRAME
    return picture


def with_zoom(picture, detail):
    """The picture with its detail enlarged in the opposite corner.

    Returns
    -------
    float array (H, W, 3) in [0, 1].
    """
    top, left, side = detail
    height, width = picture.shape[:2]
    picture = picture.copy()
    crop = picture[top : top + side, left : left + side]
    size = ZOOM * side
    inset_top = height - size if top + side / 2 < height / 2 else 0
    inset_left = width - size if left + side / 2 < width / 2 else 0
    inset = slice(inset_top, inset_top + size), slice(inset_left, inset_left + size)
    picture[inset] = framed(enlarge(crop, size, size))
    picture[top : top + side, left : left + side] = framed(crop)
    return light(picture)


def picture_numbers(df):
    kept = with_final_results(df, "names")["final_results"]
    counts = [len(pictures["names"]) for pictures in kept]
    return list(range(1, max([1, *counts]) + 1))


def parts(df):
    """Phases are shown apart, where images are complex."""
    kept = with_final_results(df, "names")["final_results"]
    return ["image", *(["phase"] if any("phase" in p for p in kept) else [])]


class Plot(BasePlot):
    """Truth, measurement, and what each solver makes of it, with a detail enlarged.

    The PSNR is that of the whole picture; pictures are those of the first repetition.
    Beside the phases of complex images, the measurement is the logarithm of k-space.
    """

    name = "reconstructions"
    type = "image"
    options = {"dataset": ..., "objective": ..., "picture": picture_numbers}
    options |= {"part": parts}

    def plot(self, df, dataset, objective, picture, part="image"):
        rows = self._rows(df, dataset, objective, picture)
        is_phase = part == "phase"
        if is_phase:
            rows = rows.loc[["phase" in kept for kept in rows["final_results"]]]
        if rows.empty:
            return []

        def of(row):
            return row["final_results"]["phase"] if is_phase else row["final_results"]

        pictures = of(rows.iloc[0])
        truth = decode(pictures["truth"][picture - 1])
        measurement = decode(pictures["measurement"][picture - 1])
        detail = find_detail(centre(truth, MAX_SIDE))

        label = "k-space" if is_phase else "Measurement"
        if measurement.shape != truth.shape:
            label += " ({1}x{0} pixels)".format(*measurement.shape)
        shown = [("Truth", truth), (label, enlarge(measurement, *truth.shape[:2]))]
        for _, row in rows.iterrows():
            kept = of(row)
            ours = decode(kept["reconstruction"][picture - 1])
            score = ": diverged" if row["objective_diverged"] else ""
            if not score and not is_phase:
                psnr = kept.get("psnr")
                psnr = psnr[picture - 1] if psnr else picture_psnr(ours, truth)
                score = f": {psnr:.2f} dB"
            shown.append((f"{row['solver_name']}{score}", ours))
        return [
            {"image": with_zoom(centre(image, MAX_SIDE), detail), "label": label}
            for label, image in shown
        ]

    def get_metadata(self, df, dataset, objective, picture, part="image"):
        rows = self._rows(df, dataset, objective, picture)
        title = short_label(dataset)
        if not rows.empty:
            title += f": {rows['final_results'].iloc[0]['names'][picture - 1]}"
        return {"title": title, "ncols": 3}

    @staticmethod
    def _rows(df, dataset, objective, picture):
        """One row per solver with such a picture, in the order of the run."""
        rows = final_results(df, dataset, objective, "names")
        return rows.loc[[picture <= len(p["names"]) for p in rows["final_results"]]]
