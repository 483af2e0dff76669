"""The error that ends a run with one sentence instead of a traceback."""


class Failure(Exception):
    """Its text says what is missing or went wrong, and how to correct it."""
