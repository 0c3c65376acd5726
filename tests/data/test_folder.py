"""A folder of the user's images is a dataset: what can be read, in natural order."""

import numpy as np
import pytest
import tifffile
import torch
from conftest import BENCHMARK
from PIL import Image

from benchmark_utils.common.naming import short_value
from benchmark_utils.data import ATTENUATIONS, COMPLEX_IMAGES
from benchmark_utils.physics import CT_PROBLEMS, MRI_PROBLEMS, PROBLEMS

PIXELS = np.random.default_rng(0).integers(0, 256, (16, 12, 3), dtype=np.uint8)


@pytest.fixture
def folder(tmp_path):
    """Images of all the kinds, of two sizes, and files that are none."""
    folder = tmp_path / "images"
    folder.mkdir()
    for name in ("img10.png", "img2.bmp", "img1.webp"):
        Image.fromarray(PIXELS).save(folder / name, lossless=True)
    Image.fromarray(PIXELS[..., 0]).save(folder / "grey.png")
    tifffile.imwrite(folder / "deep.tif", PIXELS.astype(np.uint16) * 257)
    np.save(folder / "array.npy", PIXELS[:12] / 255)
    turned = Image.fromarray(PIXELS)
    turned.getexif()[0x0112] = 6
    turned.save(folder / "turned.png", exif=turned.getexif())
    (folder / "notes.txt").write_text("no image")
    (folder / "broken.jpg").write_bytes(b"no image")
    np.save(folder / "bytes.npy", PIXELS.astype(float))
    (folder / "empty.npy").write_bytes(b"")
    np.save(folder / "flat.npy", np.zeros(0))
    np.save(folder / "thin.npy", np.zeros((0, 5)))
    (folder / ".hidden.png").write_bytes(b"")
    return folder


@pytest.fixture
def images(get_data):
    """images(folder, **parameters): {name: x} of the test images."""

    def read(path, **parameters):
        data = get_data("folder", path=str(path), problem="denoising", **parameters)
        assert "unavailable" not in data, data["unavailable"]
        return {n: x for batch in data["test"] for n, x in zip(batch.names, batch.x)}

    return read


def reason(get_data, **parameters):
    return get_data("folder", problem="denoising", **parameters)["unavailable"]


def test_all_the_kinds_of_files_are_read_as_a_viewer_shows_them(folder, images):
    found = images(folder)
    expected = torch.from_numpy(PIXELS).permute(2, 0, 1) / 255
    for name in ("img10.png", "img2.bmp", "img1.webp", "deep.tif"):
        torch.testing.assert_close(found[name], expected, rtol=0, atol=1e-6)
    assert torch.equal(found["grey.png"], expected[:1])
    torch.testing.assert_close(found["array.npy"], expected[:, :12])
    assert torch.equal(found["turned.png"], expected.rot90(-1, (1, 2)))


def test_what_cannot_be_read_is_named_and_the_others_go_on(folder, images, capsys):
    names = set(images(folder))
    assert len(names) == 7
    said = capsys.readouterr().out
    arrays = ("bytes.npy", "empty.npy", "flat.npy", "thin.npy")
    for left_out in ("broken.jpg", "notes.txt", *arrays):
        assert left_out in said and left_out not in names
    assert ".hidden" not in said
    assert "look like 0..255" in said


def test_files_are_in_natural_order(folder, images):
    assert list(images(folder, pattern="img*")) == [
        "img1.webp",
        "img2.bmp",
        "img10.png",
    ]


def test_deeper_folders_are_read_where_the_pattern_says_so(folder, images):
    (folder / "deep").mkdir()
    (folder / "img10.png").rename(folder / "deep" / "img10.png")
    assert "deep/img10.png" not in images(folder)
    assert "deep/img10.png" in images(folder, pattern="**/*")


def test_there_are_training_images_where_a_folder_of_them_is_given(folder, get_data):
    other = folder.parent / "train"
    other.mkdir()
    Image.fromarray(PIXELS).save(other / "a.png")
    given = {"path": str(folder), "problem": "denoising"}
    assert len(get_data("folder", **given)["train"]) == 0
    (batch,) = get_data("folder", **given, train=str(other))["train"]
    assert batch.names == ("a.png",)


@pytest.mark.parametrize(
    "path, sentence",
    [
        (None, r'-d "folder\[path=/my/images\]"'),
        ("nowhere", "path=nowhere is not there"),
        ("images/img2.bmp", "is a file, not a folder"),
        ("empty", "empty has no image that can be read"),
    ],
)
def test_a_path_that_has_no_images_is_said(
    path, sentence, folder, get_data, monkeypatch
):
    monkeypatch.chdir(folder.parent)
    (folder.parent / "empty").mkdir()
    with pytest.raises(AssertionError, match=sentence):
        raise AssertionError(reason(get_data, path=path))


def test_the_test_images_are_no_training_images(folder, get_data):
    said = reason(get_data, path=str(folder), train=f"{folder.parent}/./images")
    assert "train is the folder of the test images" in said


@pytest.mark.parametrize("pattern", ["/a/*", "", 3])
def test_a_pattern_that_is_none_is_said(pattern, folder, get_data):
    assert "pattern must be" in reason(get_data, path=str(folder), pattern=pattern)


def test_an_image_that_is_added_or_changed_makes_another_cache_key(folder):
    (dataset,) = BENCHMARK.check_dataset_patterns(["folder"], class_only=True)

    def key():
        return dataset.get_instance(path=str(folder)).fingerprint()

    before = key()
    assert key() == before
    np.save(folder / "new.npy", PIXELS / 255)
    added = key()
    np.save(folder / "new.npy", PIXELS[:14] / 255)
    assert len({before, added, key()}) == 3


@pytest.mark.parametrize(
    "value, shown",
    [
        ("/data/set1/test", "set1-test"),
        ("/data/set2/test/", "set2-test"),
        ("~/images", "images"),
        ("../psf.npy", "psf"),
        ("/my/file.py:blur", "my-file:blur"),
        ("jpeg+sr2", "jpeg+sr2"),
        ("a.b", "a.b"),
        ("a/noise_0.01", "a-noise_0.01"),
        ("a/noise_0.05/", "a-noise_0.05"),
        ("a/noise_0.01.npy", "a-noise_0.01"),
        ("a/photo.PNG", "a-photo"),
        (".", "."),
        ("./", "."),
        ("../", ".."),
        ("../..", "..-.."),
        ("/", "-"),
        (3, 3),
    ],
)
def test_paths_are_short_in_names(value, shown):
    assert short_value(value) == shown


def test_a_file_that_is_too_large_to_be_read_is_left_out(folder, images, capsys):
    Image.fromarray(np.zeros((14000, 14000), bool)).save(folder / "scan.png")
    header = np.lib.format.header_data_from_array_1_0(np.zeros(1))
    with (folder / "huge.npy").open("wb") as file:
        header["shape"] = (999999, 999999, 9)
        np.lib.format.write_array_header_1_0(file, header)
    assert "grey.png" in images(folder)
    said = capsys.readouterr().out
    assert "scan.png" in said and "huge.npy" in said


def test_an_empty_name_is_no_folder(get_data):
    assert "path is empty: give the folder" in reason(get_data, path="")


# MRI and tomography


@pytest.fixture
def slices(tmp_path):
    """Two slices in grey, one in complex values, and one in colours."""
    rng = np.random.default_rng(0)
    grey = rng.integers(0, 256, (48, 48), dtype=np.uint8)
    for name in ("a.png", "b.png"):
        Image.fromarray(grey).save(tmp_path / name)
    phase = np.exp(1j * rng.uniform(-3, 3, (48, 48)))
    np.save(tmp_path / "c.npy", grey / 255 * phase)
    Image.fromarray(rng.integers(0, 256, (48, 48, 3), np.uint8)).save(
        tmp_path / "d.png"
    )
    return tmp_path, torch.from_numpy(grey / 255).float(), torch.from_numpy(phase)


@pytest.mark.parametrize("problem", MRI_PROBLEMS)
def test_mri_takes_grey_slices_as_magnitudes_and_complex_ones_as_they_are(
    problem, slices, get_data, capsys
):
    folder, grey, phase = slices
    (batch,) = get_data("folder", path=str(folder), problem=problem)["test"]
    assert batch.domain == COMPLEX_IMAGES and batch.names == ("a.png", "b.png", "c.npy")
    for x in batch.x:
        torch.testing.assert_close(x.norm(dim=0), grey)
    torch.testing.assert_close(torch.complex(*batch.x[2]), (grey * phase).cfloat())
    # Each magnitude has a phase of its own.
    assert not torch.allclose(batch.x[0], batch.x[1], atol=0.1)
    assert "d.png has colours: convert it to grey" in capsys.readouterr().out


@pytest.mark.parametrize("problem", CT_PROBLEMS)
def test_tomography_takes_grey_slices_as_attenuations(problem, slices, get_data):
    folder, grey, _ = slices
    options = {"path": str(folder), "problem": problem, "n_angles": 12}
    (batch,) = get_data("folder", pattern="?.png", **options)["test"]
    assert batch.domain == ATTENUATIONS and batch.names == ("a.png", "b.png")
    torch.testing.assert_close(batch.x[0, 0], grey)
    assert batch.y.shape[-1] == 12
    reason = get_data("folder", **options)["unavailable"]
    assert "c.npy is complex: tomography sees attenuations" in reason


def test_without_a_problem_a_folder_has_those_of_photographs():
    (dataset,) = BENCHMARK.check_dataset_patterns(["folder"], class_only=True)
    assert dataset.parameters["problem"] == list(PROBLEMS)
