"""Texts of the cells of tables, as benchopt's page shows, sorts and cuts them.

The page shows a number alone with four decimals, sorts texts by their characters,
breaks lines at spaces, and cuts the headers that are wider than the cells below them.
"""

import math
import re

from benchmark_utils.scoring.times import in_digits

# As wide as a digit; lines do not break there.
SPACE = "\u2007"
NO_BREAK = "\u00a0"
# Neither is seen: what ends in the first is no number, lines may break at the second.
AS_IT_IS = "\u2060"
MAY_BREAK = "\u200b"


def number(value, digits):
    """With the same width below and above 10, so that texts sort well."""
    text = f"{value:{digits + 3}.{digits}f}".replace(" ", SPACE)
    return text + AS_IT_IS


def seconds(time):
    return f"{in_digits(time) if time >= 0.01 else '<.01'}{NO_BREAK}s"


def breakable(name):
    """The name of a solver, whose lines may break within it."""
    return re.sub("([=+])", rf"\1{MAY_BREAK}", name)


def wide(cell, header):
    """The cell, its last word as wide as the header, with its arrows, or wider."""
    *others, last = cell.split(" ")
    # In digits, which are about as wide as letters; the header is in bold.
    width = sum(0.5 + 0.5 * c.isalnum() for c in last if c not in ("*", AS_IT_IS))
    room = 1.05 * len(header) + 1.6 - width
    return " ".join([*others, last + SPACE * max(0, math.ceil(room))])
