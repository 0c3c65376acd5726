"""A slip in data_paths is said to who asks for that folder, and to nobody else."""

import pytest
from benchopt.benchmark import Benchmark

from benchmark_utils.common.errors import Unavailable
from benchmark_utils.common.fingerprint import data_listing
from benchmark_utils.common.paths import data_folder, is_given


@pytest.fixture
def data_paths(tmp_path, monkeypatch):
    """data_paths(text): what config.yml has under this name."""

    def write(text):
        config = tmp_path / "config.yml"
        config.write_text(f"data_paths: {text}\n")
        monkeypatch.setattr(Benchmark, "get_config_file", lambda self: config)

    return write


def test_a_folder_is_given_or_not(data_paths, tmp_path):
    data_paths(f"{{set3c: {tmp_path}}}")
    assert is_given("set3c") and data_folder("set3c") == tmp_path
    assert not is_given("bsds500") and data_folder("bsds500").parts[-2:] == (
        "data",
        "bsds500",
    )


@pytest.mark.parametrize("slip", ["[/a, /b]", "3", "''", "{a: b}", "true", "1.5"])
def test_a_slip_is_said_for_its_key_alone(slip, data_paths):
    data_paths(f"{{set3c: {slip}}}")
    with pytest.raises(Unavailable, match=r"gives .* for set3c: it must be a folder"):
        data_folder("set3c")
    assert data_folder("bsds500").name == "bsds500"


@pytest.mark.parametrize("slip", ["[/a, /b]", "3", "/a/folder"])
def test_data_paths_that_are_no_dictionary_are_refused(slip, data_paths):
    data_paths(slip)
    with pytest.raises(Unavailable, match=r"as data_paths: \{set3c: /its/folder\}"):
        data_folder("set3c")


SLIPS = ["{set3c: [/a, /b]}", "{set3c: 3, bsds500: ''}", "{set3c: /a/typo}", "[a]", "3"]


@pytest.mark.parametrize("slip", SLIPS)
def test_a_slip_leaves_what_is_not_asked_for_alone(slip, data_paths, run):
    data_paths(slip)
    assert data_listing("set3c") is None
    rows = run(["Pseudo-inverse"], ["natural[problem=denoising,img_size=32]"])
    assert len(rows) > 0


def test_a_slip_skips_the_set_that_is_asked_for(data_paths, run, capfd):
    data_paths("{set3c: [/a, /b]}")
    rows = run(["Pseudo-inverse"], ["set3c[problem=denoising]", "simulated"])
    assert list(rows.dataset_name.unique()) == ["simulated[problem=denoising]"]
    output = " ".join("\n".join(capfd.readouterr()).split())
    assert "Reason: data_paths of config.yml gives ['/a', '/b'] for set3c" in output
    assert "Traceback" not in output
