"""A training run can be stopped and resumed, and learns what its recipe degrades."""

from dataclasses import replace

import pytest
import torch

from benchmark_utils.images import load_images
from training import train as training
from training.recipes import RECIPES, gaussian_noise


@pytest.fixture(autouse=True)
def packaged_photographs(monkeypatch):
    """Train on two photographs of packages, with a checkpoint at each step."""
    images = load_images("natural-train", 2)
    monkeypatch.setattr(training, "load_images", lambda image_set: images)
    monkeypatch.setattr(training, "N_HELD_OUT", 1)
    monkeypatch.setattr(training, "SECONDS_BETWEEN_CHECKPOINTS", -1)


@pytest.fixture
def recipe():
    return replace(
        RECIPES["denoiser"],
        steps=6,
        widths=(8, 8),
        crops=(16, 32),
        pixels_per_batch=4 * 32**2,
    )


def test_a_run_that_was_stopped_resumes_where_it_was(recipe, tmp_path):
    whole = training.train(recipe, tmp_path / "whole").state_dict()
    calls = []

    def stops_in_the_middle(x, generator):
        calls.append(x)
        if len(calls) == 6:
            raise KeyboardInterrupt
        return gaussian_noise(x, generator)

    with pytest.raises(KeyboardInterrupt):
        training.train(replace(recipe, degrade=stops_in_the_middle), tmp_path / "run")
    resumed = training.train(recipe, tmp_path / "run").state_dict()
    for name, weight in whole.items():
        torch.testing.assert_close(resumed[name], weight)


def test_training_improves_on_its_first_step(recipe, tmp_path):
    training.train(replace(recipe, steps=40), tmp_path)
    rows = (tmp_path / "log.csv").read_text().splitlines()
    first, last = (float(rows[i].split(",")[2]) for i in (0, -1))
    assert last > first + 0.5


def test_the_noise_of_the_denoiser_has_the_level_it_is_told():
    x = torch.zeros(4, 3, 64, 64)
    y, sigma = gaussian_noise(x, torch.Generator().manual_seed(0))
    assert sigma.shape == (4,) and sigma.min() >= 0 and sigma.max() <= 0.2
    torch.testing.assert_close(y.flatten(1).std(1), sigma, rtol=0.05, atol=0)
