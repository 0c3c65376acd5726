"""What is stale in results/ is named as benchopt runs it."""

import pandas as pd
import pytest
from benchopt.benchmark import Benchmark
from benchopt.utils.parametrized_name_mixin import product_param
from conftest import ROOT

from tools import stale_results

PRESENT = ROOT / "results" / "dictionary_single.parquet"


@pytest.fixture
def results(tmp_path, monkeypatch):
    """A folder of results with one table: of its rows, the last is of other code."""
    table = pd.read_parquet(PRESENT).iloc[:2].copy()
    table.loc[1, "solver_name"] = "FiRe-HQS[gamma=0.5+0.25,priors=denoiser+sr2]"
    table.to_parquet(tmp_path / "mine.parquet")
    monkeypatch.setattr(stale_results, "RESULTS", tmp_path)


def test_rows_of_other_code_are_named_as_benchopt_takes_them(results, capsys):
    stale_results.main(["mine"])
    first, second = capsys.readouterr().out.strip().splitlines()
    assert first == "mine: 1 of 2 rows"
    dataset, solver = second.split('"')[1::2]
    benchmark = Benchmark(ROOT)
    assert str(instance(benchmark.check_dataset_patterns([dataset]))) == dataset
    named = str(instance(benchmark.check_solver_patterns([solver])))
    assert named == "FiRe-HQS[gamma=0.5+0.25,priors=denoiser+sr2]"


def instance(found):
    ((found_class, parameters),) = found
    (values,) = product_param(parameters)
    return found_class.get_instance(**values)


def test_a_name_that_is_not_there_is_said(results, capsys):
    with pytest.raises(SystemExit):
        stale_results.main(["yours"])
    assert "results/ has no yours, but mine." in capsys.readouterr().err
