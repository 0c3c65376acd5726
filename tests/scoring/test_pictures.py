"""The pictures that the objective keeps and the plots read, and the sheet of atoms."""

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import BENCHMARK

from benchmark_utils.scoring.pictures import (
    atom_sheet,
    decode,
    of_result,
    picture_psnr,
    png,
)

PLOTS = {plot._get_name(): plot for plot in BENCHMARK.get_plots()}


# -- files and scores -----------------------------------------------------------------


@pytest.mark.parametrize("n_channels", [1, 3])
def test_a_file_holds_the_image_in_colour_to_half_a_level(n_channels):
    image = torch.rand((n_channels, 5, 7), generator=torch.Generator().manual_seed(0))
    picture = decode(png(image))
    assert picture.dtype == np.uint8 and picture.shape == (5, 7, 3)
    expected = image.expand(3, 5, 7).movedim(0, -1).numpy() * 255
    assert np.abs(picture - expected).max() <= 0.501


def test_values_out_of_range_are_clipped_and_nan_is_black():
    image = torch.tensor([[[-1.0, 2.0, float("nan"), float("inf")]]])
    assert decode(png(image))[0, :, 0].tolist() == [0, 255, 0, 255]


def test_the_psnr_of_pictures_is_that_of_their_values_in_0_1():
    truth = np.zeros((4, 4, 3), np.uint8)
    picture = truth.copy()
    picture[:2] = 51
    # Half of the values are off by 0.2.
    assert picture_psnr(picture, truth) == pytest.approx(-10 * np.log10(0.02))
    assert picture_psnr(truth, picture) == pytest.approx(-10 * np.log10(0.02))


def test_the_psnr_of_equal_pictures_is_infinite(recwarn):
    picture = np.full((2, 2, 3), 7, np.uint8)
    assert picture_psnr(picture, picture) == np.inf
    assert not recwarn.list


# -- the sheet of atoms ---------------------------------------------------------------


def tiles(sheet, height, width):
    """The atoms of a sheet, in rows, and all that is between them."""
    height, width = height + 1, width + 1
    margins = torch.cat([sheet[:, ::height].flatten(), sheet[:, :, ::width].flatten()])
    n_rows, n_columns = sheet.shape[1] // height, sheet.shape[2] // width
    assert sheet.shape[1:] == (n_rows * height + 1, n_columns * width + 1)
    found = [
        [
            sheet[:, i * height + 1 : (i + 1) * height, j * width + 1 : (j + 1) * width]
            for j in range(n_columns)
        ]
        for i in range(n_rows)
    ]
    return found, margins


def random_atoms(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("n_channels", [1, 3])
def test_atoms_are_in_rows_in_their_order_each_scaled_by_its_largest_value(n_channels):
    # 100 and 1e-3 are other scales of the same atom.
    atoms = random_atoms(5, n_channels, 16, 20) * torch.tensor(
        [1, 100, 1e-3, 1, 1]
    ).view(-1, 1, 1, 1)
    found, margins = tiles(atom_sheet(atoms), 16, 20)
    assert [len(row) for row in found] == [3, 3]
    assert (margins == 1).all()
    flat = [tile for row in found for tile in row]
    for tile, atom in zip(flat, atoms, strict=False):
        expected = 0.5 + 0.5 * atom / atom.abs().max()
        torch.testing.assert_close(tile, expected)
        assert tile.min() >= 0 and tile.max() <= 1
    assert (flat[5] == 1).all(), "the place without an atom is blank"


@pytest.mark.parametrize("n_atoms, rows_columns", [(1, (1, 1)), (12, (3, 4))])
def test_the_sheet_is_nearly_square_without_empty_rows(n_atoms, rows_columns):
    found, _ = tiles(atom_sheet(random_atoms(n_atoms, 1, 16, 16)), 16, 16)
    assert (len(found), len(found[0])) == rows_columns


@pytest.mark.parametrize("side, factor", [(1, 16), (5, 4), (8, 2), (16, 1), (30, 1)])
def test_atoms_of_less_than_16_pixels_are_enlarged_by_a_whole_factor(side, factor):
    (atom,) = atoms = random_atoms(1, 1, side, side)
    found, _ = tiles(atom_sheet(atoms), side * factor, side * factor)
    enlarged = atom.repeat_interleave(factor, 1).repeat_interleave(factor, 2)
    torch.testing.assert_close(found[0][0], 0.5 + 0.5 * enlarged / atom.abs().max())


def test_an_atom_that_is_zero_is_mid_grey():
    found, _ = tiles(atom_sheet(torch.zeros(1, 3, 16, 16)), 16, 16)
    assert (found[0][0] == 0.5).all()


# -- what the objective keeps ---------------------------------------------------------


@pytest.fixture(scope="module")
def images(get_data):
    return get_data("simulated", problem="denoising")


@pytest.fixture(scope="module")
def vectors(get_data):
    sizes = {"m": 4, "dim": 6, "n_atoms": 6, "n_signals": 10, "n_train": 2}
    return get_data("synthetic_dictionary", n_operators=1, **sizes)


@pytest.fixture
def keep(get_objective):
    """keep(data, **result): the final results of a perfect solver."""

    def keep(data, **result):
        x_hat = [batch.x for batch in data["test"]]
        return get_objective(data).save_final_results(x_hat, is_last=True, **result)

    return keep


def test_the_sheet_of_atoms_is_kept_beside_the_pictures(images, keep):
    atoms = random_atoms(4, 3, 16, 16)
    kept = keep(images, atoms=atoms)
    assert kept["atoms"] == png(atom_sheet(atoms))
    assert kept.keys() - {"atoms"} == keep(images).keys()


def test_signals_that_are_vectors_keep_their_atoms_alone(vectors, keep):
    atoms = random_atoms(4, 1, 8, 8)
    assert keep(vectors, atoms=atoms) == {"atoms": png(atom_sheet(atoms))}
    assert keep(vectors) is keep(vectors, atoms=None) is None


def test_all_test_images_are_kept_the_first_ones_without_loss(get_data, get_objective):
    data = get_data("simulated", problem="denoising", n_images=4)
    (batch,) = data["test"]
    x_hat, snapshots = [batch.x * 0.5], {1: [batch.x]}
    kept = of_result(data["test"], x_hat, snapshots)
    assert kept["names"] == list(batch.names) and len(kept["psnr"]) == 4
    for kind, x in {"truth": batch.x, "reconstruction": x_hat[0]}.items():
        for i, file in enumerate(kept[kind]):
            exact = (x[i].movedim(0, -1).numpy() * 255).round()
            error = np.abs(decode(file) - exact)
            assert error.max() == 0 if i < 2 else 0 < error.mean() < 12
    assert [len(files) for files in kept["snapshots"].values()] == [2]


def test_atoms_change_no_score(images, get_objective):
    (batch,) = images["test"]
    result = {"x_hat": [batch.x * 0.9], "is_last": False}
    objective = get_objective(images)
    with_atoms = objective.evaluate_result(**result, atoms=random_atoms(4, 3, 8, 8))
    assert with_atoms == objective.evaluate_result(**result)


# -- results without pictures ---------------------------------------------------------


@pytest.mark.parametrize("kept", [None, {"atoms": b""}, "no such column"])
@pytest.mark.parametrize("kind", ["reconstructions", "snapshots"])
def test_plots_of_pictures_say_why_where_none_was_kept(kind, kept):
    row = {"solver_name": "A", "idx_rep": 0, "stop_val": 1, "objective_diverged": 0.0}
    names = [("d", "Restore"), ("e", "Other")]
    df = pd.DataFrame([row | {"final_results": kept}] * 2)
    df[["dataset_name", "objective_name"]] = names
    if kept == "no such column":
        del df["final_results"]
    plots, options = PLOTS[kind]._get_all_plots(df)
    assert options["picture"] in ([1], ["1"])
    assert len(plots) == 4
    for plot in plots.values():
        (said,) = plot["data"]
        assert " here: " in said["label"].replace("\n", " ") and said[
            "image"
        ].shape == (1, 1)
