"""The one error that a user can cause and that must not stop the other solvers."""


class Unavailable(RuntimeError):
    """Data or weights that are not here; the message says what to do about it."""
