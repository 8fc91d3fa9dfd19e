"""Errors that a person can act on."""


class FiqaError(Exception):
    """A usage, configuration or weights error: one line that names the remedy; exit code 2."""
