"""Each denoiser of the registry denoises; its weights are those that are expected."""

import pytest
import torch

from benchmark_utils.data.images import center_crop, load_images
from benchmark_utils.physics.degradations import DEGRADATIONS
from benchmark_utils.priors import denoisers, restoration
from benchmark_utils.scoring.metrics import psnr


@pytest.fixture(scope="module")
def photograph():
    return center_crop(load_images("natural-test")["chelsea"], 48)[None]


@pytest.mark.parametrize(
    "name, gain, n_calls", [("compact", 7.0, 1), ("tv", 5.0, 0), ("bm3d", 6.0, 0)]
)
def test_denoisers_remove_noise_from_a_photograph(name, gain, n_calls, photograph):
    sigma = 0.1
    generator = torch.Generator().manual_seed(0)
    noisy = photograph + sigma * torch.randn(photograph.shape, generator=generator)
    denoiser = denoisers.load_denoiser(name)
    with torch.inference_mode():
        denoised = denoiser(noisy, sigma)
    assert denoised.shape == noisy.shape and denoised.dtype == noisy.dtype
    assert psnr(denoised, photograph) > psnr(noisy, photograph) + gain
    assert denoiser.n_images == n_calls  # of a network


def test_a_family_before_a_task_says_whose_network_it_is(monkeypatch):
    mine = {"sr2": lambda device: "R of mine"}
    monkeypatch.setitem(restoration.RESTORERS, "mine", mine)
    for task, networks in (("mine:sr2", "compact"), ("sr2", "mine")):
        model = restoration.load_restoration(task, networks)
        assert model.restorer == "R of mine"
        assert model.degradation == DEGRADATIONS["sr2"]
    assert restoration.load_restoration("compact:sr2", "mine").restorer != "R of mine"
