"""``benchopt run`` says which run of how many has ended, and about what is left.

benchopt 1.10 shows the iteration of the solver at work, and not how many solvers and
datasets there are to come. Its terminal is told here, in the line that ends a run:

    |--TV: run 7 of 25, 3 min to go: done

The time to go is the mean of the runs that were computed, for those that are left.
"""

import math
import time
from functools import wraps
from inspect import signature
from unittest.mock import patch

from benchopt.benchmark import _list_parametrized_classes
from benchopt.utils.terminal_output import TerminalOutput


def duration(seconds):
    """Seconds as text: 40 s, 12 min, 3.5 h."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def counting_runs(run):
    """``_run_benchmark``, whose terminal numbers the runs.

    A run is a solver on a dataset under an objective, with all its repetitions.
    """

    @wraps(run)
    def run_and_count(*args, **kwargs):
        asked = signature(run).bind(*args, **kwargs).arguments
        count = Count(
            math.prod(
                sum(here for _, here in _list_parametrized_classes(*asked[kind]))
                for kind in ("datasets", "objectives", "solvers")
            )
        )
        with patch.multiple(
            TerminalOutput,
            show_status=count.told(TerminalOutput.show_status),
            skip=count.noted(TerminalOutput.skip),
        ):
            return run(*args, **kwargs)

    return run_and_count


class Count:
    """How many of ``total`` runs have ended, and in which time."""

    def __init__(self, total):
        self.total, self.start = total, time.perf_counter()
        self.ended, self.computed = set(), set()

    def text(self, key):
        """Where the run of this key, which is ending, stands."""
        number = len(self.ended | {key})
        text = f"run {number} of {self.total}"
        n_computed, n_left = len(self.computed), self.total - number
        if n_computed and n_left:
            seconds = (time.perf_counter() - self.start) / n_computed * n_left
            text += f", {duration(seconds)} to go"
        return text

    def told(self, show_status):
        """``TerminalOutput.show_status``, with the text in the line of a solver."""

        def show(terminal, status, *args, cached=False, **options):
            key, tag = key_of(terminal), terminal.solver_tag
            if status not in ("skip", "not installed") and not cached:
                self.computed.add(key)
            terminal.solver_tag = f"{tag} {self.text(key)}:"
            try:
                return show_status(terminal, status, *args, cached=cached, **options)
            finally:
                terminal.solver_tag = tag
                seen = (terminal.dataset, terminal.objective, terminal.solver)
                if terminal.rep[seen] >= (terminal.n_repetitions or 1):
                    self.ended.add(key)

        return show

    def noted(self, skip):
        """``TerminalOutput.skip``, which is told of each solver, and shown of one."""

        def skip_and_note(terminal, *args, **options):
            found = skip(terminal, *args, **options)
            self.ended.add(key_of(terminal))
            return found

        return skip_and_note


def key_of(terminal):
    return str(terminal.dataset), str(terminal.objective), str(terminal.solver)
