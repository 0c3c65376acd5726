"""Restore an image from measured k-space of several coils, and draw what solvers see.

    python tools/restore_kspace.py my_kspace.npy picture.png
    python tools/restore_kspace.py my_kspace.npy picture.png -s TV --noise 0.02

The file of numpy holds complex values (coils, H, W), the origin of k-space central,
and 0 where nothing was measured. Sensitivity maps are estimated from the centre, which
is fully sampled; the noise, from the outermost values, unless it is given. There is no
truth here: nothing is scored. The solvers have the hyper-parameters of the nearest
problem of the benchmark.
"""

import argparse
import sys
import time
from pathlib import Path

import deepinv as dinv
import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmark_utils.api import restore  # noqa: E402
from benchmark_utils.common import LEVEL, NotApplicable, Unavailable  # noqa: E402
from benchmark_utils.physics import estimated_maps  # noqa: E402
from benchmark_utils.physics.kspace import as_channels  # noqa: E402
from tools.paper.files import picture_file  # noqa: E402

SOLVERS = ["Adjoint", "Pseudo-inverse", "TV", "PnP-ADMM"]
# The outermost measured values, where the image is weak, are nearly noise alone.
SHARE_OF_NOISE = 0.1
# Of the brightest pixels, which say where 1 is.
QUANTILE = 0.999


def measurement(kspace, noise_level=None, size=24):
    """y and physics of measured k-space, scaled so that magnitudes are in [0, 1].

    Parameters
    ----------
    kspace : array (coils, H, W), complex; 0 where nothing is measured.
    noise_level : float or None
        Of the real and of the imaginary part, on the scale of the file; None for an
        estimate.
    size : int
        Side of the square at the centre of k-space that maps are estimated from.

    Raises
    ------
    NotApplicable
        The array is something else, nothing is measured, or the level is below 0.

    Returns
    -------
    tensor (1, 2, coils, H, W), and a deepinv MultiCoilMRI
    """
    LEVEL.or_none().check("noise", noise_level)
    if not np.iscomplexobj(kspace) or kspace.ndim != 3:
        raise NotApplicable(
            f"k-space is complex, of shape (coils, H, W), and not {kspace.dtype} of "
            f"shape {kspace.shape}."
        )
    if not np.isfinite(kspace).all() or not kspace.any():
        raise NotApplicable("k-space has NaN or infinite values, or nothing but 0.")
    y = torch.from_numpy(kspace.astype(np.complex64))[None]
    mask = (y != 0).any(1)[0].float()
    if noise_level is None:
        noise_level = estimated_noise(y[0], mask)
    y = as_channels(y)
    physics = dinv.physics.MultiCoilMRI(mask=mask, coil_maps=estimated_maps(y, size))
    largest = physics.A_adjoint(y).norm(dim=1).quantile(QUANTILE)
    physics.noise_model = dinv.physics.GaussianNoise(sigma=noise_level / float(largest))
    return y / largest, physics


def read_kspace(path):
    """The array of a file of numpy.

    Raises
    ------
    Unavailable
        The file is not there, or is another one.
    """
    try:
        found = np.load(path)
    except FileNotFoundError as error:
        raise Unavailable(f"There is no file {path}.") from error
    except (OSError, ValueError, EOFError) as error:
        raise Unavailable(f"{path} is no file of numpy that can be read.") from error
    if not isinstance(found, np.ndarray):
        raise Unavailable(f"{path} has several arrays: save k-space alone, as .npy.")
    return found


def estimated_noise(y, mask):
    """Standard deviation of a part of the outermost measured values of y (N, H, W)."""
    rows, columns = (torch.linspace(-1, 1, n) for n in mask.shape)
    radius = torch.hypot(rows[:, None], columns[None])[mask > 0]
    outer = y[:, mask > 0][:, radius >= radius.quantile(1 - SHARE_OF_NOISE)]
    # Of a Gaussian, the median of |v| is 0.6745 times its deviation.
    parts = torch.view_as_real(outer).flatten()
    return float(parts.abs().median() / 0.6745)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("kspace", type=Path)
    parser.add_argument("picture", type=picture_file)
    parser.add_argument("-s", "--solver", action="append", help="can be given again")
    parser.add_argument("--noise", type=float, help="level, on the scale of the file")
    parser.add_argument("--size", type=int, default=24, help="of the sampled centre")
    arguments = parser.parse_args()
    try:
        kspace = read_kspace(arguments.kspace)
        y, physics = measurement(kspace, arguments.noise, arguments.size)
        images = {}
        for name in arguments.solver or SOLVERS:
            start = time.perf_counter()
            images[name] = restore(y, physics, name)[0].norm(dim=0).cpu()
            print(f"{name}: {time.perf_counter() - start:.1f} s")
    except (NotApplicable, Unavailable) as error:
        raise SystemExit(str(error)) from error
    matplotlib.use("Agg")
    height, width = kspace.shape[1:]
    size = 3 * len(images), 3 * height / width + 0.3
    figure, axes = plt.subplots(1, len(images), figsize=size, layout="constrained")
    for axis, (name, image) in zip(np.atleast_1d(axes), images.items()):
        axis.imshow(image, cmap="gray", vmin=0, vmax=1)
        axis.set_title(name)
        axis.axis("off")
    figure.savefig(arguments.picture, dpi=120)


if __name__ == "__main__":
    main()
