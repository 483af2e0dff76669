"""A program that runs on an instance by Run Command of Systems Manager, so that the instance need not be reachable."""

import base64
import gzip
import shlex
import time

from .failure import CallFailed

OUTPUT_LIMIT = 24000  # characters that AWS keeps of the standard output
RUNNING = {"Pending", "InProgress", "Delayed", "Cancelling"}
# Right after a launch the instance's agent is unknown; right after sending, the invocation is.
NOT_YET = {"InvalidInstanceId", "InvocationDoesNotExist"}
LINE = """program=$(printf %s '{packed}' | base64 -d | gzip -dc) && [ -n "$program" ] || exit 126
exec bash -c "$program" smoke"""


class NotRun(Exception):
    """There is no result; the text has the reason."""


def lines(program, arguments):
    """What /bin/sh of the instance is told to run this bash program with these arguments.

    Everything is packed: a command has less than 64 KB, and Systems Manager replaces what stands in {{ }}.
    """
    text = f"set -- {shlex.join(arguments)}\n".encode() + program
    return LINE.format(packed=base64.b64encode(gzip.compress(text, mtime=0)).decode()).splitlines()


class Invocation:
    def __init__(self, cloud, instance, poll, say):
        self.cloud, self.instance, self.poll, self.say = cloud, instance, poll, say

    def run(self, program, arguments, seconds):
        """Exit status, standard output, standard error, and how it ended when that was not by itself (else empty).

        Raises NotRun when its end is not known within this time.
        """
        deadline = time.monotonic() + seconds
        limit = max(1, int(seconds))
        comment = f"smoke test of {self.instance}"
        told = lines(program, arguments)
        command = self._until(deadline, lambda: self.cloud.send_command(self.instance, told, limit, comment))
        while True:
            answer = self._until(deadline, lambda: self.cloud.command_invocation(command, self.instance))
            if answer["Status"] not in RUNNING:
                return self._result(answer)
            self._pause(deadline, f"did not end within {seconds:.0f} s ({answer['Status']})")

    def _until(self, deadline, call):
        """The call's answer, requested again while it may still come."""
        said = None
        while True:
            try:
                return call()
            except CallFailed as failure:
                if failure.code not in NOT_YET and not failure.passes:
                    raise NotRun(f"cannot run there: {failure}") from None
                code, reason = failure.code, str(failure)
            self._pause(deadline, f"did not end in time: {reason}")
            if code != said:
                self.say(f"smoke {self.instance}: asking again: {reason}")
                said = code

    def _pause(self, deadline, reason):
        if time.monotonic() + self.poll >= deadline:
            raise NotRun(reason)
        time.sleep(self.poll)

    def _result(self, answer):
        text, errors = answer.get("StandardOutputContent", ""), answer.get("StandardErrorContent", "")
        status, details = answer["Status"], answer.get("StatusDetails") or answer["Status"]
        code = answer.get("ResponseCode", -1)
        if len(text) >= OUTPUT_LIMIT:
            self.say(f"smoke {self.instance}: AWS keeps {OUTPUT_LIMIT} characters of the lines; further ones are cut")
        if status == "Success":
            return 0, text, errors, ""
        if status == "Failed" and code > 0:
            return code, text, errors, ""
        return code, text, errors, f"ended as {status} ({details})"
