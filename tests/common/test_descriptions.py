"""benchopt info says what each parameter of each solver and dataset means."""

import pytest
from benchopt.cli.helpers import _print_component_info
from conftest import BENCHMARK, ROOT

from benchmark_utils.common import COUNT, Described, one_of
from benchmark_utils.common.descriptions import descriptions
from benchmark_utils.solving import Range

TEMPLATES = [
    *BENCHMARK.check_solver_patterns(
        [str(path) for path in (ROOT / "solvers").glob("template_*")], class_only=True
    ),
    *BENCHMARK.check_dataset_patterns(
        [str(path) for path in (ROOT / "datasets").glob("template_*")], class_only=True
    ),
]
CLASSES = [*BENCHMARK.get_solvers(), *BENCHMARK.get_datasets(), *TEMPLATES]


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.name)
def test_every_parameter_is_described_and_shown(cls, capsys):
    described = {name for name, text in cls.descriptions.items() if text}
    assert described >= set(cls.parameters)
    _print_component_info([cls], verbose=True)
    lines = capsys.readouterr().out.splitlines()
    for name in cls.parameters:
        (line,) = [n for n, text in enumerate(lines) if text.startswith(f"{name} : ")]
        assert any(text.startswith("    ") for text in lines[line + 1 : line + 4])


class Base(Described):
    """What is common.

    n_iter : iterations.
    reg : of the base.
    """

    parameters = {}


class Method(Base):
    """A method.

    Author (2026), x : y is no parameter.

    reg : weight of the prior, whose
        text goes on.

    More of the text.
    """

    parameters = {
        "reg": ["tuned"],
        "n_iter": COUNT(20),
        "kind": one_of("a", "b")("a"),
        "levels": [1, 2],
    }
    search_space = {"reg": Range(0.1, 10.0, default=0.5)}


def test_the_docstring_ends_with_the_parameters_and_their_defaults():
    assert Method.__doc__ == (
        "A method.\n\nAuthor (2026), x : y is no parameter.\n\nMore of the text.\n\n"
        "Parameters\n----------\n"
        "reg : tuned, 0.5 where it was not\n"
        "    weight of the prior, whose text goes on.\n"
        "n_iter : 20 (a whole number, 1 or more)\n    iterations.\n"
        "kind : a (one of a, b)\n"
        "levels : all of 1, 2\n"
    )


def test_the_own_description_of_a_class_takes_the_place_of_its_base():
    assert Base.descriptions["reg"] == "of the base."
    assert Method.descriptions["reg"] == "weight of the prior, whose text goes on."
    assert descriptions(None) == {}


def test_the_default_of_a_strength_is_that_of_its_problems():
    (natural,) = BENCHMARK.check_dataset_patterns(["natural"], class_only=True)
    assert "noise_level : 0.1 (denoising), 0.01" in natural.__doc__
    assert "missing : 0.5\n" in natural.__doc__
