"""``benchopt info . -s TV`` says what each parameter means, and its default.

A parameter is described once, where it is used, in the docstring of a class:

    reg : weight of the prior, for measurements with noise 0.01; longer texts go on
        in lines that are indented.

benchopt shows docstrings. Those of solvers and datasets end with all their parameters:
the default comes from ``parameters`` and ``search_space``, what is common to several
from their base class.
"""

import re
import textwrap
from inspect import cleandoc

ENTRY = re.compile(r"^(\w+(?:, \w+)*) : (.*(?:\n[ ]+\S.*)*)\n?", re.MULTILINE)


def descriptions(text):
    """{name: what it means} of the entries of a docstring; {} of None."""
    return {
        name: " ".join(meaning.split())
        for names, meaning in ENTRY.findall(cleandoc(text or ""))
        for name in names.split(", ")
    }


class Described:
    """Mixin of solvers and datasets: the docstring ends with their parameters.

    ``descriptions`` are {name: what it means}.
    """

    descriptions = {}

    def __init_subclass__(cls, **options):
        super().__init_subclass__(**options)
        found = dict(cls.descriptions)
        for text in (*cls.other_docstrings(), cls.__doc__):
            found |= descriptions(text)
        cls.descriptions = found
        if cls.parameters:
            cls.__doc__ = cls._docstring()

    @classmethod
    def other_docstrings(cls):
        """Where parameters are described too; the class's own docstring comes last."""
        return ()

    @classmethod
    def default_text(cls, name):
        """The default of a parameter, and what its values must be."""
        values, space = cls.parameters[name], getattr(cls, "search_space", {}).get(name)
        if space is not None:
            return f"tuned, {_text(space.default)} where it was not"
        if len(values) > 1:
            return f"all of {', '.join(map(_text, values))}"
        constraint = getattr(values, "constraint", None)
        must_be = f" ({constraint.description})" if constraint else ""
        return _text(values[0]) + must_be

    @classmethod
    def _docstring(cls):
        def kept(entry):
            names = set(entry[1].split(", "))
            return "" if names <= set(cls.parameters) else entry[0]

        prose = ENTRY.sub(kept, cleandoc(cls.__doc__ or "")).strip()
        lines = ["Parameters", "----------"]
        for name in cls.parameters:
            lines += textwrap.wrap(f"{name} : {cls.default_text(name)}", 88)
            meaning = cls.descriptions.get(name, "")
            indent = {"initial_indent": "    ", "subsequent_indent": "    "}
            lines += textwrap.wrap(meaning, 88, **indent)
        return re.sub(r"\n{3,}", "\n\n", prose) + "\n\n" + "\n".join(lines) + "\n"


def _text(value):
    return f"{value:g}" if isinstance(value, float) else str(value)
