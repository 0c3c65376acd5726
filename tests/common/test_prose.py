"""What is written for people to read is no part of the code."""

import ast

import pytest

from benchmark_utils.common.dependencies import ROOT
from benchmark_utils.common.prose import DOCUMENTED, without_prose


def code(source, encoding="utf-8"):
    content = source.encode(encoding)
    return without_prose(content, ast.parse(content)).decode()


BARE = """x = "# no comment"
def f(y):
    return x + f"{y} # neither"
class C:
    a = 1; b = 2
""".rstrip()

WRITTEN = '''# A comment: é "
"""A module.

Of é two paragraphs."""

x = "# no comment"  # one "here"


def f(y):
    r"""What f does: # é.

    And more.
    """  # told above
    # Why.
    return x + f"{y} # neither"   # a comment é


class C:
    "What C is."

    # Of a.
    a = 1; b = 2
'''


def test_comments_docstrings_and_empty_lines_are_left_out():
    assert code(WRITTEN) == BARE
    assert code(BARE) == BARE


@pytest.mark.parametrize(
    "source",
    [
        's = """a # b\n\n   \n  # c\n"""',
        "s = b'# a'",
        "s = '''é''' '# a'",
        'def f():\n    return f"""{1}\n\n# a {2}\n"""',
        "if True:\n    'no docstring'",
    ],
)
def test_texts_stay_as_they_are(source):
    assert code(source) == source


def test_what_follows_a_docstring_on_its_line_stays():
    assert code('def f(): "What f does."; return 1').endswith("; return 1")


def test_code_in_another_encoding_is_read_as_python_reads_it():
    source = "# coding: latin-1\nx = 'é # é'  # é\n"
    assert code(source, "latin-1") == "x = 'é # é'"


@pytest.mark.parametrize(
    "change", [("+ f", "- f"), ("# neither", "# either"), ("a = 1", "a = 10")]
)
def test_a_change_of_the_code_is_seen(change):
    assert code(WRITTEN.replace(*change)) != code(WRITTEN)


def test_what_is_left_of_this_repository_is_what_python_runs():
    compared = 0
    for path in sorted((ROOT / "benchmark_utils").rglob("*.py")):
        content = path.read_bytes()
        tree = ast.parse(content)
        bare = without_prose(content, tree)
        documented = [node for node in ast.walk(tree) if isinstance(node, DOCUMENTED)]
        for node in documented:
            if ast.get_docstring(node, False) is not None:
                node.body = node.body[1:]
        # A body that was a docstring alone cannot be read again.
        if all(node.body for node in documented):
            assert ast.dump(ast.parse(bare)) == ast.dump(tree), path
            compared += 1
    assert compared > 100
