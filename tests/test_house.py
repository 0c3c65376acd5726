"""The rooms of benchmark_utils import one way, and shadow no package."""

import ast

import pytest
from conftest import ROOT

# A room imports from the rooms before it, and from itself.
ROOMS = (
    "common",
    "physics",
    "data",
    "learning",
    "priors",
    "dictionaries",
    "solving",
    "scoring",
    "tuning",
)
SHARED = sorted((ROOT / "benchmark_utils").rglob("*.py"))


def imported_rooms(path):
    """The rooms of benchmark_utils that a file imports from, with the lines."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: a relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            if name.startswith("benchmark_utils."):
                yield name.split(".")[1], node.lineno


@pytest.mark.parametrize("path", SHARED, ids=lambda p: f"{p.parent.name}/{p.name}")
def test_a_room_imports_from_the_rooms_before_it_alone(path):
    room = path.relative_to(ROOT / "benchmark_utils").parts[0]
    if room not in ROOMS:
        assert path.name in ("__init__.py", "api.py")
        return
    allowed = ROOMS[: ROOMS.index(room) + 1]
    wrong = [(to, line) for to, line in imported_rooms(path) if to not in allowed]
    assert not wrong, f"{path.name} imports from {wrong}"


def test_every_folder_of_benchmark_utils_with_code_is_a_room():
    folders = {path.parent for path in SHARED} - {ROOT / "benchmark_utils"}
    assert {folder.name for folder in folders} <= set(ROOMS)


def test_the_package_itself_is_empty_and_no_other_folder_is_one():
    assert not (ROOT / "benchmark_utils" / "__init__.py").read_text()
    for folder in ("datasets", "solvers"):  # They would shadow PyPI's "datasets".
        assert not (ROOT / folder / "__init__.py").exists()
