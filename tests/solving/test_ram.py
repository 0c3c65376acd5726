"""RAM, whose weights are downloaded: what is said without them, and what it is told."""

import deepinv as dinv
import pytest
import torch
from conftest import BENCHMARK

from benchmark_utils.physics.noise import noise_level
from benchmark_utils.priors import published_weights
from benchmark_utils.priors.published_weights import FILES


@pytest.fixture(scope="module")
def network():
    """It, with random weights."""
    torch.manual_seed(0)
    return dinv.models.RAM(pretrained=None).eval()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where its weights are looked for, on a machine without a network."""

    def no_network(*_, **__):
        raise ConnectionError("no route to host")

    monkeypatch.setattr(published_weights, "data_folder", lambda key: tmp_path)
    monkeypatch.setattr(published_weights, "hf_hub_download", no_network)
    return tmp_path


def test_without_weights_a_sentence_says_where_they_are(folder, get_data):
    (solver,) = BENCHMARK.check_solver_patterns(["RAM"], class_only=True)
    data = get_data("simulated", img_size=32)
    skipped, reason = solver.get_instance().skip(**data, device="cpu")
    assert skipped
    assert f"The weights ram.pth.tar are not in {folder}" in reason
    assert "get them from https://huggingface.co/mterris/ram" in reason


def test_every_problem_is_told_with_its_noise(folder, network, get_data, get_iterates):
    torch.save(network.state_dict(), folder / FILES["ram"].file)
    problems = [
        ("simulated", {"problem": "sr4", "img_size": 32}, {}),
        ("brain", {"problem": "multicoil_mri", "img_size": 32, "n_images": 1}, {}),
        ("chest", {"problem": "ct_sparse", "img_size": 32, "noise": "low_dose"}, None),
    ]
    for dataset, options, told in problems:
        batch = get_data(dataset, **options)["test"][0]
        if told is None:
            told = {"sigma": noise_level(batch.physics, batch.y)}
        (x,) = get_iterates("RAM", batch.without_truth())
        with torch.inference_mode():
            expected = network(batch.y, batch.physics, **told)
        assert x.shape == batch.x.shape and x.isfinite().all()
        torch.testing.assert_close(x, expected)


def test_a_file_may_lack_scalars_and_nothing_else(folder, network):
    weights = network.state_dict()
    path = folder / FILES["ram"].file
    del weights["fact_realign"]
    torch.save(weights, path)
    FILES["ram"].read(path)
    del weights["m_head.conv0.weight"]
    torch.save(weights, path)
    with pytest.raises(published_weights.Unavailable, match="damaged, or holds"):
        published_weights.load_published("ram", "cpu")
