"""The pages list what exists, and their numbers are those of the committed results."""

import json
import math
import re
import shlex
from itertools import pairwise

import pandas as pd
import pytest
from conftest import BENCHMARK, ROOT

from benchmark_utils.physics import CT_PROBLEMS, MRI_PROBLEMS, PROBLEMS
from benchmark_utils.priors.denoisers import DENOISERS
from benchmark_utils.priors.restoration import RESTORERS
from benchmark_utils.scoring.results import SCORES
from tools.build_readme import PAGES, fill, markdown_table, scores_table

README, METHODS = ROOT / "README.md", ROOT / "docs" / "methods.md"
# All that a reader comes to from the README.
TEXTS = [
    *PAGES,
    ROOT / "CONTRIBUTING.md",
    ROOT / "training" / "README.md",
    ROOT / "benchmark_utils" / "priors" / "weights" / "README.md",
]
COMMAND = r"(?:benchopt run|pytest|python (?:tools|training)/)[^`\n|]*"


def listed(header):
    """The names in the first column of the table of methods with this header."""
    table = METHODS.read_text().split(f"| {header} |")[1].split("\n\n")[0]
    first = "".join(re.findall(r"^\|([^|]+)\|", table, flags=re.MULTILINE))
    return set(re.findall(r"`([^`]+)`", first))


def commands():
    """(page, its words) of each command that a page names."""
    for page in TEXTS:
        for command in re.findall(COMMAND, page.read_text().replace("\\\n", " ")):
            yield page.name, tuple(shlex.split(command, comments=True))


def options(words, *names):
    """What follows these options."""
    return [value for name, value in pairwise(words) if name in names]


# Tables


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_tables_are_those_of_the_committed_results(page):
    assert fill(page.read_text()) == page.read_text()


def test_the_published_results_are_shown():
    texts = [page.read_text() for page in PAGES]
    shown = {
        name
        for text in texts
        for name in re.findall(r"<!-- (?:table|scores) (\w+)", text)
    }
    # mismatch has a figure.
    without_table = {
        "dictionary_algorithms",
        "dictionary_single",
        "fire_gamma",
        "mismatch",
    }
    published = {path.stem for path in (ROOT / "results").glob("*.parquet")}
    assert shown == published - without_table


def test_what_did_not_run_is_blank_and_what_diverged_says_so():
    results = pd.DataFrame(
        [
            ("A[n=1,prior=a]", "sr4", 20.0),
            ("A[n=1,prior=a]", "denoising", 30.0),
            ("A[n=1,prior=b]", "sr4", math.nan),
            ("B[n=1]", "sr4", 21.0),
            ("B[n=1]", "denoising", 29.0),
        ],
        columns=["solver_name", "problem", "psnr"],
    )
    lines = markdown_table(results, "psnr").splitlines()
    assert lines[0] == "| | sr4 | denoising |"
    assert set(lines[2:]) == {
        "| A[prior=a] | 20.00 | **30.00** |",
        "| A[prior=b] | diverged |  |",
        "| B[n=1] | **21.00** | 29.00 |",
    }


def test_datasets_may_be_columns_without_those_that_give_a_parameter():
    results = pd.DataFrame(
        [
            ("chest[img_size=64,problem=ct]", math.nan, 30.0),
            ("chest[img_size=64,problem=ct_fan]", math.nan, 29.0),
            ("chest[img_size=64,n_angles=15,problem=ct]", 15, 20.0),
        ],
        columns=["dataset_name", "n_angles", "psnr"],
    ).assign(solver_name="TV")
    lines = markdown_table(
        results, "psnr", "dataset_name", "solver_name", "n_angles"
    ).splitlines()
    assert lines[0] == "| | ct | ct fan |"
    assert lines[2] == "| TV | **30.00** | **29.00** |"


def test_a_column_says_the_value_of_its_parameter_in_numbers_or_in_words():
    for values in ([1, 5], ["1", "per_image"]):
        rows = [(f"brain[masks={value}]", value, 20.0) for value in values]
        results = pd.DataFrame(rows, columns=["dataset_name", "masks", "psnr"])
        results = results.assign(solver_name="TV")
        header = markdown_table(results, "psnr", "masks").splitlines()[0]
        assert header == f"| | masks = {values[0]} | masks = {values[1]} |"


def test_intervals_ties_daggers_and_seconds_are_shown_where_they_are_known():
    base = [20.0, 24.0, 28.0, 31.0, 35.0]
    near = [19.9, 24.1, 27.9, 31.1, 34.9]
    rows = [("A", base, "tuned"), ("B", near, "default"), ("C", [10.0] * 5, "tuned")]
    results = pd.DataFrame(
        [
            {
                "dataset_name": "d[problem=sr4]",
                "problem": "sr4",
                "solver_name": solver,
                "psnr": sum(psnr) / 5,
                "values_from": origin,
                "seconds": 1.25 if solver == "A" else math.nan,
                "per_image": json.dumps(
                    {
                        "dataset_name": ["d[problem=sr4]"] * 5,
                        "solver_name": [solver] * 5,
                        "repetition": [0] * 5,
                        "image": list("abcde"),
                        "psnr": psnr,
                    }
                ),
            }
            for solver, psnr, origin in rows
        ]
    )
    a, b, c = markdown_table(results, "psnr").splitlines()[2:]
    assert a == "| A | **27.60** (1.2 s) |"
    slow = markdown_table(results.assign(seconds=114.6), "psnr").splitlines()[2]
    assert slow == "| A | **27.60** (115 s) |"
    assert re.fullmatch(r"\| B \| \*\*27\.58\*\* ±0\.1\d † \|", b)
    assert re.fullmatch(r"\| C \| 10\.00 ±\d\.\d\d \|", c)


def test_the_lowest_lpips_is_the_best_and_what_diverged_is_last():
    results = pd.DataFrame(
        [("A", 0.3), ("B", math.nan), ("C", 0.0251)], columns=["solver_name", "lpips"]
    ).assign(dataset_name="d", problem="sr4")
    rows = ["| C | **0.025** |", "| A | 0.300 |", "| B | diverged |"]
    assert markdown_table(results, "lpips").splitlines()[2:] == rows
    assert scores_table(results, "lpips").splitlines()[2:] == rows


def test_scores_of_one_dataset_may_be_columns_beside_times():
    results = pd.DataFrame(
        [("A", 20.0, 0.5, 12.34, 0.0123), ("B", 21.0, 0.4, math.nan, math.nan)],
        columns=["solver_name", "psnr_kernel", "ssim", "fit_time", "seconds"],
    ).assign(dataset_name="d")
    scores = ["psnr_kernel", "ssim", "fit_time", "seconds"]
    assert scores_table(results, *scores).splitlines() == [
        "| | PSNR in ker A (dB) | SSIM | learning (s) | seconds |",
        "|---|---|---|---|---|",
        "| B | **21.00** | 0.400 |  |  |",
        "| A | 20.00 | **0.500** | 12 | 0.012 |",
    ]


def test_seeds_are_one_row_with_their_spread():
    results = pd.DataFrame(
        [
            ("d", "sr4", "U-Net", 20.0),
            ("d", "sr4", "U-Net[seed=1]", 22.0),
            ("d", "sr4", "TV", 23.0),
        ],
        columns=["dataset_name", "problem", "solver_name", "psnr"],
    )
    assert markdown_table(results, "psnr").splitlines()[2:] == [
        "| TV | **23.00** |",
        "| U-Net | 21.00 [1.41] |",
    ]


# What pages say that there is


def test_the_readme_is_short():
    assert len(README.read_text().splitlines()) <= 150


def test_every_solver_dataset_problem_and_score_is_listed_and_no_other():
    assert listed("solver") == {s.name for s in BENCHMARK.get_solvers()}
    assert listed("dataset") == {d.name for d in BENCHMARK.get_datasets()}
    assert listed("`problem`") == {*PROBLEMS, *MRI_PROBLEMS, *CT_PROBLEMS}
    assert listed("prior") == set(RESTORERS["compact"])
    assert listed("score") == {*SCORES, "anomaly_<prior>"}
    text = METHODS.read_text()
    assert all(f"`{name}`" in text or f"={name}`" in text for name in DENOISERS)


def test_every_experiment_and_every_tool_is_listed():
    text = (ROOT / "docs" / "experiments.md").read_text()
    configs = {path.name for path in (ROOT / "config").glob("*.yml")}
    no_experiments = {"tuned.yml", "parallel_dask.yml", "parallel_slurm.yml"}
    assert set(re.findall(r"\| `(\w+\.yml)` \|", text)) == configs - no_experiments
    tools = {f"tools/{path.name}" for path in (ROOT / "tools").glob("*.py")}
    assert tools <= {words[1] for _, words in commands() if words[0] == "python"}


@pytest.mark.parametrize("page", TEXTS, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files_and_to_titles(page):
    for link in re.findall(r"\]\((?!http)([^)\s]+)\)", page.read_text()):
        file, _, title = link.partition("#")
        target = page.parent / file if file else page
        assert target.exists(), link
        if title:
            titles = re.findall(r"^#+ (.+)$", target.read_text(), flags=re.MULTILINE)
            known = [
                re.sub(r"[^\w -]", "", t.lower()).replace(" ", "-") for t in titles
            ]
            assert title in known, link


@pytest.mark.parametrize(
    "path",
    sorted(
        {
            path
            for page in TEXTS
            for path in re.findall(
                r"(?<![\w/])(?:config|tools|docs|solvers|datasets|training|tests|"
                r"benchmark_utils)/[\w/]+\.\w+",
                re.sub(r"\]\([^)]*\)", "", page.read_text()),
            )
        }
    ),
)
def test_every_file_that_is_named_exists(path):
    assert (ROOT / path).exists()


@pytest.mark.parametrize("page, words", sorted(set(commands())))
def test_the_commands_exist_and_so_does_what_they_name(page, words):
    for config in options(words, "--config", "--parallel-config"):
        assert config == "FILE" or (ROOT / config).exists()
    for pattern in options(words, "-d", "--dataset"):
        if "[" in pattern and not pattern.startswith("/my/"):
            ((dataset, given),) = BENCHMARK.check_dataset_patterns([pattern])
            assert set(given) <= set(dataset.parameters)
    for pattern in options(words, "-s"):
        if not pattern.startswith("/my/") and pattern != "My method":
            ((solver, given),) = BENCHMARK.check_solver_patterns([pattern])
            assert set(given) <= set(solver.parameters)
    if words[0] == "python":
        source = (ROOT / words[1]).read_text()
        assert all(f'"{w}"' in source for w in words if w.startswith("-"))
