"""Volumes of fastMRI, read from small files of its official layout."""

import h5py
import numpy as np
import pytest
import torch

from benchmark_utils.data import fastmri, with_smooth_phase
from benchmark_utils.physics.kspace import as_complex
from benchmark_utils.physics.mri import coil_maps

HEIGHT, WIDTH, SIDE, N_SLICES = 40, 36, 32, 5


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(fastmri, "data_folder", lambda key: tmp_path)
    return tmp_path


def volume(seed=0):
    """Complex slices, smooth within a margin of zeros."""
    magnitude = torch.zeros(N_SLICES, HEIGHT, WIDTH)
    draws = torch.rand(N_SLICES, 4, 4, generator=torch.Generator().manual_seed(seed))
    inner = torch.nn.functional.interpolate(draws[None], (28, 28), mode="bilinear")[0]
    magnitude[:, 6:34, 4:32] = 0.2 + inner
    return torch.stack([with_smooth_phase(m, i) for i, m in enumerate(magnitude)])


def fft(images):
    """That of fastMRI: fastmri.fft2c."""
    axes = (-2, -1)
    shifted = np.fft.ifftshift(images, axes=axes)
    return np.fft.fftshift(np.fft.fft2(shifted, norm="ortho", axes=axes), axes=axes)


def write(path, images, coils="singlecoil", **changes):
    """A file as fastMRI has it; ``changes`` replace entries, None leaves one out."""
    path.parent.mkdir(exist_ok=True)
    seen = images.numpy()
    if coils == "multicoil":
        seen = (
            coil_maps(4, (HEIGHT, WIDTH), torch.Generator()) * images[:, None]
        ).numpy()
    top, left = (HEIGHT - SIDE) // 2, (WIDTH - SIDE) // 2
    cropped = np.abs(images.numpy())[:, top : top + SIDE, left : left + SIDE]
    name = "reconstruction_esc" if coils == "singlecoil" else "reconstruction_rss"
    entries = {"kspace": fft(seen).astype(np.complex64), name: cropped}
    entries |= {"ismrmrd_header": "<xml/>", "max": float(cropped.max()), **changes}
    with h5py.File(path, "w") as file:
        file.attrs["acquisition"] = "CORPD_FBK"
        for key, value in entries.items():
            if key == "max" and value is not None:
                file.attrs["max"] = value
            elif value is not None:
                file[key] = value


def data_of(get_data, **options):
    return get_data("fastmri", **{"problem": "mri", **options})


@pytest.mark.parametrize("coils", ["singlecoil", "multicoil"])
def test_central_slices_are_the_complex_images_over_the_largest_value(
    coils, folder, get_data
):
    images = volume()
    for name in ("file1000002", "file1000001"):
        write(folder / f"{coils}_val" / f"{name}.h5", images, coils)
        write(folder / f"{coils}_train" / f"{name}.h5", volume(1), coils)
    data = data_of(get_data, coils=coils, n_slices=3, n_images=5, n_train=1)
    (batch,) = data["test"]
    assert batch.names == tuple(f"file1000001 slice {i}" for i in (1, 2, 3)) + (
        "file1000002 slice 1",
        "file1000002 slice 2",
    )
    assert len(data["train"]) == len(data["train"][0].x) == 1
    expected = (images[1:4] / images.abs().max())[:, 4:36, 2:34]
    found = as_complex(batch.x[:3])
    if coils == "singlecoil":
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)
    # Maps from the centre of k-space are nearly right, but for the phase.
    error = (found.abs() - expected.abs()).norm() / expected.norm()
    assert float(error) < 0.03


def test_several_coils_are_simulated_from_slices_of_one(folder, get_data):
    write(folder / "singlecoil_val" / "a.h5", volume())
    (batch,) = data_of(get_data, problem="multicoil_mri", acceleration=2)["test"]
    assert batch.y.shape == (1, 2, 8, SIDE, SIDE)


WRONG = {
    "kspace of another dtype": ({"kspace": np.ones((5, 40, 36))}, "dtype float64"),
    "a single slice": ({"kspace": np.ones((40, 36), "c8")}, "of shape (40, 36)"),
    "no slice": ({"kspace": np.ones((0, 40, 36), "c8")}, "it is empty"),
    "no kspace": ({"kspace": None}, "has no array kspace (it has"),
    "NaN": ({"kspace": np.full((5, 40, 36), np.nan, "c8")}, "has NaN or infinite"),
    "undersampled": ({"mask": np.ones(36)}, "its k-space is undersampled"),
    "no reconstruction": ({"reconstruction_esc": None}, "has no reconstruction"),
    "no largest value": ({"max": None}, "no attribute max above 0 (it is nan)"),
    "a largest value of zero": ({"max": 0.0}, "no attribute max above 0 (it is 0.0)"),
    "a largest value that is a text": ({"max": "a"}, "max that is no number ('a')"),
    "too small a largest value": ({"max": 0.5}, "its magnitudes are above 1"),
}


@pytest.mark.parametrize("changes, sentence", WRONG.values(), ids=WRONG)
def test_files_of_another_layout_are_refused_in_a_sentence(
    changes, sentence, folder, get_data
):
    write(folder / "singlecoil_val" / "a.h5", volume(), **changes)
    message = data_of(get_data)["unavailable"]
    assert sentence in message and "\n" not in message


def test_a_group_in_place_of_k_space_is_refused(folder, get_data):
    write(folder / "singlecoil_val" / "a.h5", volume(), kspace=None)
    with h5py.File(folder / "singlecoil_val" / "a.h5", "a") as file:
        file.create_group("kspace")
    assert "has no array kspace (it has" in data_of(get_data)["unavailable"]


def test_coils_without_signal_are_those_of_a_file(folder, get_data):
    write(folder / "multicoil_val" / "a.h5", 0 * volume(), "multicoil", max=1.0)
    reason = data_of(get_data, coils="multicoil")["unavailable"]
    assert "a.h5: Nothing is measured in the central" in reason


def test_what_is_no_h5_file_is_refused_in_a_sentence(folder, get_data):
    (folder / "singlecoil_val").mkdir()
    (folder / "singlecoil_val" / "a.h5").write_bytes(b"no")
    assert (
        "a.h5 is not an h5 file that can be read." in data_of(get_data)["unavailable"]
    )


def test_without_files_it_says_where_they_are_and_how_to_name_them(folder, get_data):
    message = data_of(get_data, coils="multicoil")["unavailable"]
    assert "no file multicoil_val/*.h5" in message
    assert (
        "https://fastmri.med.nyu.edu" in message and "data_paths: {fastmri" in message
    )


def test_without_h5py_it_says_how_to_get_it(folder, get_data, monkeypatch):
    write(folder / "singlecoil_val" / "a.h5", volume())
    monkeypatch.setitem(__import__("sys").modules, "h5py", None)
    assert data_of(get_data)["unavailable"].endswith("needs: pip install h5py")


def test_another_file_changes_what_results_are_kept_under(folder):
    write(folder / "singlecoil_val" / "a.h5", volume())
    before = fastmri.volumes_state("singlecoil")
    write(folder / "singlecoil_val" / "b.h5", volume())
    assert fastmri.volumes_state("singlecoil") != before
