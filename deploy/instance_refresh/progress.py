"""What a person sees of a run, how it is interrupted, and what is recorded at its end."""

import datetime
import signal

from .failure import DONE, FAILED, INTERRUPTED, CallFailed


class Interrupted(BaseException):
    """Not an Exception: botocore would treat it as a broken connection, and try again."""


def say(line):
    """One line of progress, with the time in UTC."""
    print(f"{datetime.datetime.now(datetime.UTC):%H:%M:%SZ}  {line}", flush=True)


INTERRUPTIONS = {signal.SIGINT, signal.SIGTERM}


def hold_interruptions():
    """Until `follow`: an interruption while AWS answers would leave what the call has started to itself."""
    signal.pthread_sigmask(signal.SIG_BLOCK, INTERRUPTIONS)


def follow(rollout, what):
    """The exit status of a rollout that was started. An interruption rolls it back."""
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, INTERRUPTIONS)
        return rollout.run()
    except Interrupted:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if not rollout.is_rolling_back:
            rollout.roll_back("interrupted")
        say(f"interrupted; nobody follows {what} any more")
        return INTERRUPTED


def record(cloud, parameter, image, runner):
    """Writes the image that is in service to the parameter that Terraform reads; the exit status."""
    try:
        cloud.put_parameter(parameter, image)
    except CallFailed as failure:
        say(f"the {runner} runs {image}, but {parameter} was not written: {failure}")
        return FAILED
    say(f"{parameter} is {image}")
    say("done")
    return DONE
