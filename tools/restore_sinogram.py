"""Restore a slice from a measured sinogram, and draw what solvers see.

    python tools/restore_sinogram.py my_scan.h5 picture.png
    python tools/restore_sinogram.py my_scan.h5 picture.png --binning 2 --every 3 -s TV

The h5 file has the layout of Data Exchange, for a parallel beam: exchange/data
(angles, rows, bins), data_white and data_dark (frames, rows, bins), theta (degrees).
Counts are corrected by the frames without sample and without beam. The centre of
rotation is found, the noise is that of the counts, and values are scaled to [0, 1].
There is no truth here: with --every, images are compared to the rays that were left
out. The solvers have the hyper-parameters of the benchmark.
"""

import argparse
import math
import sys
import time
from dataclasses import replace
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import torch
from scipy.optimize import minimize_scalar

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmark_utils.api import restore  # noqa: E402
from benchmark_utils.common import NotApplicable, Unavailable  # noqa: E402
from benchmark_utils.data.scans import read_scan  # noqa: E402
from benchmark_utils.physics import Tomography, inverse_radon  # noqa: E402
from benchmark_utils.physics.noise import LowDoseNoise  # noqa: E402
from benchmark_utils.physics.rays import Geometry  # noqa: E402
from tools.paper.files import picture_file  # noqa: E402

SOLVERS = ["Filtered back-projection", "TV", "PnP-HQS"]
# Of the largest mean integral: what absorbs more belongs to the sample.
OF_SAMPLE = 0.02
# Of the image beside the sample.
MARGIN = 1.1
# How far from the first estimate the centre of rotation is looked for, in bins.
NEAR = 3
# Of the brightest pixels, which say where 1 is.
QUANTILE = 0.999


def first_centre(scan):
    """The centre of rotation, in bins from the first, to about a bin.

    The centre of mass of the projections turns around it (Azevedo et al., 1990,
    "Calculation of the rotational centers in computed tomography sinograms").
    """
    bins = np.arange(len(scan.integrals))
    masses = scan.integrals.sum(0)
    centroids = bins @ scan.integrals / masses
    angles = np.radians(np.arange(len(masses)) * scan.angular_range / len(masses))
    waves = np.stack([np.ones_like(angles), np.cos(angles), np.sin(angles)], axis=1)
    return float(np.linalg.lstsq(waves, centroids, rcond=None)[0][0])


def side_of_image(scan, centre):
    """Of a square of pixels that holds the sample, with a margin.

    Raises
    ------
    NotApplicable
        There is no sample, or it is wider than the detector.
    """
    mean = scan.integrals.mean(1)
    seen = np.flatnonzero(mean > OF_SAMPLE * mean.max())
    if mean.max() <= 0 or seen[0] == 0 or seen[-1] == len(mean) - 1:
        raise NotApplicable(
            "The sample must absorb something, and be narrower than the detector: air "
            "is needed on both sides."
        )
    return math.ceil(2 * MARGIN * max(abs(seen - centre)))


def window(scan, centre, side):
    """The rays through a square: a Geometry, and its sinogram (1, 1, bins, angles).

    Beyond the detector, there is air.
    """
    n_angles = scan.integrals.shape[1]
    # Angles are known to less, and symmetries need those of 180 degrees, say.
    angular_range = round(scan.angular_range, 3)
    geometry = Geometry(side, side, n_angles, angular_range)
    first = round(centre - geometry.middle)
    geometry = replace(geometry, centre=centre - first - geometry.middle)
    bins = first + np.arange(geometry.n_bins)
    is_measured = (bins >= 0) & (bins < len(scan.integrals))
    rays = np.where(is_measured, bins, 0)
    integrals = np.where(is_measured[:, None], scan.integrals[rays], 0)
    return geometry, torch.from_numpy(integrals).float()[None, None]


def centre_of_rotation(scan):
    """In bins from the first one: where filtered back-projection is least negative.

    Donath et al. (2006), "Automated determination of the center of rotation in
    tomography data".
    """
    first = first_centre(scan)
    side = side_of_image(scan, first)

    def negativity(centre):
        x = inverse_radon(*window(scan, centre, side))
        return float(x.clamp(max=0).square().sum())

    bounds = first - NEAR, first + NEAR
    return float(minimize_scalar(negativity, bounds=bounds, options={"xatol": 0.05}).x)


def measurement(scan, centre):
    """y (1, 1, bins, angles) and its physics, scaled so that the image is in [0, 1]."""
    geometry, integrals = window(scan, centre, side_of_image(scan, centre))
    largest = float(inverse_radon(geometry, integrals, "hann").quantile(QUANTILE))
    physics = Tomography(geometry)
    scale = physics.norm * largest
    physics.noise_model = LowDoseNoise(scan.photons, scale)
    return integrals / scale, physics


def error_of_other_rays(x, physics, scan, centre, every):
    """Root mean square of (A x - y) over the noise, for the angles that x is not from.

    Parameters
    ----------
    x : tensor (1, 1, H, W), restored from one angle of ``every``.
    physics : of the measurement that it is restored from.
    scan : Scan, with all the angles.
    centre : float
        Of rotation, in bins from the first.
    every : int, 2 or more
    """
    geometry, integrals = window(scan, centre, x.shape[-1])
    is_other = torch.arange(geometry.n_angles) % every != 0
    A = Tomography(geometry)
    per_pixel = float(physics.noise_model.scale) / physics.norm
    error = A.A(x) * (A.norm * per_pixel) - integrals
    in_noise = error * (scan.photons * torch.exp(-integrals)).sqrt()
    return float(in_noise[..., is_other].square().mean().sqrt())


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("sinogram", type=Path)
    parser.add_argument("picture", type=picture_file)
    add = parser.add_argument
    add("-s", "--solver", action="append", help="can be given again")
    add("--row", type=int, default=0, help="of the detector")
    add("--binning", type=int, default=1, help="bins that become one")
    add("--every", type=int, default=1, help="keep one angle of so many")
    arguments = parser.parse_args()
    if min(arguments.binning, arguments.every) < 1:
        parser.error("--binning and --every are 1 or more.")
    try:
        scan = read_scan(arguments.sinogram, arguments.row, arguments.binning)
        centre = centre_of_rotation(scan)
        used = scan.thinned(arguments.every)
        n_bins, n_angles = used.integrals.shape
        print(
            f"{n_bins} bins, {n_angles} angles over {used.angular_range:.1f} degrees; "
            f"centre of rotation at bin {centre:.2f}; {scan.photons:.0f} photons."
        )
        y, physics = measurement(used, centre)
        images = {}
        for name in arguments.solver or SOLVERS:
            start = time.perf_counter()
            x = restore(y, physics, name).cpu()
            print(f"{name}: {time.perf_counter() - start:.1f} s")
            if arguments.every > 1:
                error = error_of_other_rays(x, physics, scan, centre, arguments.every)
                print(f"{name}: {error:.2f} times the noise from the other rays")
            images[name] = x[0, 0].numpy()
    except (NotApplicable, Unavailable) as error:
        raise SystemExit(str(error)) from error
    draw(images, arguments.picture)


def draw(images, path):
    """Each image, and its centre enlarged below it."""
    matplotlib.use("Agg")
    size, n = (3 * len(images), 6.3), len(images)
    figure, axes = plt.subplots(2, n, figsize=size, layout="constrained", squeeze=False)
    for (above, below), (name, image) in zip(axes.T, images.items()):
        third = len(image) // 3
        centre = image[third:-third, third:-third]
        for axis, shown in ((above, image), (below, centre)):
            axis.imshow(shown, cmap="gray", vmin=0, vmax=1)
            axis.axis("off")
        above.set_title(name)
    figure.savefig(path, dpi=100)


if __name__ == "__main__":
    main()
