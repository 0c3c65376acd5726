"""The errors that skip one run, with a sentence, and leave the others alone.

Any other error is a bug: it keeps its traceback, and nothing is cached.
"""


class NotApplicable(ValueError):
    """What was asked has no meaning here; the message says what to ask instead."""


class Unavailable(RuntimeError):
    """Data or weights that are not here; the message says what to do about it."""
