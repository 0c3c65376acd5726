"""Measured k-space of several coils becomes an image."""

import numpy as np
import pytest
import torch

from benchmark_utils.common import NotApplicable
from benchmark_utils.physics.kspace import as_complex
from tools.restore_kspace import batch_of, restored


@pytest.fixture(scope="module")
def measured(get_data):
    (batch,) = get_data(
        "brain", problem="multicoil_mri", mask="radial", img_size=64, n_images=1
    )["test"]
    return batch, 250 * as_complex(batch.y)[0].numpy()


def test_the_scale_the_noise_and_the_mask_are_found_in_the_measurements(measured):
    batch, kspace = measured
    found = batch_of(kspace, size=16)
    assert torch.equal(found.physics.mask, batch.physics.mask)
    scale = float(found.y.norm() / batch.y.norm())
    level = float(found.physics.noise_model.sigma) / scale
    assert level == pytest.approx(float(batch.physics.noise_model.sigma), rel=0.3)
    assert 0.5 < float(found.physics.A_adjoint(found.y).norm(dim=1).max()) < 1.5


def test_solvers_restore_magnitudes_from_maps_that_are_estimated(measured):
    batch, kspace = measured
    truth = batch.x[0].norm(dim=0)

    def error(name):
        image = restored(name, batch_of(kspace, size=16)).norm(dim=0)
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
        batch_of(kspace)
    assert sentence in str(error.value)
