"""Measured k-space of several coils becomes an image."""

import sys

import numpy as np
import pytest
import torch

from benchmark_utils.api import restore
from benchmark_utils.common import NotApplicable
from benchmark_utils.physics.kspace import as_complex
from tools import restore_kspace
from tools.restore_kspace import measurement


@pytest.fixture(scope="module")
def measured(get_data):
    (batch,) = get_data(
        "brain", problem="multicoil_mri", mask="radial", img_size=64, n_images=1
    )["test"]
    return batch, 250 * as_complex(batch.y)[0].numpy()


def test_the_scale_the_noise_and_the_mask_are_found_in_the_measurements(measured):
    batch, kspace = measured
    y, physics = measurement(kspace, size=16)
    assert torch.equal(physics.mask, batch.physics.mask)
    scale = float(y.norm() / batch.y.norm())
    level = float(physics.noise_model.sigma) / scale
    assert level == pytest.approx(float(batch.physics.noise_model.sigma), rel=0.3)
    assert 0.5 < float(physics.A_adjoint(y).norm(dim=1).max()) < 1.5


def test_solvers_restore_magnitudes_from_maps_that_are_estimated(measured):
    batch, kspace = measured
    truth = batch.x[0].norm(dim=0)

    def error(name):
        image = restore(*measurement(kspace, size=16), name)[0].norm(dim=0)
        image = image * (image * truth).sum() / image.square().sum()
        return float((image - truth).norm() / truth.norm())

    assert error("TV[n_iter=50]") < 0.7 * error("Adjoint")


@pytest.mark.parametrize(
    "kspace, sentence",
    [
        (np.ones((4, 32, 32)), "k-space is complex, of shape (coils, H, W), and not"),
        (np.ones((32, 32), "c8"), "of shape (32, 32)"),
        (np.full((4, 32, 32), np.nan, "c8"), "has NaN or infinite values"),
        (np.zeros((4, 32, 32), "c8"), "nothing but 0"),
        (np.ones((4, 16, 16), "c8"), "a central square of 2 pixels or more inside"),
    ],
)
def test_what_is_no_k_space_of_coils_is_refused_in_a_sentence(kspace, sentence):
    with pytest.raises(NotApplicable) as error:
        measurement(kspace)
    assert sentence in str(error.value)


@pytest.mark.parametrize("level", [-1.0, float("nan")])
def test_a_level_that_means_nothing_is_refused_in_a_sentence(level, measured):
    with pytest.raises(NotApplicable, match="noise must be a number, 0 or more"):
        measurement(measured[1], level)


def test_the_command_draws_what_solvers_see(measured, tmp_path, monkeypatch, capsys):
    np.save(tmp_path / "k.npy", measured[1])
    picture = tmp_path / "picture.png"
    options = ["-s", "Adjoint", "-s", "TV[n_iter=2]", "--size", "16"]
    command = ["restore_kspace", str(tmp_path / "k.npy"), str(picture), *options]
    monkeypatch.setattr(sys, "argv", command)
    restore_kspace.main()
    assert picture.stat().st_size > 1000
    # The weight of TV is that of the nearest problem.
    assert "borrowed from brain multicoil_mri" in capsys.readouterr().out


@pytest.mark.parametrize(
    "kspace, picture, sentence",
    [
        ("no.npy", "a.png", "There is no file"),
        ("text.npy", "a.png", "is no file of numpy that can be read"),
        ("several.npz", "a.png", "has several arrays"),
        ("k.npy", "a.png", "TVV"),
        ("k.npy", "a.txt", "must end in one of"),
        ("k.npy", "no/a.png", "There is no folder"),
    ],
)
def test_a_command_that_cannot_run_says_why_at_once(
    kspace, picture, sentence, measured, tmp_path, monkeypatch, capsys
):
    np.save(tmp_path / "k.npy", measured[1])
    (tmp_path / "text.npy").write_text("no numbers")
    np.savez(tmp_path / "several.npz", a=measured[1], b=measured[1])
    paths = [str(tmp_path / kspace), str(tmp_path / picture)]
    solver = ["-s", "TVV", "--size", "16"]
    monkeypatch.setattr(sys, "argv", ["restore_kspace", *paths, *solver])
    with pytest.raises(SystemExit) as stopped:
        restore_kspace.main()
    assert sentence in f"{stopped.value} {capsys.readouterr().err}"
