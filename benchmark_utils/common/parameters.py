"""Checks of the parameters of datasets and solvers: what each one must be, in words."""

from numbers import Integral, Real


def one_of(names):
    return (lambda v: v in names), f"one of {', '.join(names)}"


def whole(least):
    return (
        (lambda v: isinstance(v, Integral) and v >= least),
        f"a whole number, {least} or more",
    )


def optional(valid):
    """What may be None, and else is ``valid``."""
    is_valid, description = valid
    return (lambda v: v is None or is_valid(v)), f"{description}, or None"


COUNT = whole(1)
SHARE = (lambda v: isinstance(v, Real) and 0 <= v < 1), "a share in [0, 1)"
DENSITY = (lambda v: isinstance(v, Real) and 0 < v <= 1), "a share in (0, 1]"
POSITIVE = (lambda v: isinstance(v, Real) and v > 0), "a number above 0"
LEVEL = (lambda v: isinstance(v, Real) and v >= 0), "a number, 0 or more"


def check_value(name, value, valid):
    """Raise ``ValueError`` unless a value is ``valid``, a pair (test, description)."""
    is_valid, description = valid
    if not is_valid(value):
        raise ValueError(f"{name} must be {description}, not {value!r}.")


def check_parameters(instance, valid):
    """Raise ``ValueError`` for the first parameter that is not what it must be.

    Parameters
    ----------
    instance : dataset or solver
    valid : dict {name: (test, description)}
    """
    for name in valid:
        check_value(name, getattr(instance, name), valid[name])
