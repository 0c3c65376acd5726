"""tools/compare.py says how two solvers differ, and what it cannot compare."""

import re

import pytest
from benchopt.results import save_results

from tools import publish_results
from tools.compare import main


@pytest.fixture(scope="module")
def results(run, tmp_path_factory):
    rows = run(
        ["TV[n_iter=5]", "Pseudo-inverse"],
        ["simulated[problem=[denoising,sr4],n_images=6]"],
        n_repetitions=2,
    )
    return save_results(rows, tmp_path_factory.mktemp("compare") / "results.parquet")


def test_a_file_that_is_no_table_is_said(tmp_path, capsys):
    (file := tmp_path / "mine.parquet").write_text("no table")
    with pytest.raises(SystemExit):
        main([str(file), "TV", "Wavelets"])
    assert "Parquet" in capsys.readouterr().err


def test_the_difference_its_interval_and_the_images_are_said(results, capsys):
    main([str(results), "TV[n_iter=5]", "Pseudo-inverse", "--dataset", "denoising"])
    told = capsys.readouterr().out
    assert "problem=denoising" in told and "sr4" not in told
    difference, low, high = map(
        float,
        re.search(r"difference +(\S+) dB, 95% interval (\S+) to (\S+):", told).groups(),
    )
    assert 0 < low < difference < high
    assert "they differ" in told
    assert "better on 6, worse on 0 of 6 (2 repetitions)" in told
    assert "p = 0.031" in told
    assert re.search(r"most +(test\d \+\d+\.\d+(, )?){5}", told)


def test_the_other_way_round_is_the_opposite(results, capsys):
    main([str(results), "Pseudo-inverse", "TV[n_iter=5]", "--dataset", "denoising"])
    assert "better on 0, worse on 6" in capsys.readouterr().out


def test_all_datasets_and_other_scores_can_be_asked_for(results, capsys):
    main([str(results), "TV[n_iter=5]", "Pseudo-inverse", "--score", "lpips"])
    told = capsys.readouterr().out
    assert told.count("difference") == 2 and "lower is better" in told


def test_published_tables_are_compared_as_the_runs_that_they_are_of(
    results, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(publish_results, "RESULTS", tmp_path)
    publish_results.main([str(results), "mine", "--scores-only"])
    capsys.readouterr()
    solvers = ["TV[n_iter=5]", "Pseudo-inverse", "--dataset", "sr4"]
    main([str(results), *solvers])
    told = capsys.readouterr().out
    main([str(tmp_path / "mine.parquet"), *solvers])
    assert capsys.readouterr().out == told and "they differ" in told


def test_a_table_without_scores_of_images_is_said(capsys):
    with pytest.raises(SystemExit):
        main([str(publish_results.RESULTS / "dictionary_single.parquet"), "A", "B"])
    assert "no scores of single images" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    "options, sentence",
    [
        (
            ["TV", "Pseudo-inverse"],
            "no TV here, but Pseudo-inverse, TV[n_iter=5].",
        ),
        (["Pseudo-inverse"] * 2, "two solvers that are not the same"),
        (["TV[n_iter=5]", "Pseudo-inverse", "--dataset", "x"], "has x in it: simu"),
        (
            [
                "TV[n_iter=5]",
                "Pseudo-inverse",
                "--dataset=denoising",
                "--score=psnr_kernel",
            ],
            "No dataset here has the psnr_kernel of both",
        ),
    ],
)
def test_what_cannot_be_compared_is_said_in_a_sentence(
    options, sentence, results, capsys
):
    with pytest.raises(SystemExit):
        main([str(results), *options])
    assert sentence in " ".join(capsys.readouterr().err.split())


def test_files_that_are_missing_or_of_before_are_said(run, tmp_path, capsys):
    with pytest.raises(SystemExit):
        main([str(tmp_path / "none.parquet"), "A", "B"])
    assert "There is no file" in capsys.readouterr().err
    rows = run(["Pseudo-inverse"]).assign(final_results=None)
    old = save_results(rows, tmp_path / "old.parquet")
    with pytest.raises(SystemExit):
        main([str(old), "A", "B"])
    assert "no scores of single images" in " ".join(capsys.readouterr().err.split())
