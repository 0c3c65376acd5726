"""Figures for a paper of two columns: pictures with a detail, curves, speed.

Sizes are in inches: a figure is about as wide as a column or as a page, where its
letters have 7 or 8 points. Fonts are embedded (type 42), which publishers ask for.
"""

import math
import re

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Rectangle
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from benchmark_utils.scoring.views import COLOURS

COLUMN, PAGE = 3.3, 7.0
STYLE = {
    "font.family": "STIXGeneral",
    "mathtext.fontset": "stix",
    "font.size": 8,
    "axes.titlesize": 7,
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "axes.linewidth": 0.5,
    "xtick.major.width": 0.5,
    "ytick.major.width": 0.5,
    "xtick.minor.width": 0.3,
    "xtick.minor.size": 1.5,
    "lines.linewidth": 1.0,
    "lines.markersize": 4,
    "pdf.fonttype": 42,
    "ps.fonttype": 42,
    "svg.fonttype": "none",
}
# Beyond the colours, markers and dashes tell the solvers that share one.
MARKERS = "osD^vP*X"
DASHES = ("-", "--", ":", "-.")
# Of the detail, seen on any picture: {colour: width of the line}.
FRAME = {"black": 1.6, "white": 0.7}
# Between pictures, of a line and a letter of their titles, in inches.
GAP, LINE, LETTER = 0.04, 0.115, 0.045
SIDE_BY_SIDE = 8
# Down to this many dB below the best one; the ends of others are in the legend.
SHOWN_DB = 12.0
DOWN = r"$\downarrow$"


def pictures(panels, detail=None):
    """A figure of pictures, each with its title above and its detail below.

    Up to three are as wide as a column, more as a page.

    Parameters
    ----------
    panels : list of (title, picture, scale)
        Titles may have several lines. Pictures are uint8 (H, W, 3). ``scale`` is the
        number of pixels of the first one per pixel of this one; None where it shows
        something else, which has no detail.
    detail : (x, y, size) or None
        A square of the first picture: its left and upper corner, and side, in pixels.
    """
    n_columns = min(len(panels), SIDE_BY_SIDE)
    n_rows = -(-len(panels) // n_columns)
    n_columns = -(-len(panels) // n_rows)
    width = COLUMN if n_columns <= 3 else PAGE
    side = (width - (n_columns - 1) * GAP) / n_columns
    height, wide = panels[0][1].shape[:2]
    tall = side * height / wide
    titles = [wrapped(title, side) for title, *_ in panels]
    above = LINE * max(title.count("\n") + 1 for title in titles) + GAP
    below = side + GAP if detail else 0.0
    total = n_rows * (above + tall + below) + (n_rows - 1) * GAP
    figure = plt.figure(figsize=(width, total))

    def axes(left, top, height):
        box = left / width, 1 - (top + height) / total, side / width, height / total
        found = figure.add_axes(box)
        found.set(xticks=[], yticks=[])
        for spine in found.spines.values():
            spine.set_visible(False)
        return found

    for i, (title, (_, picture, scale)) in enumerate(zip(titles, panels)):
        row, column = divmod(i, n_columns)
        left = column * (side + GAP)
        top = row * (above + tall + below + GAP) + above
        whole = axes(left, top, tall)
        show(whole, picture)
        whole.set_title(title, pad=2, linespacing=1.0)
        if detail and scale:
            square = tuple(value / scale for value in detail)
            if i == 0:
                frame(whole, *square)
            show_detail(axes(left, top + tall + GAP, side), picture, *square)
    return figure


def show(axis, picture, left=0, top=0):
    """A picture, or the part of one that begins at a pixel; pixel i is [i, i + 1]."""
    height, width = picture.shape[:2]
    extent = left, left + width, top + height, top
    axis.imshow(picture, extent=extent, interpolation="none", aspect="auto")


def show_detail(axis, picture, x, y, size):
    """A square of a picture; no pixel outside of it is in the file."""
    left, top = math.floor(x), math.floor(y)
    right, bottom = math.ceil(x + size), math.ceil(y + size)
    show(axis, picture[top:bottom, left:right], left, top)
    axis.set(xlim=(x, x + size), ylim=(y + size, y))


def frame(axis, x, y, size):
    for colour, width in FRAME.items():
        style = {"fill": False, "edgecolor": colour, "linewidth": width}
        axis.add_patch(Rectangle((x, y), size, size, **style))


def wrapped(title, side):
    """A title broken to the width of its picture, after the signs of names."""
    n_letters, lines = int(side / LETTER), []
    for line in title.split("\n"):
        lines.append("")
        for part in re.split(r"(?<=[ \[,+])", line):
            if lines[-1] and len(lines[-1] + part.rstrip()) > n_letters:
                lines.append("")
            lines[-1] += part
    return "\n".join(line.rstrip() for line in lines)


def paper_styles(solvers):
    """{solver: its colour, marker and dashes}, the same in all the figures of a run."""
    n = len(COLOURS)
    return {
        solver: {
            "color": COLOURS[i % n],
            "marker": MARKERS[(i + i // n) % len(MARKERS)],
            "linestyle": DASHES[(i // n) % len(DASHES)],
        }
        for i, solver in enumerate(solvers)
    }


def against_time(curves, style, front=None):
    """A figure of PSNR (dB) against time (s), one column wide, the time logarithmic.

    Parameters
    ----------
    curves : dict {solver: (times, PSNRs)}
        Of one point, or more; infinite and missing PSNRs are left out.
    style : dict, what ``paper_styles`` gives, with all these solvers.
    front : (times, PSNRs) or None, a grey line behind the points.
    """
    figure, axis = plt.subplots(figsize=(COLUMN, 2.2), layout="constrained")
    best = max(max(psnr) for _, psnr in curves.values())
    if front is not None:
        axis.plot(*front, color="0.75", zorder=0, drawstyle="steps-post")
    floor = best - SHOWN_DB
    for solver, (times, psnr) in curves.items():
        label = solver
        if psnr[-1] < floor:
            label += f" ({DOWN} {psnr[-1]:.1f} dB)"
            axis.plot(times[-1], floor, **style[solver], clip_on=False)
        axis.plot(times, psnr, **style[solver], markevery=[-1], label=label)
    if min(min(psnr) for _, psnr in curves.values()) < floor:
        axis.set_ylim(floor, best + 0.05 * SHOWN_DB)
    axis.set(xscale="log", xlabel="Time (s)", ylabel="PSNR (dB)")
    label_times(axis.xaxis)
    axis.grid(color="0.9", linewidth=0.4)
    axis.spines[["top", "right"]].set_visible(False)
    longest = max(
        len(label.replace(DOWN, "x")) for label in axis.get_legend_handles_labels()[1]
    )
    n_columns = max(1, min(3, int(COLUMN / LETTER / (longest + 7))))
    legend = figure.legend(
        loc="outside lower center",
        ncols=n_columns,
        frameon=False,
        columnspacing=1.0,
        handlelength=2.0,
    )
    n_lines = -(-len(legend.get_texts()) // n_columns)
    figure.set_figheight(2.0 + 0.14 * n_lines)
    return figure


def label_times(axis):
    """A few round numbers on a logarithmic axis, without exponents, which are small."""
    low, high = axis.get_view_interval()
    decades = math.log10(high / low)
    axis.set_minor_formatter(NullFormatter())
    axis.set_major_formatter("{x:g}")
    if decades > 2:
        axis.set_major_locator(LogLocator(numticks=6))
    elif decades > 0.8:
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    else:
        axis.set_major_locator(MaxNLocator(5))


def finite(times, psnr):
    """The points of a curve that are numbers."""
    times, psnr = np.asarray(times, float), np.asarray(psnr, float)
    kept = np.isfinite(psnr)
    return times[kept], psnr[kept]
