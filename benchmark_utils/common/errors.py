"""The errors that a user can cause, and that must not stop the other runs."""


class Unavailable(RuntimeError):
    """Data or weights that are not here; the message says what to do about it."""


class NotApplicable(ValueError):
    """What was asked does not apply: a run is skipped, with this sentence."""
