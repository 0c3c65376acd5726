"""The curve of a solver: iterate k is its point k, and the last one is one point.

What benchopt's callback does not do by itself. It counts its calls from 0; it cannot
score a point again, where the costly scores are for the last iterate, which is known
to be the last once the method has ended; and it has one clock, where the images that
are made of an iterate belong to the time of its own point, and of no later one.
"""

import time
from itertools import pairwise


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
