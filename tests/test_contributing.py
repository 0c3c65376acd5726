"""What CONTRIBUTING.md says to do works as it is written."""

import ast
import re
import shutil
import textwrap

import pytest
import torch
from conftest import ROOT

from benchmark_utils.common.prose import without_prose

CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()


def code_of_step_2():
    (code,) = re.findall(r"```python\n(.*?)\n *```", CONTRIBUTING, flags=re.DOTALL)
    return textwrap.dedent(code)


def test_the_code_of_a_solver_runs_and_has_as_many_lines_as_promised(run, tmp_path):
    path = tmp_path / "my_method.py"
    path.write_text(code_of_step_2())
    content = path.read_bytes()
    code = without_prose(content, ast.parse(content)).splitlines()
    assert CONTRIBUTING.startswith(f"# Add a solver in {len(code)} lines of code\n")
    assert run([path]).objective_psnr.iloc[-1] > 20


def test_the_template_of_a_dataset_tests_on_other_images_than_it_trains_on(get_data):
    path = ROOT / "datasets" / "template_dataset.py"
    data = get_data(str(path), problem="denoising")
    assert not torch.equal(data["train"][0].x, data["test"][0].x)


@pytest.mark.parametrize("kind", ["solver", "dataset"])
def test_the_templates_run(kind, run, tmp_path):
    path = tmp_path / "mine.py"
    shutil.copy(ROOT / f"{kind}s" / f"template_{kind}.py", path)
    if kind == "solver":
        rows = run([path])
    else:
        rows = run(["Pseudo-inverse"], [f"{path}[problem=[denoising,sr4]]"])
    assert (rows.objective_diverged == 0).all()
