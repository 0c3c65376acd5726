"""Each denoiser of the registry denoises; its weights are those that are expected."""

import pytest
import torch

from benchmark_utils.data.images import center_crop, load_images
from benchmark_utils.priors import denoisers
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
