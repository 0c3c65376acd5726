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


@pytest.fixture
def output(tmp_path):
    """Where an evaluation that fails leaves what the others computed."""
    return str(tmp_path / "results.parquet")


def test_a_function_that_fails_beside_solvers_is_told_so(output):
    with pytest.raises(RuntimeError, match=r"^Mine has no result on simulated"):
        evaluate(
            lambda y, physics: 1 / 0, "simulated", "Mine", "Pseudo-inverse", output
        )
    assert list(read_results(output)["solver_name"].unique()) == ["Pseudo-inverse"]


def test_a_function_that_fails_on_one_dataset_is_told_which(output):
    datasets = ["simulated[problem=[denoising,sr4]]"]
    with pytest.raises(RuntimeError, match=r"no result on simulated\[problem=sr4\]:"):
        evaluate(lambda y, physics: y, datasets, output=output)


@pytest.mark.parametrize("name", ["TV", "tv", "TV[n_iter=3]"])
def test_the_name_of_a_solver_is_refused(name):
    with pytest.raises(ValueError, match="choose another name"):
        evaluate(lambda y, physics: y, "simulated", name)
