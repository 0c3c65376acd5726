"""Patches of photographs as signals, each with a mask of its own."""

import re

import pytest
import torch
from conftest import BENCHMARK

from benchmark_utils.data.images import load_images

SMALL = {"n_signals": 60, "n_train": 30, "patch_size": 5}


def test_signals_are_patches_without_their_mean(get_data):
    data = get_data("patches", **SMALL, operator="identity", noise_level=0.0)
    (batch,), (training,) = data["test"], data["train"]
    assert batch.x.shape == (60, 25) and training.x.shape == (30, 25)
    assert data["patch_shape"] == (1, 5, 5)
    assert batch.x.mean(1).abs().max() < 1e-6
    assert batch.x.std() > 0.01
    torch.testing.assert_close(batch.y, batch.x)


def test_each_signal_has_a_mask_of_its_own(get_data):
    data = get_data("patches", n_signals=2000, n_train=1, missing=0.3)
    (batch,) = data["test"]
    known = batch.physics.mask.expand_as(batch.y)
    assert abs(float(known.mean()) - 0.7) < 0.01
    assert len(known.unique(dim=0)) == 2000
    assert batch.y[known == 0].abs().max() == 0


def test_patches_are_drawn_from_the_seed(get_data):
    first, again, other = (
        get_data("patches", seed=seed, **SMALL)["test"][0].y for seed in (0, 0, 1)
    )
    assert torch.equal(first, again) and not torch.equal(first, other)


@pytest.mark.parametrize("images", ["natural", "bsd"])
def test_training_patches_are_of_other_photographs(images, get_data, monkeypatch):
    """That these sets have no image in common is in tests/test_images.py."""
    (dataset,) = BENCHMARK.check_dataset_patterns(["patches"], class_only=True)
    asked = []

    def packaged(image_set, n):
        asked.append(image_set)
        return load_images("natural-test")

    monkeypatch.setitem(dataset._measure.__globals__, "load_images", packaged)
    data = get_data("patches", images=images, **SMALL)
    assert len(data["test"]) == len(data["train"]) == 1
    test, train = {"natural": ("natural-test", "natural-train")}.get(
        images, ("bsd20", "bsds500-train")
    )
    assert asked == [test, train]


@pytest.mark.parametrize(
    "parameter, value, message",
    [
        ("images", "faces", "images must be one of natural, bsd, not 'faces'."),
        ("operator", "blur", "operator must be one of masks, identity, not 'blur'."),
        ("missing", 1.0, r"missing must be a share in \[0, 1\), not 1.0."),
        ("patch_size", 0, "patch_size must be a whole number, 1 or more, not 0."),
        ("patch_size", 1000, "patch_size is 1000, and an image has a side of"),
        ("noise_level", -1, "noise_level must be a number, 0 or more, not -1."),
    ],
)
def test_patches_that_cannot_be_drawn_say_why(parameter, value, message, get_data):
    data = get_data("patches", **{**SMALL, parameter: value})
    assert data["test"] == []
    assert re.match(message, data["unavailable"])


def test_dictionaries_are_learned_from_patches_with_holes(run):
    rows = run(
        ["Dictionary learning[n_steps=30,lam=0.03]", "Dictionary oracle"],
        ["patches[n_signals=500,n_train=100,patch_size=5]"],
    )
    # There is no true dictionary: no oracle, and nothing to recover.
    assert set(rows.p_solver_algorithm) == {"adam"}
    assert "objective_recovery" not in rows
    assert rows.objective_cost.iloc[-1] < rows.objective_cost.iloc[0]
    assert rows.final_results.iloc[-1]["atoms"].startswith(b"\x89PNG")
