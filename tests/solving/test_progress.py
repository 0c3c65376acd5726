"""benchopt run says which run of how many has ended, and about what is left."""

import re

import pytest
from benchopt import runner

from benchmark_utils.solving.progress import Count, counting_runs, duration

DATASETS = ["simulated[problem=[denoising,sr4]]"]


@pytest.fixture
def numbered(monkeypatch):
    """The runs of ``run`` are those of the command ``benchopt run``."""
    counting = counting_runs(runner._run_benchmark)
    monkeypatch.setattr(runner, "_run_benchmark", counting)


@pytest.mark.parametrize("options", [{}, {"n_repetitions": 2}])
def test_each_run_that_ends_is_numbered_and_a_skip_counts(
    options, run, numbered, capsys
):
    run(["TV[n_iter=2]", "Pseudo-inverse", "SIRT"], DATASETS, **options)
    told = re.findall(r"run (\d) of (\d)(?:, .*? to go)?: (\w+)", told_in(capsys))
    assert {total for _, total, _ in told} == {"6"}
    assert list(dict.fromkeys(int(number) for number, *_ in told)) == [*range(1, 7)]
    assert [s for _, _, s in told].count("skip") >= 2 and "done" in {
        s for _, _, s in told
    }


def told_in(capsys):
    return re.sub(r"\033\[[\d;]*m", "", capsys.readouterr().out)


def test_datasets_that_are_skipped_count_for_all_their_solvers(run, numbered, capsys):
    run(["TV[n_iter=2]", "Pseudo-inverse"], ["folder[problem=sr4]", *DATASETS])
    told = re.findall(r"run (\d) of (\d)", told_in(capsys))
    assert told == [(str(n), "6") for n in range(3, 7)]


def test_the_time_to_go_is_that_of_the_runs_that_were_computed(monkeypatch):
    count = Count(4)
    monkeypatch.setattr("time.perf_counter", lambda: count.start + 10)
    assert count.text("a") == "run 1 of 4"
    count.computed = {"a"}
    assert count.text("a") == "run 1 of 4, 30 s to go"
    count.ended = {"a", "b", "c"}
    assert count.text("d") == "run 4 of 4"


@pytest.mark.parametrize(
    "seconds, text", [(41.6, "42 s"), (150, "2 min"), (5500, "1.5 h")]
)
def test_durations_are_short(seconds, text):
    assert duration(seconds) == text
