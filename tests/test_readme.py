"""The README lists what exists, and its numbers are those of the committed results."""

import re

import pytest
from conftest import BENCHMARK, ROOT

from benchmark_utils.problems import PROBLEMS
from benchmark_utils.restoration import DENOISERS
from tools.build_readme import fill

README = (ROOT / "README.md").read_text()


def listed(header):
    """The names in the first column of the table with this header."""
    table = README.split(f"| {header} |")[1].split("\n\n")[0]
    return set(re.findall(r"^\| `([^`]+)` \|", table, flags=re.MULTILINE))


def test_the_tables_are_those_of_the_committed_results():
    assert README.count("<!-- table") == 11
    assert fill(README) == README


def test_every_solver_dataset_and_problem_is_listed_and_no_other():
    assert listed("solver") == {s.name for s in BENCHMARK.get_solvers()}
    assert listed("dataset") == {d.name for d in BENCHMARK.get_datasets()}
    assert listed("`problem`") == set(PROBLEMS)
    assert all(f"`{name}`" in README or f"={name}`" in README for name in DENOISERS)


@pytest.mark.parametrize(
    "path", sorted(set(re.findall(r"(?:config|tools|docs|solvers)/\w+\.\w+", README)))
)
def test_every_file_it_names_exists(path):
    assert (ROOT / path).exists()
