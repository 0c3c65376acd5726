"""Each denoiser of the registry denoises; its weights are those that are expected."""

import deepinv as dinv
import pytest
import torch

from benchmark_utils import restoration
from benchmark_utils.checksums import sha256
from benchmark_utils.errors import Unavailable
from benchmark_utils.images import center_crop, load_images
from benchmark_utils.metrics import psnr


@pytest.fixture(scope="module")
def photograph():
    return center_crop(load_images("natural-test")["chelsea"], 48)[None]


@pytest.mark.parametrize("name, gain", [("compact", 7.0), ("tv", 5.0), ("bm3d", 6.0)])
def test_denoisers_remove_noise_from_a_photograph(name, gain, photograph):
    sigma = 0.1
    generator = torch.Generator().manual_seed(0)
    noisy = photograph + sigma * torch.randn(photograph.shape, generator=generator)
    denoiser = restoration.load_denoiser(name)
    with torch.inference_mode():
        denoised = denoiser(noisy, sigma)
    assert denoised.shape == noisy.shape and denoised.dtype == noisy.dtype
    assert psnr(denoised, photograph) > psnr(noisy, photograph) + gain
    assert denoiser.n_images == 1


def test_drunet_is_loaded_from_a_file_in_the_published_format(tmp_path, monkeypatch):
    torch.manual_seed(0)
    published = dinv.models.DRUNet(pretrained=None)
    path = tmp_path / "drunet.pth"
    torch.save(published.state_dict(), path)
    monkeypatch.setattr(restoration, "hf_hub_download", lambda *_: str(path))
    monkeypatch.setattr(restoration, "DRUNET_SHA256_START", sha256(path)[:8])
    denoiser = restoration.load_denoiser("drunet")
    x = torch.rand(1, 3, 32, 32)
    with torch.inference_mode():
        torch.testing.assert_close(denoiser(x, 0.1), published(x, 0.1))


def test_drunet_from_a_damaged_file_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "drunet.pth"
    path.write_bytes(b"not the weights")
    monkeypatch.setattr(restoration, "hf_hub_download", lambda *_: str(path))
    with pytest.raises(Unavailable, match="checksum is wrong"):
        restoration.load_denoiser("drunet")


def test_drunet_without_a_network_says_what_to_run(monkeypatch):
    def no_network(*_):
        raise OSError

    monkeypatch.setattr(restoration, "hf_hub_download", no_network)
    with pytest.raises(Unavailable, match="hf download deepinv/drunet"):
        restoration.load_denoiser("drunet")


def test_weights_come_back_from_their_file(tmp_path, monkeypatch):
    monkeypatch.setattr(restoration, "WEIGHTS", tmp_path)
    monkeypatch.setattr(restoration, "WEIGHTS_CHECKSUMS", tmp_path / "SHA256SUMS")
    torch.manual_seed(0)
    network = restoration.CompactUNet()
    restoration.save_compact_weights(network, "test")
    loaded = restoration.load_compact("test", "cpu")
    x = torch.rand(1, 3, 16, 16)
    with torch.inference_mode():
        torch.testing.assert_close(loaded(x, 0.1), network(x, 0.1))
