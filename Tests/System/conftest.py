"""Settings of every suite."""

import signal


def pytest_configure():
    """Treats SIGTERM like Ctrl-C, so that every fixture stops what it started."""
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
