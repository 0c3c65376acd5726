"""A function of one's own is scored like the solvers, in three lines."""

import pytest
from benchopt.results import read_results

from benchmark_utils.evaluation import evaluate


@pytest.fixture(scope="module")
def report():
    dataset = "natural[problem=inpainting,img_size=64]"
    report = evaluate(
        lambda y, physics: physics.A_dagger(y),
        dataset,
        name="Mine",
        against=["Pseudo-inverse[reg=0]"],
        output="test_evaluation",
    )
    yield report
    report.results.unlink()
    report.page.unlink()


def test_the_same_function_gets_the_same_scores_as_the_solver(report):
    mine, theirs = (
        report.table.set_index("solver_name")
        .loc[["Mine", "Pseudo-inverse[reg=0]"]]
        .drop(columns=["dataset_name", "time", "fit_time"])
        .to_numpy(float)
    )
    assert mine == pytest.approx(theirs, rel=1e-4)


def test_the_results_and_the_page_hold_the_pictures(report):
    pictures = read_results(report.results)["final_results"].dropna()
    assert len(pictures) == 2
    assert all(p["reconstruction"][0].startswith(b"\x89PNG") for p in pictures)
    assert "Mine" in report.page.read_text()


def test_a_function_that_returns_the_wrong_size_is_told_so(capfd):
    with pytest.raises(RuntimeError, match="Nothing was evaluated"):
        evaluate(lambda y, physics: y[..., :8], "simulated", output="test_evaluation")
    assert "a solver yields one reconstruction per image" in capfd.readouterr().err
