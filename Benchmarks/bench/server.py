"""One process of a program under test: started, checked, monitored and stopped."""

import contextlib
import http.client
import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time

from . import process
from .failure import Failure
from .program import ROOT

START_SECONDS = 20
ASK_SECONDS = 10


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Server:
    """A context manager. Stops the process and deletes its access log at the end of the block."""

    def __init__(self, program, cluster, port=None):
        """Uses a free port unless `port` is given."""
        self.program, self.port = program, port or free_port()
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="items-bench."))
        self.log, self.complaints = self.directory / "log", self.directory / "complaints"
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOST": "127.0.0.1",
            "PORT": str(self.port),
            "RUN_DIRECTORY": str(self.directory),
            **cluster.environment,
            **program.environment,
        }
        self.process = None
        self.start_seconds = None  # from exec to the first correct response

    def __enter__(self):
        try:
            with open(self.log, "ab") as log, open(self.complaints, "ab") as complaints:
                began = time.monotonic()
                self.process = subprocess.Popen(
                    self.program.command,
                    cwd=ROOT,
                    env=self.environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=complaints,
                    # Ctrl-C at the terminal interrupts this program only, which then stops the server.
                    start_new_session=True,
                )
            self.wait_until_ready(began)
        except OSError as error:
            self.stop()
            raise Failure(f"{self.program.name} cannot be started: {error}") from None
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def wait_until_ready(self, began):
        while time.monotonic() - began < START_SECONDS:
            if self.process.poll() is not None:
                raise Failure(f"{self.program.name} ended with {self.process.returncode}: {self.last_words()}")
            with contextlib.suppress(OSError, http.client.HTTPException):
                if self.ask("GET", self.program.ready_path)[0] == 200:
                    self.start_seconds = time.monotonic() - began
                    return
            time.sleep(0.001)
        raise Failure(f"{self.program.name} was not ready within {START_SECONDS} s: {self.last_words()}")

    @property
    def pid(self):
        return self.process.pid

    def ask(self, method, path, value=None):
        """Returns status and body, on a separate connection."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=ASK_SECONDS)
        body, fields = None, {}
        if value is not None:
            body, fields = json.dumps(value), {"Content-Type": "application/json"}
        try:
            connection.request(method, path, body, fields)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def check(self, workload):
        """Fails unless the program answers the workload's request correctly."""
        try:
            fault = workload.fault(*self.ask(workload.method, workload.path, workload.body))
        except (OSError, http.client.HTTPException) as error:
            fault = f"{workload.method} {workload.path}: {error!r}"
        if fault:
            raise Failure(f"{self.program.name}: {fault}")

    def empty_log(self):
        """Truncates the log. The server opened it for appending, so it continues at the new end."""
        os.truncate(self.log, 0)

    def last_words(self):
        lines = (self.complaints.read_text(errors="replace") or self.log.read_text(errors="replace")).splitlines()
        return lines[-1] if lines else "it said nothing"

    def cpu_seconds(self):
        return process.cpu_seconds(self.pid)

    def memory(self):
        return process.memory(self.pid)

    def stop(self):
        try:
            if self.process:
                process.stop(self.process)
        finally:
            shutil.rmtree(self.directory, ignore_errors=True)
