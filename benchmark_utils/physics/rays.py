"""The rays of tomography: where each pixel is seen on the detector.

A ray at the angle theta and the signed distance t from the centre of the image is the
line x cos(theta) + y sin(theta) = t, x to the right and y upwards, in pixels; angle 0
sums columns, as in skimage.transform.radon.

A pixel is split into four, and the centre of each of them is interpolated linearly
between two bins of the detector, which are as wide as a pixel is at the centre of the
image: the area of a pixel is what the bins of an angle sum to.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse

# Where the centres of the four parts of a pixel are, from its own.
PARTS = [(row, column) for row in (-0.25, 0.25) for column in (-0.25, 0.25)]


@dataclass(frozen=True)
class Geometry:
    """Where the rays are.

    Attributes
    ----------
    height, width : int
        Of the image, in pixels.
    n_angles : int
        Evenly from 0, the end of ``angular_range`` left out.
    angular_range : float
        In degrees.
    source : float or None
        Distance of the source of a fan beam from the centre, in diagonals of the image;
        None for a parallel beam. The flat detector is drawn at the centre.
    centre : float
        Where the centre of the image is seen, in bins from the middle of the detector,
        which is moved by so much. Rays that miss it are not measured.
    """

    height: int
    width: int
    n_angles: int
    angular_range: float = 180.0
    source: float | None = None
    centre: float = 0.0

    @property
    def diagonal(self):
        return math.hypot(self.height, self.width)

    @property
    def n_bins(self):
        """So many that no ray through the image misses a detector in the middle."""
        if self.source is None:
            return math.ceil(self.diagonal)
        tangent = self.diagonal / 2 / math.sqrt(self.source**2 - 0.25) * self.source
        return math.ceil(2 * tangent)

    @property
    def middle(self):
        """The position on the detector where the centre of the image is seen."""
        return (self.n_bins - 1) / 2 + self.centre

    @cached_property
    def angles(self):
        """In radians: (n_angles,)."""
        return np.radians(np.arange(self.n_angles) * self.angular_range / self.n_angles)

    def on_detector(self, angle, shift=(0.0, 0.0)):
        """Where the centres of the pixels, moved by ``shift``, are seen.

        Returns
        -------
        bins : array (H, W)
            The position on the detector, in bins; 0 is the centre of the first.
        magnification : array (H, W), or 1
            Of lengths along the detector: 1 for a parallel beam.
        """
        y = (self.height - 1) / 2 - np.arange(self.height)[:, None] - shift[0]
        x = np.arange(self.width) - (self.width - 1) / 2 + shift[1]
        t = x * np.cos(angle) + y * np.sin(angle)
        if self.source is None:
            return t + self.middle, 1.0
        distance = self.source * self.diagonal
        towards_source = x * np.sin(angle) - y * np.cos(angle)
        magnification = distance / (distance - towards_source)
        return magnification * t + self.middle, magnification

    def is_seen(self, bins):
        """Whether positions on the detector are less than half a bin outside of it."""
        return np.abs(bins - (self.n_bins - 1) / 2) <= self.n_bins / 2

    @property
    def tangents(self):
        """Of the angle between each ray and the middle one: (n_bins,)."""
        if self.source is None:
            return np.zeros(self.n_bins)
        return (np.arange(self.n_bins) - self.middle) / (self.source * self.diagonal)

    @property
    def cosines(self):
        """Of the same angles: (n_bins,)."""
        return 1 / np.hypot(1, self.tangents)

    def transposed_matrix(self, rays):
        """Of the line integrals, in pixels: scipy.sparse (H W, len(rays)).

        Rows of the transpose are made of one pixel each: nothing has to be sorted.

        Parameters
        ----------
        rays : int array
            In increasing order; rays are numbered angle by angle.
        """
        angles = np.unique(rays // self.n_bins)
        seen = [self._seen_by_a_bin(self.angles[k]) for k in angles]
        n_slots = max(weights.shape[1] for _, weights in seen)
        shape = (self.height * self.width, len(angles), n_slots)
        columns, values = np.zeros(shape, np.int32), np.zeros(shape, np.float32)
        place = np.full(self.n_angles * self.n_bins, -1, np.int32)
        place[rays] = np.arange(len(rays))
        for i, (k, (first, weights)) in enumerate(zip(angles, seen)):
            slots = (first[:, None] + np.arange(n_slots)).clip(max=self.n_bins - 1)
            columns[:, i] = place[k * self.n_bins + slots]
            values[:, i, : weights.shape[1]] = weights
        is_asked_for = columns >= 0
        columns, values = columns * is_asked_for, values * is_asked_for
        starts = np.arange(shape[0] + 1, dtype=np.int32) * (shape[1] * shape[2])
        parts = values.ravel(), columns.ravel(), starts
        matrix = scipy.sparse.csr_array(parts, shape=(shape[0], len(rays)))
        matrix.eliminate_zeros()
        return matrix

    def _seen_by_a_bin(self, angle):
        """The first bin that sees each pixel, and what it and the next ones see.

        Returns
        -------
        first : int array (H W,)
        weights : float32 array (H W, number of bins)
        """
        parts = [self.on_detector(angle, shift) for shift in PARTS]
        bins = np.stack([b.ravel() for b, _ in parts])
        # A line integral is per unit of length across the ray, and a bin is wide.
        areas = np.stack([np.broadcast_to(m, b.shape).ravel() for b, m in parts])
        areas = areas / (
            len(PARTS) * np.interp(bins, np.arange(self.n_bins), self.cosines)
        )
        areas = np.where(self.is_seen(bins), areas, 0)
        left = np.floor(bins).astype(np.int32).clip(0, self.n_bins - 2)
        first = left.min(0)
        weights = np.zeros((len(first), (left - first).max() + 2), np.float32)
        pixels = np.arange(len(first))
        for part, area, bin_ in zip(bins, areas, left):
            weights[pixels, bin_ - first] += area * (1 - (part - bin_))
            weights[pixels, bin_ - first + 1] += area * (part - bin_)
        return first, weights
