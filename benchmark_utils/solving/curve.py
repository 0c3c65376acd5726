"""The curve of a solver: iterate k is its point k, and the last one is one point.

What benchopt's callback does not do by itself. It counts its calls from 0; it cannot
score a point again, where the costly scores are for the last iterate, which is known
to be the last once the method has ended; and it has one clock, where the images that
are made of an iterate belong to the time of its own point, and of no later one.
"""

import time
from itertools import pairwise

from benchopt.stopping_criterion import StoppingCriterion


class FixedBudget(StoppingCriterion):
    """Leaves the budget to the solver, whose number of iterations is a parameter.

    benchopt's time-out and its limit of 100 points per curve do not apply: a curve
    always ends with the solver's last iterate.
    """

    def init_stop_val(self):
        """The first point is the first iterate."""
        super().init_stop_val()
        return 1

    def should_stop(self, stop_val, objective_list):
        self.progress(f"point {len(objective_list)}")
        return False, "running", self.get_next_stop_val(stop_val)


class Curve:
    """Reports iterates to benchopt's callback, or to any function.

    A function is called after each iterate and once more at the end, and times nothing.

    Parameters
    ----------
    callback : benchopt's, or callable () -> bool
        Whether to go on.
    make : callable () -> None
        Makes the images of the present iterate, and waits for them.
    """

    def __init__(self, callback, make):
        self.callback, self.make = callback, make
        self.is_scored = hasattr(callback, "log_value")
        if self.is_scored:
            self.callback.it = 1

    def add(self):
        """Report an iterate. False where the run ends here."""
        if not self.is_scored:
            return self.callback()
        self.cost = None
        if self.callback.it == self.callback.next_stopval:
            self.cost = self._cost_of_images()
        goes_on = self.callback()
        # benchopt's clock had been running.
        self.callback.time_iter -= self.cost or 0.0
        return goes_on

    def end(self):
        """Score the last iterate, once more if it has a point: in its place."""
        if not self.is_scored:
            self.callback()
            return
        callback = self.callback
        callback.it -= 1
        kept = [row for row in callback.curve if row["stop_val"] < callback.it]
        callback.curve[:] = kept
        callback.time_iter += self._cost_of_images() if self.cost is None else self.cost
        callback.log_value()
        callback.it += 1
        # Making the images of one point may take longer than that of the next.
        for before, row in pairwise(callback.curve):
            row["time"] = max(row["time"], before["time"])

    def _cost_of_images(self):
        """Make the images, and tell the seconds that it took."""
        start = time.perf_counter()
        self.make()
        return time.perf_counter() - start
