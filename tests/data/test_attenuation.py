"""Images of tomography: Hounsfield units, the chest, phantoms, files of users."""

import numpy as np
import pytest
import torch

from benchmark_utils.common import NotApplicable
from benchmark_utils.data import (
    ATTENUATIONS,
    from_hounsfield,
    random_phantoms,
    reduced,
)
from benchmark_utils.data.phantoms import random_phantom
from benchmark_utils.scoring import metrics
from benchmark_utils.scoring.pictures import decode


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The folder that data_paths gives for lodopab and lidc."""
    paths = f"{{lodopab: {tmp_path}, lidc: {tmp_path}}}"
    monkeypatch.setenv("BENCHOPT_DATA_PATHS", paths)
    return tmp_path


# Hounsfield units


def test_air_is_0_water_0_4_and_dense_bone_1():
    found = from_hounsfield(np.array([-3024, -1000, 0, 250, 1500, 3071], np.int16))
    assert found.dtype == np.float32
    assert found == pytest.approx([0, 0, 0.4, 0.5, 1, 1])


@pytest.mark.parametrize(
    "values, sentence",
    [
        ([-1000, np.nan], "The scan has NaN or infinite values in place of some HU."),
        ([-1000, 65535], "are from -3024 to 4095: apply the slope and intercept"),
        ([-32768, 0], "are from -3024 to 4095: apply the slope and intercept"),
        ([0, 2000], "no air: Hounsfield units are about -1000 there"),
        ([0, 0.3], "no air: Hounsfield units are about -1000 there"),
    ],
)
def test_what_is_no_hounsfield_unit_is_refused(values, sentence):
    with pytest.raises(NotApplicable) as error:
        from_hounsfield(np.array(values), "The scan")
    assert sentence in str(error.value) and "\n" not in str(error.value)


def test_images_are_made_smaller_by_means_alone():
    image = np.arange(16.0).reshape(4, 4)
    assert reduced(image, 2).tolist() == [[2.5, 4.5], [10.5, 12.5]]
    for size in (3, 8):
        with pytest.raises(NotApplicable, match="choose an img_size that divides"):
            reduced(image, size)
    with pytest.raises(NotApplicable, match="4x2 pixels"):
        reduced(image[:, :2], 2)


# The chest and the phantoms


def test_the_chest_is_one_slice_and_its_means(get_data):
    (large,) = get_data("chest", problem="ct_sparse", img_size=128)["test"]
    (small,) = get_data("chest", problem="ct_sparse", img_size=32)["test"]
    assert large.x.shape == (1, 1, 128, 128) and large.names == ("chest",)
    means = torch.nn.functional.avg_pool2d(large.x, 4)
    torch.testing.assert_close(small.x, means, rtol=0, atol=1e-6)
    # Lungs, soft tissue near to water, and bones.
    assert 0 <= large.x.min() < 0.01 and 0.6 < large.x.max() < 1
    assert 0.05 < (abs(large.x - 0.4) < 0.03).float().mean() < 0.6


def test_nobody_learns_from_the_chest_that_is_restored(get_data):
    (batch, *_) = get_data("chest", problem="ct_sparse", img_size=32)["train"]
    assert all(name.startswith("phantom") for name in batch.names)


@pytest.mark.parametrize("img_size", [None, 100, 0])
def test_a_size_that_the_chest_has_no_means_of_is_refused(img_size, get_data):
    reason = get_data("chest", problem="ct", img_size=img_size)["unavailable"]
    assert reason.startswith("img_size must be one of 512, 256, 128, 64, 32, not ")


def test_phantoms_are_attenuations_drawn_from_their_generator_alone():
    def draw(seed):
        return random_phantom(32, torch.Generator().manual_seed(seed))

    torch.manual_seed(0)
    first = draw(1)
    torch.manual_seed(1)
    assert torch.equal(draw(1), first) and not torch.equal(draw(2), first)
    for x in random_phantoms(5, 32, seed=0).values():
        assert x.shape == (1, 32, 32) and x.dtype == torch.float32
        assert x.min() >= 0 and x.max() <= 1
        # A body in air, which the detector sees all of.
        assert x[:, 0].max() == 0 and 0.1 < (x > 0).float().mean() < 0.9


def test_phantoms_to_learn_from_are_not_those_of_the_test(get_data):
    data = get_data("phantoms", problem="ct", img_size=16, n_images=2, n_train=3)
    (test,), (train,) = data["test"], data["train"]
    assert len(test.x) == 2 and len(train.x) == 3
    assert not any(torch.equal(a, b) for a in test.x for b in train.x)


def test_there_are_as_many_phantoms_as_two_seeds_have_apart(get_data):
    data = get_data("phantoms", img_size=16, n_train=1001)
    assert "n_train must be a whole number from 0 to 1000" in data["unavailable"]
    data = get_data("phantoms", img_size=16, n_train=1000, n_images=1)
    [test] = data["test"]
    assert not any(
        (batch.x == test.x).flatten(1).all(1).any() for batch in data["train"]
    )


# Pictures


def test_pictures_show_a_window_and_the_sinogram_and_scores_do_not(
    get_data, get_objective
):
    data = get_data("chest", problem="ct_sparse", img_size=32, n_angles=20)
    (batch,) = data["test"]
    kept = get_objective(data).save_final_results([batch.x + 0.1])
    assert kept["psnr"] == pytest.approx([20], abs=1e-3)
    truth, sinogram = (decode(kept[name][0]) for name in ("truth", "measurement"))
    low, high = ATTENUATIONS.window
    assert (low, high) == pytest.approx((0, 0.56))
    expected = (batch.x[0, 0] / 0.56).clamp(0, 1) * 255
    assert np.abs(truth[..., 0] - expected.numpy()).max() < 0.51
    assert sinogram.shape == (batch.physics.geometry.n_bins, 20, 3)
    assert sinogram.max() == 255


def test_attenuations_are_scored_as_medical_images(get_data, get_objective):
    data = get_data("chest", problem="ct_sparse", img_size=32, n_angles=20)
    (batch,) = data["test"]
    found = get_objective(data).evaluate_result([0.9 * batch.x], True)
    assert found["nmse"] == pytest.approx(0.01, rel=1e-3)
    expected = metrics.haarpsi(0.9 * batch.x, batch.x).mean()
    assert found["haarpsi"] == pytest.approx(float(expected), abs=1e-5)


# Files of users


def write_lodopab(folder, split, images):
    h5py = pytest.importorskip("h5py")
    with h5py.File(folder / f"ground_truth_{split}_000.hdf5", "w") as file:
        file["data"] = images


LODOPAB = {"problem": "ct_sparse", "n_angles": 20, "n_train": 1}


def test_lodopab_is_read_in_its_layout_with_our_largest_attenuation(folder, get_data):
    images = np.random.default_rng(0).random((3, 362, 362), np.float32)
    write_lodopab(folder, "test", images)
    write_lodopab(folder, "train", images[::-1])
    data = get_data("lodopab", n_images=2, **LODOPAB)
    (test,), (train,) = data["test"], data["train"]
    # Theirs are 81.35858 per metre, and ours 50.
    expected = (torch.from_numpy(images) * 81.35858 / 50).clamp(max=1)[:, None]
    torch.testing.assert_close(test.x, expected[:2])
    torch.testing.assert_close(train.x, expected[2:])
    assert test.names == ("ground_truth_test_000_0", "ground_truth_test_000_1")


@pytest.mark.parametrize(
    "images, sentence",
    [
        (None, "has no ground_truth_test_000.hdf5: get LoDoPaB-CT from https"),
        (
            np.zeros((0, 8, 8)),
            "ground_truth_test_000.hdf5 has images of shape (0, 8, 8)",
        ),
        (np.zeros(()), "is not a file of LoDoPaB-CT"),
        (np.full((1, 8, 8), np.nan), "that are not in [0, 1]"),
        (np.full((1, 8, 8), -1000.0), "that are not in [0, 1]"),
        (np.zeros((8, 8)), "not in rows and columns"),
    ],
)
def test_files_that_are_not_lodopabs_are_refused(images, sentence, folder, get_data):
    if images is not None:
        write_lodopab(folder, "test", images)
    assert sentence in get_data("lodopab", **LODOPAB)["unavailable"]


def test_a_damaged_file_of_lodopab_is_named(folder, get_data):
    pytest.importorskip("h5py")
    path = folder / "ground_truth_test_000.hdf5"
    path.write_bytes(b"damaged")
    reason = get_data("lodopab", **LODOPAB)["unavailable"]
    assert reason == (
        f"{path} is not a file of LoDoPaB-CT, which has images under 'data'."
    )


def write_scan(folder, patient, hu):
    """A scan of one series, as in LIDC-IDRI, with a slope and an intercept."""
    pydicom = pytest.importorskip("pydicom")
    place = folder / patient / "study" / "series"
    place.mkdir(parents=True)
    for i, slice_ in enumerate(hu):
        file = pydicom.Dataset()
        file.file_meta = pydicom.dataset.FileMetaDataset()
        file.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
        file.file_meta.MediaStorageSOPClassUID = pydicom.uid.CTImageStorage
        file.file_meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid()
        file.Rows, file.Columns = slice_.shape
        file.SamplesPerPixel, file.PhotometricInterpretation = 1, "MONOCHROME2"
        file.BitsAllocated = file.BitsStored = 16
        file.HighBit, file.PixelRepresentation = 15, 1
        file.RescaleSlope, file.RescaleIntercept = 1, -1024
        file.PixelData = (slice_ + 1024).astype("<i2").tobytes()
        file.save_as(place / f"1-{i + 1:03d}.dcm", enforce_file_format=True)
    return f"{patient},CT,./{patient}/study/series\n"


def write_lidc(folder, scans):
    rows = [write_scan(folder, patient, hu) for patient, hu in scans.items()]
    header = "Subject ID,Modality,File Location\n"
    (folder / "metadata.csv").write_text(header + "".join(rows))


LIDC = {"problem": "ct_sparse", "img_size": 64, "n_images": 1, "n_train": 2}


def test_lidc_is_the_middle_of_each_scan(folder, get_data):
    hu = {
        f"LIDC-IDRI-000{k}": np.full((3, 512, 512), -1000) + 400 * (k - 1)
        for k in (1, 2)
    }
    for scan in hu.values():
        scan[:, :, 256:], scan[:, :, :8] = 0, -1000
        scan[1, :, 256:] = 500
    write_lidc(folder, hu)
    data = get_data("lidc", **LIDC)
    (test,), (train,) = data["test"], data["train"]
    assert test.names == ("LIDC-IDRI-0001_1-002.dcm",)
    assert train.names == ("LIDC-IDRI-0002_1-002.dcm",)
    assert test.x.shape == (1, 1, 64, 64)
    assert test.x[0, 0, 0, [5, 60]].tolist() == pytest.approx([0, 0.6])
    assert train.x[0, 0, 0, [0, 5, 60]].tolist() == pytest.approx([0, 0.16, 0.6])


def test_a_damaged_slice_of_lidc_is_named(folder, get_data):
    write_lidc(folder, {"LIDC-IDRI-0001": np.full((1, 512, 512), -1000)})
    (path,) = folder.rglob("*.dcm")
    path.write_bytes(path.read_bytes()[:300000])
    assert "1-001.dcm of " in get_data("lidc", **LIDC)["unavailable"]
    path.unlink()
    assert "has no slice (.dcm)" in get_data("lidc", **LIDC)["unavailable"]


def test_a_folder_that_is_not_lidcs_is_refused(folder, get_data):
    pytest.importorskip("pydicom")
    reason = get_data("lidc", **LIDC)["unavailable"]
    assert "has not the layout of LIDC-IDRI" in reason
    assert "data_paths: {lidc: /its/folder}" in reason and "\n" not in reason
