"""The parameters of datasets and solvers: their values, and what these must be.

What a parameter must be stands beside its default:

    parameters = {"n_iter": COUNT(20), "step": POSITIVE(0.9), "levels": [4]}

``COUNT(20)`` is the list [20] that benchopt expects, which remembers its constraint.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, isfinite
from numbers import Integral, Real

from benchmark_utils.common.errors import NotApplicable


class Values(list):
    """The values of a benchopt parameter, and the constraint on any value of it."""

    def __init__(self, values, constraint):
        super().__init__(values)
        self.constraint = constraint


@dataclass(frozen=True)
class Constraint:
    """What a value must be.

    Attributes
    ----------
    is_valid : callable (value) -> bool
    description : str
        Ends the sentence "step must be ...".
    """

    is_valid: Callable
    description: str

    def __call__(self, *values):
        """The values of a parameter under this constraint, its default first."""
        return Values(values, self)

    def check(self, name, value):
        """Raise ``NotApplicable`` for a value that is not valid."""
        if not self.is_valid(value):
            raise NotApplicable(f"{name} must be {self.description}, not {value!r}.")

    def or_none(self):
        """The same, where None is valid too."""
        return Constraint(
            lambda v: v is None or self.is_valid(v), f"{self.description}, or None"
        )


def _number(value):
    return isinstance(value, Real) and not isinstance(value, bool) and isfinite(value)


def whole(least, most=inf):
    return Constraint(
        lambda v: (
            isinstance(v, Integral) and not isinstance(v, bool) and least <= v <= most
        ),
        f"a whole number, {least} or more"
        if most == inf
        else f"a whole number from {least} to {most}",
    )


def one_of(*names):
    def is_valid(value):
        # 1.0 and True are equal to 1, and would be other keys, names and files.
        return any(type(value) is type(n) and value == n for n in names)

    return Constraint(is_valid, f"one of {', '.join(map(str, names))}")


COUNT = whole(1)
NUMBER = Constraint(_number, "a number")
SHARE = Constraint(lambda v: _number(v) and 0 <= v < 1, "a share in [0, 1)")
DENSITY = Constraint(lambda v: _number(v) and 0 < v <= 1, "a share in (0, 1]")
POSITIVE = Constraint(lambda v: _number(v) and v > 0, "a number above 0")
LEVEL = Constraint(lambda v: _number(v) and v >= 0, "a number, 0 or more")
FLAG = Constraint(lambda v: isinstance(v, bool), "True or False")


def check_parameters(instance):
    """Raise ``NotApplicable`` for the first parameter that is not what it must be.

    ``instance`` is a dataset, a solver, or a problem of its own, whose class has
    ``parameters``.
    """
    for name, values in type(instance).parameters.items():
        if isinstance(values, Values):
            values.constraint.check(name, instance._parameters[name])


def one_or_each(name, value, n):
    """A list of ``n`` numbers, from one for all, a list, or text: "0.5+0.2".

    Raises
    ------
    NotApplicable
        It is not numbers, or not one or ``n`` of them.
    """
    if isinstance(value, list | tuple):
        parts = list(value)
    else:
        parts = str(value).split("+")
        parts = parts * n if len(parts) == 1 else parts
    try:
        numbers = [float(part) for part in parts]
    except (TypeError, ValueError):
        numbers = []
    if len(numbers) != n:
        needed = "a number" if n == 1 else f"a number, or {n} of them"
        raise NotApplicable(f"{name} must be {needed}, not {value!r}.")
    return numbers
