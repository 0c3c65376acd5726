"""What code depends on is read from its source: imports, and the files it names."""

import pytest
from conftest import ROOT

from benchmark_utils.common.dependencies import dependencies

PACK = {"helper.py", "pack/__init__.py", "pack/deep.py", "pack/other.py"}


@pytest.fixture
def place(tmp_path, monkeypatch):
    """place(files, main): names of all that a file depends on, files being written."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "mine"

    def place(files, main="solver.py"):
        for name, text in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        found = dependencies(folder / main, root=ROOT)
        paths = {*found.code, *found.data, *found.folders} - {folder / main}
        return {
            p.relative_to(folder if p.is_relative_to(folder) else ROOT).as_posix()
            for p in paths
        }

    return place


@pytest.mark.parametrize(
    "line, expected",
    [
        ("import helper", {"helper.py"}),
        ("def f():\n    from helper import a as b", {"helper.py"}),
        ("from pack.deep import a", {"pack/deep.py", "helper.py"}),
        ("import pack.deep as d", {"pack/deep.py", "helper.py"}),
        # Through a face, what defines the name alone.
        ("from pack import a", {"pack/deep.py", "helper.py"}),
        ("from pack import c", {"pack/other.py"}),
        ("from pack import other", {"pack/other.py"}),
        ("import pack", PACK),
        ("from pack import *", PACK),
        # What is more than a face acts on all that is imported through it.
        ("from acts import x", {"acts/__init__.py", "acts/x.py"}),
        ("from acts.x import x", {"acts/__init__.py", "acts/x.py"}),
        ("from spaces import name", {"spaces/name.py"}),
        ("import torch, os, missing", set()),
        ("from benchmark_utils.common import Unavailable", {"common/errors.py"}),
        ("from benchmark_utils.common import momentum", {"common/momentum.py"}),
        ("import (", set()),
    ],
)
def test_imports_are_followed_by_name(place, line, expected):
    files = {
        "solver.py": line,
        "helper.py": "import math",
        "pack/__init__.py": '"Face."\nfrom .deep import a\nfrom .other import b as c',
        "pack/deep.py": "import helper\na = 1",
        "pack/other.py": "b = 1",
        "acts/__init__.py": "from .x import x\nx()",
        "acts/x.py": "def x(): pass",
        "spaces/name.py": "from .. import nothing",
        "unused.py": "",
        "torch/hub.txt": "",
    }
    found = {name.removeprefix("benchmark_utils/") for name in place(files)}
    assert found == expected


def test_circular_imports_end(place):
    files = {
        "solver.py": "import a\nfrom loop import x",
        "a.py": "import b",
        "b.py": "import a, solver",
        "loop/__init__.py": "from loop import x",
    }
    assert place(files) == {"a.py", "b.py"}


@pytest.mark.parametrize(
    "line, expected",
    [
        ("w = Path(__file__).parent / 'weights.pt'", {"weights.pt"}),
        ("w = load('weights.pt')", {"weights.pt"}),
        ("w = 'data/a.npy'", {"data/a.npy"}),
        ("w = Path(__file__).parent / 'data' / 'a.npy'", {"data", "data/a.npy"}),
        ("w = os.path.join(HERE, 'data', 'a.npy')", {"data/a.npy"}),
        ("w = Path(__file__).with_name('data')", set()),
        ("w = Path('mine') / 'data'", {"data"}),
        ("w = 'mine/data'", {"data"}),
        ("w = 'mine/data/a.npy'", {"data/a.npy"}),
        # Words that are no path; Markdown; and the folders of the code itself.
        ("w = 'data'", set()),
        ("w = 'README.md'", set()),
        ("w = ['/', './', '../mine', '..', 'mine/']", set()),
        ("w = ['no/such', 'a\\0b/c', '~nobody/x', '' , 'x/' * 200]", set()),
    ],
)
def test_files_and_folders_that_are_named_count(place, line, expected):
    files = {
        "solver.py": line,
        "weights.pt": "",
        "data/a.npy": "",
        "README.md": "",
    }
    assert place(files) == expected


def test_packages_are_told_by_their_names(place, tmp_path):
    place({"solver.py": "import torch, os, missing\nfrom PIL import Image"})
    found = dependencies(tmp_path / "mine" / "solver.py")
    assert found.packages == {"torch", "missing", "PIL"}


def test_shared_code_names_files_beside_it_and_no_folder():
    found = dependencies(ROOT / "datasets" / "simulated.py")
    assert {path.name for path in found.data} == {"levin09.npz", "image_checksums.txt"}
    assert not found.folders
    solver = dependencies(ROOT / "solvers" / "pnp_hqs.py")
    assert not solver.data and not solver.folders


@pytest.mark.parametrize("file", ["tv", "pseudo_inverse", "pnp_hqs"])
def test_a_solver_does_not_depend_on_the_other_methods(file):
    found = dependencies(ROOT / "solvers" / f"{file}.py")
    names = {path.name for path in found.code}
    assert {"data_term.py", "solver.py"} <= names
    assert names.isdisjoint(["convolutional.py", "wavelets.py", "evaluation.py"])
