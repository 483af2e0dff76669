"""Runs `deploy/smoke` against what is new."""

import pathlib
import subprocess
import time

PROGRAM = pathlib.Path(__file__).resolve().parents[1] / "smoke"


class Smoke:
    """`url`: the service behind the balancer. `instance_url`: a pattern with {private_ip} or {instance_id}.

    None for either leaves it out. `say` is told of each failed check and each result.
    """

    def __init__(self, url, instance_url, options, say):
        self.url, self.instance_url, self.options, self.say = url, instance_url, options, say
        self.passed = set()

    @property
    def is_wanted(self):
        return self.url is not None or self.instance_url is not None

    def of_instances(self, addresses, deadline):
        """Why an instance is not fit, None when all are. `addresses`: by instance id; each is asked once, ever."""
        if self.instance_url is None:
            return None
        for instance, address in sorted(addresses.items()):
            if instance in self.passed:
                continue
            url = self.instance_url.replace("{private_ip}", address).replace("{instance_id}", instance)
            if failure := self._run(f"{instance} at {url}", ["--direct", *self.options, url], deadline):
                return failure
            self.passed.add(instance)
        return None

    def of_service(self, deadline):
        return self._run(f"the service at {self.url}", [self.url], deadline) if self.url else None

    def _run(self, what, arguments, deadline):
        seconds = deadline - time.monotonic()
        if seconds <= 0:
            return f"no time was left for the smoke test of {what}"
        try:
            run = subprocess.run(
                [PROGRAM, *arguments],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=seconds,
            )
        except subprocess.TimeoutExpired:
            return f"the smoke test of {what} did not end within {seconds:.0f} s"
        except OSError as error:
            return f"the smoke test cannot run: {error}"
        lines = run.stdout.splitlines()
        for line in lines:
            if line.startswith("FAIL"):
                self.say(f"smoke {what}: {line}")
        if run.returncode == 0:
            self.say(f"smoke {what}: passed ({lines[-1].removeprefix('smoke: ')})")
            return None
        if run.returncode == 1:
            return f"the smoke test of {what} failed"
        return f"the smoke test of {what} ended with {run.returncode}: {' '.join(run.stderr.split())[-300:]}"
