"""What the README shows was made by one version of the code, the present one."""

import pandas as pd
import pytest

from benchmark_utils.version import fingerprint
from tools import publish_results

OLD = "0123456789ab"


@pytest.fixture
def publish(tmp_path, monkeypatch):
    """publish(versions, *options): the published table; one row per version."""
    monkeypatch.setattr(publish_results, "ROOT", tmp_path)

    def publish(versions, *options):
        row = {
            "objective_name": "Restore",
            "dataset_name": "photos",
            "idx_rep": 0,
            "stop_val": 1,
            "objective_psnr": 30.0,
            "time": 1.0,
        }
        rows = [
            {**row, "solver_name": f"Solver {i}", "p_obj_version": version}
            for i, version in enumerate(versions)
        ]
        results = tmp_path / "run.parquet"
        pd.DataFrame(rows).to_parquet(results)
        publish_results.main([str(results), "mine", "--scores-only", *options])
        return pd.read_parquet(tmp_path / "results" / "mine.parquet")

    return publish


def test_results_of_the_present_code_are_published(publish):
    assert list(publish([fingerprint()] * 2)["version"]) == [fingerprint()] * 2


@pytest.mark.parametrize("versions", [[OLD], [OLD, fingerprint()]])
def test_results_of_other_code_are_refused_unless_asked_for(
    versions, publish, capsys, tmp_path
):
    with pytest.raises(SystemExit):
        publish(versions)
    message = capsys.readouterr().err
    assert OLD in message and fingerprint() in message and "--any-version" in message
    assert not list((tmp_path / "results").glob("*"))
    assert list(publish(versions, "--any-version")["version"]) == versions
