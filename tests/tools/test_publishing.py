"""What is published was made by the present shared code; a table, by one version."""

import pandas as pd
import pytest
from conftest import ROOT

from benchmark_utils.common.fingerprint import code_of, fingerprint
from tools import publish_results

OLD, MACHINE = "0123456789ab", "ba9876543210"
NOW = code_of(fingerprint())
# Tables with rows that would take an hour to compute again (BM3D).
OF_SEVERAL_VERSIONS = ("denoising",)


@pytest.fixture
def publish(tmp_path, monkeypatch):
    """publish(versions, *options): the published table; one row per version."""
    monkeypatch.setattr(publish_results, "ROOT", tmp_path)

    def publish(versions, *options, objectives=("Restore",) * 2):
        row = {
            "dataset_name": "photos",
            "idx_rep": 0,
            "stop_val": 1,
            "objective_psnr": 30.0,
            "time": 1.0,
        }
        rows = [
            {
                **row,
                "solver_name": f"Solver {i}",
                "objective_name": objective,
                "p_obj_version": version,
            }
            for i, (version, objective) in enumerate(zip(versions, objectives))
        ]
        results = tmp_path / "run.parquet"
        pd.DataFrame(rows).to_parquet(results)
        publish_results.main([str(results), "mine", *options])
        return pd.read_parquet(tmp_path / "results" / "mine.parquet")

    return publish


def test_results_of_the_present_code_are_published_from_any_machine(publish):
    versions = [fingerprint(), f"{NOW}-{MACHINE}"]
    assert list(publish(versions, "--scores-only")["version"]) == [NOW] * 2


@pytest.mark.parametrize("versions", [[OLD], [f"{OLD}-{MACHINE}", fingerprint()]])
def test_results_of_other_code_are_refused_unless_asked_for(
    versions, publish, capsys, tmp_path
):
    with pytest.raises(SystemExit):
        publish(versions, "--scores-only")
    message = capsys.readouterr().err
    assert OLD in message and NOW in message and "--any-version" in message
    assert not list((tmp_path / "results").glob("*"))
    published = publish(versions, "--scores-only", "--any-version")
    assert list(published["version"]) == [OLD, NOW][: len(versions)]


def test_results_of_two_objectives_are_not_averaged(publish, capsys):
    devices = [f"Restore[device={device}]" for device in ("cpu", "cuda")]
    with pytest.raises(SystemExit):
        publish([fingerprint()] * 2, "--scores-only", objectives=devices)
    assert "have several objectives (Restore[device=cpu]," in capsys.readouterr().err


def test_results_without_pictures_are_published_by_their_scores_alone(publish, capsys):
    with pytest.raises(SystemExit):
        publish([fingerprint()])
    assert "no pictures of images: add --scores-only" in capsys.readouterr().err


def test_a_file_that_is_not_there_is_said(capsys):
    with pytest.raises(SystemExit):
        publish_results.main(["nowhere.parquet", "mine"])
    assert "There is no file nowhere.parquet" in capsys.readouterr().err


@pytest.mark.parametrize("path", sorted((ROOT / "results").glob("*.parquet")))
def test_each_committed_table_was_made_by_one_version_of_the_code(path):
    n_versions = pd.read_parquet(path)["version"].nunique()
    assert n_versions == 1 or path.stem in OF_SEVERAL_VERSIONS
