"""Runs `deploy/smoke` against the new instances."""

import functools
import pathlib
import re
import subprocess
import time

from .invocation import Invocation, NotRun

PROGRAM = pathlib.Path(__file__).resolve().parents[1] / "smoke"
SUMMARY = re.compile(r"smoke: (\d+ passed, 0 failed)")


class Smoke:
    """`url`: the service behind the load balancer. `instance_url`: a pattern with {private_ip} or {instance_id}.

    None for either leaves it out. With `remote`, a Cloud, an instance checks itself, at the pattern's address. `say` gets each
    failed check and each result. `options` are of an instance's check, `service_options` of the service's.
    """

    def __init__(self, url, instance_url, options, say, service_options=(), remote=None, poll=1.0):
        self.url, self.instance_url, self.options, self.say = url, instance_url, options, say
        self.service_options = service_options
        self.remote, self.poll = remote, poll
        self.passed = set()

    @property
    def is_wanted(self):
        return self.url is not None or self.instance_url is not None

    def of_instances(self, addresses, deadline):
        """Why an instance is not fit, None if all are. `addresses`: by instance id; each is checked only once."""
        if self.instance_url is None:
            return None
        for instance, address in sorted(addresses.items()):
            if instance in self.passed:
                continue
            url = self.instance_url.replace("{private_ip}", address).replace("{instance_id}", instance)
            what, arguments = f"{instance} at {url}", ["--direct", *self.options, url]
            run = functools.partial(self._there, instance) if self.remote else self._here
            if failure := self._ask(what, arguments, deadline, run):
                return failure
            self.passed.add(instance)
        return None

    def of_service(self, deadline):
        if self.url is None:
            return None
        return self._ask(f"the service at {self.url}", [*self.service_options, self.url], deadline, self._here)

    def _ask(self, what, arguments, deadline, run):
        seconds = deadline - time.monotonic()
        if seconds <= 0:
            return f"no time was left for the smoke test of {what}"
        try:
            status, text, errors, ending = run(arguments, seconds)
        except subprocess.TimeoutExpired:
            return f"the smoke test of {what} did not end within {seconds:.0f} s"
        except OSError as error:
            return f"the smoke test cannot run: {error}"
        except NotRun as reason:
            return f"the smoke test of {what} {reason}"
        lines = text.splitlines()
        for line in lines:
            if line.startswith("FAIL"):
                self.say(f"smoke {what}: {line}")
        if ending:
            return f"the smoke test of {what} {ending}"
        if status == 0:
            # A shell that ran something else, or nothing, may also exit with 0.
            summary = SUMMARY.fullmatch(lines[-1]) if lines else None
            if summary is None:
                return f"the smoke test of {what} ended without its result"
            self.say(f"smoke {what}: passed ({summary[1]})")
            return None
        if status == 1:
            return f"the smoke test of {what} failed"
        return f"the smoke test of {what} ended with {status}: {' '.join(errors.split())[-300:]}"

    @staticmethod
    def _here(arguments, seconds):
        """The result from exit status, both outputs, and any other ending."""
        run = subprocess.run(
            [PROGRAM, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
        )
        return run.returncode, run.stdout, run.stderr, ""

    def _there(self, instance, arguments, seconds):
        """The same for a run on the instance itself."""
        invocation = Invocation(self.remote, instance, self.poll, self.say)
        return invocation.run(PROGRAM.read_bytes(), arguments, seconds)
