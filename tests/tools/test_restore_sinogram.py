"""Measured counts of a parallel beam become an image."""

import sys

import h5py
import numpy as np
import pytest
import torch

from benchmark_utils.api import restore
from benchmark_utils.common import NotApplicable, Unavailable
from benchmark_utils.data import random_phantoms
from benchmark_utils.data.scans import read_scan
from benchmark_utils.physics import Tomography
from benchmark_utils.physics.rays import Geometry
from tools import restore_sinogram
from tools.restore_sinogram import (
    centre_of_rotation,
    error_of_other_rays,
    measurement,
)

SIDE, N_BINS, N_ANGLES, CENTRE, PHOTONS = 48, 90, 40, 42.3, 1e5
NAMES = ("data", "data_white", "data_dark", "theta")


@pytest.fixture(scope="module")
def truth():
    """Ellipses in a circle, their attenuation per pixel."""
    (image,) = random_phantoms(1, SIDE, seed=3).values()
    return 0.05 * np.asarray(image, float).squeeze()


@pytest.fixture(scope="module")
def counts(truth):
    """The arrays of a scan of the official layout: two rows, the second one is air."""
    rays = Geometry(SIDE, SIDE, N_ANGLES)
    first = round(CENTRE - rays.middle)
    rays = Geometry(SIDE, SIDE, N_ANGLES, centre=CENTRE - first - rays.middle)
    physics = Tomography(rays)
    image = torch.from_numpy(truth).float()[None, None]
    seen = (physics.A(image) * physics.norm)[0, 0].numpy().T
    integrals = np.zeros((N_ANGLES, 2, N_BINS))
    integrals[:, 0, first : first + rays.n_bins] = seen
    draws = np.random.default_rng(0)
    # Pixels, and frames, are not equally bright.
    pixels = draws.uniform(0.7, 1.3, (2, N_BINS))

    def exposed(integrals, beam=1.0):
        photons = PHOTONS * beam * pixels * np.exp(-integrals)
        return 20000 + 0.3 * draws.poisson(photons)

    return {
        "data": exposed(integrals),
        "data_white": exposed(
            np.zeros((20, 2, N_BINS)), beam=draws.uniform(0.98, 1.02, (20, 1, 1))
        ),
        "data_dark": np.full((5, 2, N_BINS), 20000.0),
        "theta": np.arange(N_ANGLES) * 180 / N_ANGLES,
    }


@pytest.fixture
def file_of(tmp_path):
    """file_of(arrays): the path of an h5 file with them."""

    def write(arrays):
        with h5py.File(tmp_path / "scan.h5", "w") as file:
            for name, array in arrays.items():
                file[f"exchange/{name}"] = array
        return tmp_path / "scan.h5"

    return write


def test_the_photons_the_angles_and_the_centre_are_found(counts, file_of):
    scan = read_scan(file_of(counts))
    assert scan.angular_range == pytest.approx(180)
    assert scan.photons == pytest.approx(PHOTONS, rel=0.15)
    assert centre_of_rotation(scan) == pytest.approx(CENTRE, abs=0.1)


def test_bins_and_angles_can_be_fewer(counts, file_of):
    scan = read_scan(file_of(counts), binning=2)
    assert scan.photons == pytest.approx(2 * PHOTONS, rel=0.2)
    assert centre_of_rotation(scan) == pytest.approx((CENTRE - 0.5) / 2, abs=0.1)
    few = scan.thinned(3)
    assert few.integrals.shape == (N_BINS // 2, 14)
    assert few.angular_range == pytest.approx(14 * 3 * 180 / N_ANGLES)
    np.testing.assert_array_equal(few.integrals[:, 1], scan.integrals[:, 3])


def test_the_physics_explains_what_was_measured_to_the_noise(counts, file_of, truth):
    scan = read_scan(file_of(counts))
    y, physics = measurement(scan, CENTRE)
    side = physics.geometry.height
    x = torch.zeros(1, 1, side, side)
    # The image has a margin, the same on all sides.
    margin = (side - SIDE) // 2
    assert (side - SIDE) % 2 == 0
    if margin >= 0:
        x[..., margin : margin + SIDE, margin : margin + SIDE] = torch.from_numpy(truth)
    else:
        x[:] = torch.from_numpy(truth)[-margin:margin, -margin:margin]
    scale = float(physics.noise_model.scale) / physics.norm
    error = (physics.A(x / scale) - y) * physics.noise_model.scale
    expected = torch.exp(0.5 * y * physics.noise_model.scale) / scan.photons**0.5
    assert float((error / expected).std()) == pytest.approx(1, abs=0.35)
    assert 0.8 < float((x / scale).quantile(0.99)) < 1.2


def test_rays_that_were_left_out_say_how_good_an_image_is(counts, file_of):
    scan = read_scan(file_of(counts))
    y, physics = measurement(scan.thinned(4), CENTRE)
    fbp, tv = (
        error_of_other_rays(
            restore(y, physics, solver, verbose=False), physics, scan, CENTRE, 4
        )
        for solver in ("Filtered back-projection", "TV")
    )
    assert 1 < tv < 0.5 * fbp
    y, physics = measurement(scan, CENTRE)
    best = restore(y, physics, "TV", verbose=False)
    assert 0.8 < error_of_other_rays(best, physics, scan, CENTRE, 4) < min(tv, 1.5)


def test_the_command_restores_and_draws(counts, file_of, tmp_path, monkeypatch, capsys):
    picture = tmp_path / "picture.png"
    command = ["restore_sinogram", str(file_of(counts)), str(picture), "--every", "2"]
    command += ["-s", "Filtered back-projection", "-s", "TV[n_iter=5]"]
    monkeypatch.setattr(sys, "argv", command)
    restore_sinogram.main()
    said = capsys.readouterr().out
    assert "90 bins, 20 angles over 180.0 degrees; centre of rotation at bin 42" in said
    assert "TV[n_iter=5]: " in said and "times the noise from the other rays" in said
    assert picture.read_bytes().startswith(b"\x89PNG")


def without(name):
    return lambda found: found.pop(name)


def changed(name, change):
    def change_it(found):
        found[name] = change(found[name])

    return change_it


@pytest.mark.parametrize(
    "change, sentence",
    [
        (without("data_white"), "has no exchange/data_white: it must have"),
        (changed("theta", lambda a: a[1:]), "exchange/theta (39,): it must have"),
        (changed("data_dark", lambda a: a[..., 1:]), "data_dark (5, 2, 89)"),
        (changed("data", lambda a: a[:, 0]), "exchange/data (40, 90)"),
        (changed("data", lambda a: a[:0]), "exchange/data (0, 2, 90)"),
        (changed("data", lambda a: a * np.nan), "has NaN or infinite values"),
        (changed("data", lambda a: 0 * a), "no photon passed"),
        (changed("data_white", lambda a: 0 * a), "is not above exchange/data_dark"),
        (changed("data_white", lambda a: a[:1]), "one frame in exchange/data_white"),
        (changed("theta", lambda a: a**2), "exchange/theta must rise in even steps"),
    ],
)
def test_a_file_without_meaning_is_refused_in_a_sentence(
    change, sentence, counts, file_of
):
    found = dict(counts)
    change(found)
    with pytest.raises(NotApplicable) as error:
        read_scan(file_of(found))
    assert sentence in str(error.value)


@pytest.mark.parametrize(
    "options, sentence",
    [
        ({"row": 2}, "has the rows 0 to 1, not 2."),
        ({"binning": 100}, "has 90 bins: too few for --binning 100."),
    ],
)
def test_what_the_file_has_not_is_refused_in_a_sentence(
    options, sentence, counts, file_of
):
    with pytest.raises(NotApplicable) as error:
        read_scan(file_of(counts), **options)
    assert sentence in str(error.value)


def test_one_angle_is_no_scan(counts, file_of):
    with pytest.raises(NotApplicable, match="40 angles: too few for --every 40"):
        read_scan(file_of(counts)).thinned(40)


@pytest.mark.parametrize("cut", [slice(28, None), slice(None, 56)])
def test_a_sample_that_is_wider_than_the_detector_is_refused(cut, counts, file_of):
    found = {n: a[..., cut] if a.ndim == 3 else a for n, a in counts.items()}
    with pytest.raises(NotApplicable, match="narrower than the detector"):
        centre_of_rotation(read_scan(file_of(found)))


def test_a_file_that_is_not_there_is_said(tmp_path):
    with pytest.raises(Unavailable, match="is not an h5 file that can be read"):
        read_scan(tmp_path / "none.h5")
