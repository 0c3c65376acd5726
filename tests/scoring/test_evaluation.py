"""A function of one's own is scored like the solvers, in three lines."""

import pytest
import torch
from benchopt.results import read_results
from conftest import ROOT

from benchmark_utils.scoring.evaluation import evaluate


@pytest.fixture(scope="module")
def report():
    dataset = "natural[problem=inpainting,img_size=64]"
    report = evaluate(
        lambda y, physics: physics.A_dagger(y),
        dataset,
        name="Mine",
        against=["Pseudo-inverse[reg=0]"],
        output="test_evaluation",
        device="cpu",
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


def test_the_report_and_the_results_say_where_everything_ran(report):
    assert report.device == "cpu"
    names = read_results(report.results)["objective_name"].unique()
    assert list(names) == ["Inverse problems[device=cpu]"]


def test_a_device_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="device must be auto, cpu, cuda"):
        evaluate(lambda y, physics: y, "simulated", device="gpu")


def test_a_function_that_returns_the_wrong_size_is_told_so(capfd):
    with pytest.raises(RuntimeError, match="Nothing was evaluated"):
        evaluate(lambda y, physics: y[..., :8], "simulated", output="test_evaluation")
    assert "a solver yields one reconstruction per image" in capfd.readouterr().err


@pytest.fixture
def output():
    """The name of results, which are removed afterwards."""
    yield "test_evaluation_kept"
    for path in (ROOT / "outputs").glob("*test_evaluation_kept*"):
        path.unlink()


def test_a_function_that_fails_beside_solvers_is_told_so(output):
    with pytest.raises(RuntimeError, match=r"^Mine has no result on simulated"):
        evaluate(
            lambda y, physics: 1 / 0, "simulated", "Mine", "Pseudo-inverse", output
        )
    results = read_results(ROOT / "outputs" / f"{output}.parquet")
    assert list(results["solver_name"].unique()) == ["Pseudo-inverse"]


def test_a_function_that_fails_on_one_dataset_is_told_which(output):
    datasets = ["simulated[problem=[denoising,sr4]]"]
    with pytest.raises(RuntimeError, match=r"no result on simulated\[problem=sr4\]:"):
        evaluate(lambda y, physics: y, datasets, output=output)


def test_a_function_may_differentiate(output):
    def descent(y, physics):
        x = torch.zeros_like(y, requires_grad=True)
        (physics.A(x) - y).square().sum().backward()
        return x - 0.5 * x.grad

    report = evaluate(
        descent, "simulated[noise_level=0]", output=output, requires_grad=True
    )
    assert report.table["psnr"].item() > 100


def test_a_function_that_returns_nothing_is_told_so(output, capfd):
    with pytest.raises(RuntimeError, match="Nothing was evaluated"):
        evaluate(lambda y, physics: None, "simulated", "Mine", output=output)
    assert "Mine returned NoneType, not a tensor" in capfd.readouterr().err


def test_the_result_file_has_a_name_and_not_a_path(tmp_path):
    with pytest.raises(ValueError, match="output is a name"):
        evaluate(lambda y, physics: y, "simulated", output=str(tmp_path / "mine"))


@pytest.mark.parametrize("name", ["TV", "tv", "TV[n_iter=3]"])
def test_the_name_of_a_solver_is_refused(name):
    with pytest.raises(ValueError, match="choose another name"):
        evaluate(lambda y, physics: y, "simulated", name)
