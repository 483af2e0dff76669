"""For every suite."""

import signal


def pytest_configure():
    """SIGTERM ends the run as Ctrl-C does, so that every fixture still stops what it started."""
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
