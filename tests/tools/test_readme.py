"""The README lists what exists, and its numbers are those of the committed results."""

import json
import math
import re

import pandas as pd
import pytest
from conftest import BENCHMARK, ROOT

from benchmark_utils.physics import CT_PROBLEMS, MRI_PROBLEMS, PROBLEMS
from benchmark_utils.priors.denoisers import DENOISERS
from tools.build_readme import PAGES, fill, markdown_table

README = (ROOT / "README.md").read_text()


def listed(header):
    """The names in the first column of the table with this header."""
    table = README.split(f"| {header} |")[1].split("\n\n")[0]
    return set(re.findall(r"^\| `([^`]+)` \|", table, flags=re.MULTILINE))


@pytest.mark.parametrize("page, n_tables", [*zip(PAGES, [14, 1])])
def test_the_tables_are_those_of_the_committed_results(page, n_tables):
    text = page.read_text()
    assert text.count("<!-- table") == n_tables
    assert fill(text) == text


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
    assert re.fullmatch(r"\| B \| \*\*27\.58\*\* ±0\.1\d † \|", b)
    assert re.fullmatch(r"\| C \| 10\.00 ±\d\.\d\d \|", c)


def test_every_solver_dataset_and_problem_is_listed_and_no_other():
    assert listed("solver") == {s.name for s in BENCHMARK.get_solvers()}
    assert listed("dataset") == {d.name for d in BENCHMARK.get_datasets()}
    assert listed("`problem`") == {*PROBLEMS, *MRI_PROBLEMS, *CT_PROBLEMS}
    assert all(f"`{name}`" in README or f"={name}`" in README for name in DENOISERS)


@pytest.mark.parametrize(
    "path", sorted(set(re.findall(r"(?:config|tools|docs|solvers)/\w+\.\w+", README)))
)
def test_every_file_it_names_exists(path):
    assert (ROOT / path).exists()
