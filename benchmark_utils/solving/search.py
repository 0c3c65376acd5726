"""What there is to tune of a solver: its search space."""

import math
from dataclasses import dataclass, replace
from numbers import Integral

from benchmark_utils.common.errors import NotApplicable
from benchmark_utils.common.parameters import NUMBER

# A value is on a bound, or near one, within these shares of the range, in logarithms.
ON_BOUND, NEAR_BOUND = 0.01, 0.05
# Above any that means something, and far from the largest of 32 bits.
LARGEST = 1e12
# A range that is too narrow goes this many times further.
WIDER = 10


@dataclass(frozen=True)
class Range:
    """Where to look for one hyper-parameter.

    Attributes
    ----------
    low, high : float
        Bounds, searched on a logarithmic scale.
    default : float
        Used where nothing was tuned.
    shared_by : str or None
        A parameter that names several things, joined by "+": there is one value for
        each, and ``default`` is divided among them.
    may_be_zero : bool
        Whether 0 has a meaning, though it is never tried.
    limits : (float, float)
        What the range never leaves when it is widened: steps stay below 2, shares of
        something stay below 1.
    """

    low: float
    high: float
    default: float
    shared_by: str | None = None
    may_be_zero: bool = False
    limits: tuple = (0.0, math.inf)

    def bound(self, value, within=ON_BOUND):
        """The bound, "low" or "high", that a value is on; None for one inside."""
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return "low" if share < within else "high" if share > 1 - within else None

    def widened(self, bounds):
        """The range beyond these bounds, as far as the limits allow."""
        low = max(self.low / WIDER, self.limits[0]) if "low" in bounds else self.low
        high = min(self.high * WIDER, self.limits[1]) if "high" in bounds else self.high
        return replace(self, low=low, high=high)

    def check(self, name, value):
        """Raise ``NotApplicable`` unless it is a number of the right sign."""
        bound = ", 0 or more" if self.may_be_zero else " above 0"
        is_number = NUMBER.is_valid(value) and value <= LARGEST
        if not is_number or value < 0 or (value == 0 and not self.may_be_zero):
            raise NotApplicable(f"{name} must be a number{bound}, not {value!r}.")

    def n_values(self, parameters):
        """How many values there are to tune, for the parameters of a solver."""
        if self.shared_by is None:
            return 1
        return len(str(parameters[self.shared_by]).split("+"))

    def value(self, tuned, parameters):
        """The tuned value; the default where there is none, or not one for each."""
        n = self.n_values(parameters)
        default = self.default if n == 1 else [round(self.default / n, 4)] * n
        if tuned is None or (len(tuned) if isinstance(tuned, list) else 1) != n:
            return default
        return tuned


@dataclass(frozen=True)
class Whole:
    """A number of iterations to tune, 1 or more. Its value is ``default`` untuned."""

    default: int
    shared_by = None
    may_be_zero = False

    def check(self, name, value):
        """Raise ``NotApplicable`` unless it is a whole number, 1 or more."""
        whole = isinstance(value, Integral) and not isinstance(value, bool)
        if not whole or value < 1:
            raise NotApplicable(
                f"{name} must be a whole number, 1 or more, not {value!r}."
            )

    def n_values(self, parameters):
        return 1

    def value(self, tuned, parameters):
        """The tuned value; the default where there is none."""
        return self.default if tuned is None else tuned


@dataclass(frozen=True)
class Iterations(Whole):
    """Iterations of a method whose iterates do not depend on how many there will be.

    Tuned without trials of its own: each trial runs to ``maximum``, and the best point
    of the mean training curve, or the first within 0.01 dB of it, is the number.
    """

    maximum: int


@dataclass(frozen=True)
class Choice(Whole):
    """Iterations of a method whose schedule depends on their number: one of few."""

    values: tuple
