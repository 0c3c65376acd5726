"""Measured sinograms: the files of a scan, and the integrals that they stand for."""

from dataclasses import dataclass, replace

import numpy as np

from benchmark_utils.common.errors import NotApplicable, Unavailable

# The layout of Data Exchange (De Carlo et al., 2014, "Scientific data exchange: a
# schema for HDF5-based storage of raw and analyzed data").
DATA, FLAT, DARK, THETA = (
    f"exchange/{name}" for name in ("data", "data_white", "data_dark", "theta")
)
LAYOUT = (
    f"it must have {DATA} (angles, rows, bins), {FLAT} and {DARK} (frames, rows, "
    f"bins), and {THETA} (angles)"
)


@dataclass(frozen=True)
class Scan:
    """A sinogram of a parallel beam.

    Attributes
    ----------
    integrals : array (bins, angles)
        Of the attenuation along the rays: -log of the share of photons that pass.
    angular_range : float
        In degrees: the step between two angles, times their number.
    photons : float
        Per bin, where there is no sample.
    """

    integrals: np.ndarray
    angular_range: float
    photons: float

    def thinned(self, every):
        """The same with one angle of ``every``.

        Raises
        ------
        NotApplicable
            One angle is left.
        """
        n_angles = self.integrals.shape[1]
        if every >= n_angles:
            raise NotApplicable(
                f"The scan has {n_angles} angles: too few for --every {every}."
            )
        kept = self.integrals[:, ::every]
        step = every * self.angular_range / n_angles
        return replace(self, integrals=kept, angular_range=step * kept.shape[1])


def read_scan(path, row=0, binning=1):
    """The ``Scan`` of one row of the detector.

    The frames without sample tell the photons: their variance, over the square of their
    mean, is the inverse of their number.

    Parameters
    ----------
    path : str or Path
    row : int
        Of the detector.
    binning : int
        Bins whose counts are averaged.

    Raises
    ------
    Unavailable
        The file, or h5py, is not there, or the file cannot be read.
    NotApplicable
        It has another layout, values without meaning, or not this row.
    """
    found = read_layout(path)
    data, n_bins = found[DATA], found[DATA].shape[-1] // binning * binning
    if not 0 <= row < data.shape[1]:
        raise NotApplicable(f"{path} has the rows 0 to {data.shape[1] - 1}, not {row}.")
    if n_bins == 0:
        raise NotApplicable(
            f"{path} has {data.shape[-1]} bins: too few for --binning {binning}."
        )
    data, flat, dark = (
        found[name][:, row, :n_bins].reshape(len(found[name]), -1, binning).mean(-1)
        for name in (DATA, FLAT, DARK)
    )
    dark = dark.mean(0)
    data, flat = data - dark, flat - dark
    if flat.min() <= 0:
        raise NotApplicable(f"{path}: {FLAT} is not above {DARK} everywhere.")
    if data.min() <= 0:
        raise NotApplicable(
            f"{path}: {DATA} is not above {DARK} everywhere: there, no photon passed, "
            "or the pixel is dead. Try --binning, or another --row."
        )
    steps = np.diff(found[THETA])
    if steps.min() <= 0 or np.ptp(steps) > 0.01 * steps.mean():
        raise NotApplicable(f"{path}: {THETA} must rise in even steps.")
    # The brightness of the beam differs from frame to frame: that is not noise.
    relative = flat / flat.mean(1, keepdims=True)
    noise = (relative / relative.mean(0)).var(0, ddof=1).mean()
    integrals = -np.log(data / flat.mean(0)).T
    return Scan(integrals, float(steps.mean()) * len(data), float(1 / noise))


def read_layout(path):
    """The arrays of the file, {name: array of float}, of shapes that fit together."""
    try:
        import h5py
    except ImportError as error:
        raise Unavailable("h5 files need: pip install h5py") from error
    try:
        with h5py.File(path) as file:
            missing = [n for n in (DATA, FLAT, DARK, THETA) if n not in file]
            if missing:
                raise NotApplicable(f"{path} has no {', '.join(missing)}: {LAYOUT}.")
            found = {n: file[n][()].astype(float) for n in (DATA, FLAT, DARK, THETA)}
    except OSError as error:
        raise Unavailable(f"{path} is not an h5 file that can be read.") from error
    data, theta = found[DATA], found[THETA]
    frames = found[FLAT], found[DARK]
    if (
        any(array.ndim != 3 or 0 in array.shape for array in (data, *frames))
        or any(array.shape[1:] != data.shape[1:] for array in frames)
        or theta.shape != data.shape[:1]
        or len(theta) < 2
    ):
        shapes = ", ".join(f"{n} {array.shape}" for n, array in found.items())
        raise NotApplicable(f"{path} has {shapes}: {LAYOUT}.")
    if len(found[FLAT]) < 2:
        raise NotApplicable(
            f"{path} has one frame in {FLAT}: two or more tell the noise."
        )
    if not all(np.isfinite(array).all() for array in found.values()):
        raise NotApplicable(f"{path} has NaN or infinite values.")
    return found
