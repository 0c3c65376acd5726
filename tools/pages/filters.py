"""How the pages of the site show names and cells."""

import re
from functools import cache
from pathlib import Path

from markupsafe import Markup, escape

METHODS = Path(__file__).resolve().parents[2] / "docs" / "methods.md"
SOLVERS = "| solver | method | paper |"
# A row of this table: the name, and the address of the paper.
PAPER = re.compile(r"^\| `([^`]+)` \|.*\]\((https://[^)]+)\) \|$", re.MULTILINE)


@cache
def papers():
    """{name of a solver: address of its paper}, of docs/methods.md."""
    _, _, after = METHODS.read_text(encoding="utf-8").partition(SOLVERS)
    table, _, _ = after.partition("\n\n")
    return dict(PAPER.findall(table))


def words(name):
    return name.replace("_", " ")


def breakable(name):
    """A name of a solver, which may go on in the next line."""
    return Markup(re.sub(r"([\[,+])", r"\1<wbr>", str(escape(name))))


def linked(name):
    """The same, as a link to the paper of the solver where there is one."""
    paper = papers().get(name.split("[")[0])
    if paper is None:
        return breakable(name)
    return Markup(f'<a href="{escape(paper)}">{breakable(name)}</a>')


def cell(text):
    """A cell of the README's tables as HTML."""
    text = re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", str(escape(text)))
    text = re.sub(r"±[\d.]+|\[[\d.]+\]", r"<small>\g<0></small>", text)
    text = re.sub(r"\((.+ s)\)", r'<small class="seconds">\1</small>', text)
    dagger = '<abbr title="with values that were not tuned for this problem">†</abbr>'
    return Markup(text.replace("†", dagger))


FILTERS = {"words": words, "breakable": breakable, "linked": linked, "cell": cell}
