"""The server under test, started by a counting tool."""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import time

START_SECONDS = 60
STOP_SECONDS = 30
# Upper bound of the work that follows the responses of an iteration (log lines, timers).
SETTLE_SECONDS = 0.1

SETTINGS = {
    "HOST": "127.0.0.1",
    "ENVIRONMENT": "cost",
    "INSTANCE_ID": "cost",
    # One event loop and one database connection: simultaneous requests form one batch on the only loop.
    "WORKERS": "1",
    "DB_POOL_MIN": "1",
    "DB_POOL_MAX": "1",
    "DRAIN_DELAY_MS": "0",
    # Gives dictionaries the same layout in every process.
    "SWIFT_DETERMINISTIC_HASHING": "1",
}
# Variables that a caller may set to measure their cost. Those of the database (DB_*) are passed too.
PASSED = ("PATH", "LOG_LEVEL", "ACCESS_LOG")


class ServerFailed(Exception):
    """The server did not start, did not stop, or ended unexpectedly. The text contains its output."""


class Server:
    """One process of the binary as a child of this one: `tool` must exec it, not fork it."""

    def __init__(self, tool, binary, directory):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        passed = {name: value for name, value in os.environ.items() if name.startswith("DB_") or name in PASSED}
        self.environment = {**passed, **SETTINGS, "PORT": str(self.port)}
        self.said = os.path.join(directory, "stderr")
        # The access log goes to a file, as in the other measurements.
        with open(os.path.join(directory, "stdout"), "wb") as log, open(self.said, "wb") as said:
            self.process = subprocess.Popen(
                [*tool, binary, "serve"], env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=said
            )

    def __enter__(self):
        try:
            self._wait_until_ready()
        except BaseException:
            self._kill()
            raise
        return self

    def __exit__(self, failure, *_):
        if failure:
            self._kill()
            return
        self.process.terminate()
        try:
            status = self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._kill()
            raise ServerFailed(f"nothing within {STOP_SECONDS} s of SIGTERM: {self._last_words()}") from None
        if status != 0:
            raise ServerFailed(f"the server ended with {status}: {self._last_words()}")

    def _wait_until_ready(self):
        deadline = time.monotonic() + START_SECONDS
        while not self._is_ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise ServerFailed(f"the server did not become ready: {self._last_words()}")
            time.sleep(0.1)

    def _is_ready(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=START_SECONDS)
        try:
            connection.request("GET", "/health/ready")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    @contextlib.contextmanager
    def stopped(self):
        """Stops all threads of the server for the duration of the block."""
        self.process.send_signal(signal.SIGSTOP)
        # With WNOWAIT an exit status remains for `wait` to collect.
        state = os.waitid(os.P_PID, self.process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        if state.si_code != os.CLD_STOPPED:
            raise ServerFailed(f"the server ended by itself: {self._last_words()}")
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def settle(self):
        """Waits for the work that follows the responses."""
        time.sleep(SETTLE_SECONDS)

    def _kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def _last_words(self):
        with open(self.said, errors="replace") as said:
            return said.read()[-2000:]
