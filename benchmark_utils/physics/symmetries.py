"""The symmetries of a scanner: rays that see turned images as other rays see the image.

A quarter turn of a square image, or its mirror image, is seen by each ray as the image
itself is by another ray. One ray of each such orbit (up to eight) is enough: the others
are its products with the turned images.
"""

from fractions import Fraction
from itertools import product

import numpy as np


class Symmetries:
    """Which rays stand for which, and the images that they are multiplied with.

    Parameters
    ----------
    geometry : Geometry

    Attributes
    ----------
    rays : int array (n_kept,)
        One of each orbit, in increasing order; rays are numbered angle by angle.
    sources : int array (n_rays,)
        Where each ray is found in the products (n_kept, n_moves), flattened, of the
        kept rays and the moved images.
    pixels : int array (H W, n_moves)
        Pixel p of moved image m is pixel ``pixels[p, m]`` of the image.
    """

    def __init__(self, geometry):
        moves = list(product((False, True), range(4)))
        if geometry.height != geometry.width:
            moves = [
                (mirrored, quarters) for mirrored, quarters in moves if not quarters % 2
            ]
        partners = np.stack([_partners(geometry, *move) for move in moves])
        if geometry.angular_range > 360:
            # The angles of a second turn may be others.
            moves, partners = moves[:1], np.arange(partners.shape[1])[None]
        first = np.where(partners < 0, partners.shape[1], partners).min(0)
        self.rays = np.unique(first)
        source = np.full(partners.shape[1], -1)
        used = []
        for move, of_move in zip(moves, partners[:, self.rays]):
            new = (of_move >= 0) & (source[of_move] < 0)
            if new.any():
                source[of_move[new]] = np.flatnonzero(new) + len(used) * len(self.rays)
                used.append(move)
        # Rays that are the same line have the source of the first of them.
        move, ray = np.divmod(source[partners[0]], len(self.rays))
        self.sources = ray * len(used) + move
        pixels = np.arange(geometry.height * geometry.width)
        pixels = pixels.reshape(geometry.height, geometry.width)
        self.pixels = np.stack([_moved(pixels, *move).ravel() for move in used], -1)


def _moved(image, mirrored, quarters):
    """The image, turned clockwise, and then mirrored from left to right."""
    turned = np.rot90(image, -quarters)
    return turned[:, ::-1] if mirrored else turned


def _partners(geometry, mirrored, quarters):
    """The ray that sees the image as each ray sees the moved one, or -1: (n_rays,)."""
    # In steps of the angle, which are exact: a range of 137.3 degrees has no partners
    # but for itself.
    quarter = 90 * geometry.n_angles / Fraction(float(geometry.angular_range))
    bins = np.arange(geometry.n_bins)
    rays = np.full((geometry.n_angles, geometry.n_bins), -1)
    for k in range(geometry.n_angles):
        angle = (quarters * quarter + (-k if mirrored else k)) % (4 * quarter)
        sides = [(angle, mirrored)]
        if geometry.source is None:
            # The same line, seen from the other side.
            sides.append(((angle + 2 * quarter) % (4 * quarter), not mirrored))
        for angle, is_reversed in sorted(sides):
            is_measured = angle.denominator == 1 and angle < geometry.n_angles
            if is_measured and not (is_reversed and geometry.centre):
                of_angle = bins[::-1] if is_reversed else bins
                rays[k] = int(angle) * geometry.n_bins + of_angle
                break
    return rays.ravel()
