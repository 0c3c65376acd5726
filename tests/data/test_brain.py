"""The slices of a head: complex, in [0, 1], and never seen twice."""

import numpy as np
import pytest
import torch
from conftest import ROOT

from benchmark_utils.common import NotApplicable
from benchmark_utils.data import with_smooth_phase
from benchmark_utils.data.checked import as_complex_image
from benchmark_utils.physics.kspace import as_complex


def slices(get_data, split="test", **options):
    data = get_data("brain", problem="mri", **options)
    assert data.get("unavailable") is None
    return {n: x for b in data[split] for n, x in zip(b.names, as_complex(b.x))}


def test_train_and_test_are_blocks_with_a_gap_between_them(get_data):
    train, test = (
        [int(name.split()[1]) for name in slices(get_data, split, img_size=32)]
        for split in ("train", "test")
    )
    assert train == list(range(1, 11)) and test == list(range(13, 21))


def test_numbers_of_slices_are_those_asked_for(get_data):
    options = {"img_size": 32, "n_images": 3, "n_train": 2}
    assert list(slices(get_data, **options)) == ["axial 13", "axial 14", "axial 15"]
    assert list(slices(get_data, "train", **options)) == ["axial 1", "axial 2"]


def test_magnitudes_are_the_slices_over_the_largest_value_of_the_volume(get_data):
    path = ROOT / "benchmark_utils" / "data" / "medical" / "brain.npz"
    volume = np.load(path)["slices"]
    assert volume.shape == (20, 256, 256)
    found = slices(get_data, img_size=256, n_images=1)["axial 13"].abs()
    expected = torch.from_numpy(volume[12].astype(np.float32)) / volume.max()
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("size, n_pixels", [(128, 2), (100, 2), (64, 4), (200, 1)])
def test_smaller_images_are_means_of_pixels_then_central_crops(
    get_data, size, n_pixels
):
    whole = slices(get_data, img_size=256, n_images=1)["axial 13"].abs()
    blocks = whole.unflatten(0, (-1, n_pixels)).unflatten(-1, (-1, n_pixels))
    means = blocks.mean((1, 3))
    start = (len(means) - size) // 2
    expected = means[start : start + size, start : start + size]
    found = slices(get_data, img_size=size, n_images=1)["axial 13"]
    torch.testing.assert_close(found.abs(), expected)


def test_phases_are_smooth_never_change_and_fill_the_circle(get_data):
    first = slices(get_data, img_size=64, n_images=2)
    again = slices(get_data, img_size=64, n_images=2, acceleration=8, seed=5)
    assert all(torch.equal(first[name], again[name]) for name in first)
    ones = torch.ones(64, 48)
    phases = [with_smooth_phase(ones, seed) for seed in range(8)]
    for x in phases:
        torch.testing.assert_close(x.abs(), ones)
        steps = (x[1:] * x[:-1].conj()).angle().abs().max()
        assert 0.005 < float(steps) < 0.5
    assert float(torch.stack(phases).mean((1, 2)).angle().std()) > 0.7
    coarse, fine = (with_smooth_phase(torch.ones(n, n), 3) for n in (32, 96))
    torch.testing.assert_close(fine[1::3, 1::3], coarse)


@pytest.mark.parametrize(
    "value, reason",
    [
        (torch.ones(32, 32), "its values are real, and those of this dataset are"),
        (torch.ones(2, 32, 32) + 0j, "it has not two dimensions"),
        (torch.ones(32, 4) + 0j, "fewer than 8 pixels on a side"),
        (torch.ones(32, 32) * complex("nan"), "it has NaN or infinite values"),
        (3 * torch.ones(32, 32) + 4j, "its magnitudes are above 1"),
        (None, "it must be an image"),
    ],
)
def test_what_is_no_complex_image_is_refused_in_a_sentence(value, reason):
    with pytest.raises(NotApplicable) as error:
        as_complex_image(value, "Slice 3")
    assert str(error.value).startswith("Slice 3 is") and reason in str(error.value)


def test_complex_arrays_of_numpy_become_two_channels():
    x = as_complex_image(np.full((16, 16), 0.6 - 0.8j))
    assert x.shape == (2, 16, 16) and x.dtype == torch.float32
    assert (x[0] == np.float32(0.6)).all() and (x[1] == np.float32(-0.8)).all()


def test_problems_of_photographs_are_not_those_of_the_brain(get_data):
    data = get_data("brain", problem="denoising")
    assert data["unavailable"] == (
        "There is no problem 'denoising' for these images. The problems are: mri, "
        "multicoil_mri, or /my/file.py with a function make_physics(shape, generator)."
    )
