"""Waits for a condition, for a limited time."""

import time


class WaitedInVain(AssertionError):
    """The condition did not become true in time."""


def until(condition, seconds=10.0, interval=0.02, what="the condition"):
    """Polls until the condition is true, and returns its value; raises WaitedInVain after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise WaitedInVain(f"waited {seconds} s in vain for {what}")
        time.sleep(interval)
    return value
