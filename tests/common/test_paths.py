"""A slip in data_paths is said to who asks for that folder, and to nobody else."""

import pytest
from benchopt.benchmark import Benchmark
from conftest import ROOT

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


def test_a_local_file_counts_before_the_one_that_is_shared(data_paths, tmp_path):
    data_paths("{set3c: /shared, bsds500: /shared}")
    local = tmp_path / "config_local.yml"
    local.write_text("data_paths: {set3c: /mine}\n")
    assert str(data_folder("set3c")) == "/mine"
    assert str(data_folder("bsds500")) == "/shared"
    local.write_text("data_paths: {set3c: 3}\n")
    with pytest.raises(Unavailable, match=r"of config_local.yml gives 3 for set3c"):
        data_folder("set3c")


def test_a_variable_counts_before_the_files(data_paths, tmp_path, monkeypatch):
    data_paths("{set3c: /shared, bsds500: /shared}")
    (tmp_path / "config_local.yml").write_text("data_paths: {set3c: /mine}\n")
    monkeypatch.setenv("BENCHOPT_DATA_PATHS", "{set3c: $HERE/set3c}")
    monkeypatch.setenv("HERE", "/elsewhere")
    assert str(data_folder("set3c")) == "/elsewhere/set3c"
    assert str(data_folder("bsds500")) == "/shared"
    monkeypatch.setenv("BENCHOPT_DATA_PATHS", "/a/folder")
    with pytest.raises(Unavailable, match=r"BENCHOPT_DATA_PATHS is '/a/folder'"):
        data_folder("set3c")


def test_git_ignores_the_local_file():
    assert "/config_local.yml" in (ROOT / ".gitignore").read_text().splitlines()


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
