"""The two programs of deploy/, run as a person runs them."""

import contextlib
import io
import os
import signal
import subprocess
import sys
from unittest import mock

from cloud import GROUP, IMAGE, REGION
from instance_refresh.command import main

from support.project import ROOT

DEPLOY = ROOT / "deploy"
RUN_SECONDS = 120


class Run:
    def __init__(self, process):
        self.status, self.text, self.errors = process.returncode, process.stdout, process.stderr
        self.lines = self.text.splitlines()

    def failed(self):
        """The checks of deploy/smoke that failed, by their names."""
        return [line[5:].rpartition(": got ")[0] for line in self.lines if line.startswith("FAIL ")]


def environment(url):
    return {
        "PATH": os.environ["PATH"],
        "AWS_ENDPOINT_URL": url,
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_EC2_METADATA_DISABLED": "true",
        "HOME": "/nonexistent",
    }


def command(*options, image="two"):
    """deploy/refresh with intervals for a test; options may be given again, the last one counts."""
    words = [sys.executable, DEPLOY / "refresh", "--group", GROUP, "--image", IMAGE.format(image), "--version", image]
    words += ["--smoke", "none", "--poll", "0.05", "--checkpoint-delay", "1", "--bake", "1", "--timeout", "60"]
    if "--checkpoint-delay" not in options:
        words += ["--checkpoint", "100"]  # nothing to wait for
    return [*map(str, words), *map(str, options)]


def service_command(*options, image="two"):
    """The same for a service."""
    words = [sys.executable, DEPLOY / "refresh", "--service", "items-test/items", "--image", IMAGE.format(image)]
    words += ["--smoke", "none", "--poll", "0.05", "--timeout", "60"]
    return [*map(str, words), *map(str, options)]


def refresh(cloud, *options, env=None, **named):
    return run_words(cloud, command(*options, **named), env)


def run_words(cloud, words, env=None):
    return Run(
        subprocess.run(
            words, env={**environment(cloud.url), **(env or {})}, capture_output=True, text=True, timeout=RUN_SECONDS
        )
    )


def run_here(cloud, words):
    """The same in this process, which saves the start of a program: for tests that send it no signal."""
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    text, errors = io.StringIO(), io.StringIO()
    try:
        with mock.patch.dict(os.environ, environment(cloud.url), clear=True):
            with contextlib.redirect_stdout(text), contextlib.redirect_stderr(errors):
                status = main(words[2:])
    except SystemExit as end:  # a bad command line
        status = end.code
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for number, handler in handlers.items():
            signal.signal(number, handler)
    return Run(subprocess.CompletedProcess([], status, text.getvalue(), errors.getvalue()))


class Refreshing:
    """deploy/refresh in the background; `form` makes its command line."""

    def __init__(self, cloud, *options, form=command, **named):
        self.process = subprocess.Popen(
            form(*options, **named),
            env=environment(cloud.url),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def interrupt(self, number=signal.SIGINT):
        self.process.send_signal(number)

    def wait(self, seconds=RUN_SECONDS):
        try:
            text, errors = self.process.communicate(timeout=seconds)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
        return Run(subprocess.CompletedProcess([], self.process.returncode, text, errors))


def smoke(*words, env=None):
    return Run(
        subprocess.run(
            [DEPLOY / "smoke", *map(str, words)],
            env={"PATH": os.environ["PATH"], **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS,
        )
    )
