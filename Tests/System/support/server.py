"""One process of a service, and checks of its responses."""

import json
import os
import signal
import subprocess
import tempfile
import threading

import pytest
import requests

from support.ports import free_port
from support.project import BINARY
from support.waiting import until

# The shell execs the server, so `$$` is the server's pid.
PASSING = 'exec 3<&0 </dev/null; export LISTEN_FDS=1 LISTEN_PID="${LISTEN_PID-$$}"; exec "$0" "$@"'
STOP_SECONDS = 30
START_SECONDS = 20


def problem(response, status):
    """Asserts that a response is the contract's problem+json with this status, and returns its body."""
    assert response.status_code == status, response.text
    assert response.headers["Content-Type"].split(";")[0] == "application/problem+json"
    body = response.json()
    assert {"type", "title", "status", "detail", "instance", "request_id"} <= body.keys(), body
    assert body["status"] == status and body["title"] and body["detail"]
    assert body["request_id"] == response.headers["X-Request-Id"]
    return body


class Server:
    """One `items serve` on a free port of 127.0.0.1; collects its log lines."""

    binary = BINARY

    def __init__(self, environment, command="serve", group=None, listener=None, output=None, wrapper=()):
        """`listener` is passed as descriptor 3, as a service manager does (sd_listen_fds(3)). `output` is a file that
        receives the log; then `lines` stays empty."""
        self.port = listener.getsockname()[1] if listener else free_port()
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOST": "127.0.0.1",
            "PORT": str(self.port),
            "ENVIRONMENT": "test",
            "INSTANCE_ID": "i-0123456789abcdef0",
            "WORKERS": "2",
            "DRAIN_DELAY_MS": "0",
            **environment,
        }
        self.environment = {name: value for name, value in self.environment.items() if value is not None}
        self.port = int(self.environment["PORT"])
        self.url = f"http://127.0.0.1:{self.port}"
        self.lines = []
        self.awaited = False
        self.stderr = tempfile.TemporaryFile()
        arguments = [*wrapper, self.binary, command]
        if listener:
            arguments = ["/bin/sh", "-c", PASSING, *arguments]
        # The server waits until it has been added to its group.
        if group:
            arguments = ["/bin/sh", "-c", 'read -r go && exec "$@" </dev/null', "sh", *arguments]
        self.process = subprocess.Popen(
            arguments,
            env=self.environment,
            stdin=subprocess.PIPE if group else listener or subprocess.DEVNULL,
            stdout=output or subprocess.PIPE,
            stderr=self.stderr,
        )
        if group:
            group.add(self.process.pid)
            self.process.stdin.write(b"go\n")
            self.process.stdin.close()
        self.paused = threading.Event()  # while cleared, the server's output is not read
        self.paused.set()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout or []:
            self.lines.append(line)
            self.paused.wait()

    def errors(self):
        self.stderr.seek(0)
        return self.stderr.read().decode(errors="replace")

    def wait_until_live(self):
        live_url = self.url + self.environment.get("BASE_PATH", "") + "/health/live"

        def live():
            assert self.process.poll() is None, f"ended with {self.process.returncode}: {self.errors()}"
            try:
                return requests.get(live_url, timeout=5).status_code == 200
            except requests.ConnectionError:
                return False

        until(live, START_SECONDS, what="the server to listen")
        return self

    def wait_until_healthy(self):
        self.wait_until_live()
        until(lambda: self.get("/health").status_code == 200, START_SECONDS, what="the server to be healthy")
        return self

    def request(self, method, path, **options):
        options.setdefault("timeout", 20)
        return requests.request(method, self.url + path, **options)

    def get(self, path, **options):
        return self.request("GET", path, **options)

    def post(self, path, **options):
        return self.request("POST", path, **options)

    def create(self, name, description=None):
        response = self.post("/api/items", json={"name": name, "description": description})
        assert response.status_code == 201, response.text
        return response.json()

    def logs(self):
        """Returns all lines so far, parsed."""
        return [json.loads(line) for line in list(self.lines)]

    def access_logs(self, **expected):
        """Returns the access log lines with these values."""
        found = [line for line in self.logs() if "response_time_ms" in line]
        return [line for line in found if all(line.get(name) == value for name, value in expected.items())]

    def wait_for_access_log(self, **expected):
        return until(lambda: self.access_logs(**expected), 5, what=f"a log line with {expected}")[0]

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, seconds=STOP_SECONDS):
        """Waits until the process has ended and all its lines are read; returns the exit status."""
        self.awaited = True
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            pytest.fail(f"did not stop within {seconds} s")
        self.reader.join(5)
        return status

    def stop(self):
        if self.awaited:
            return
        assert self.process.poll() is None, f"ended by itself with {self.process.returncode}: {self.errors()}"
        self.signal(signal.SIGTERM)
        status = self.wait()
        assert status == 0, f"exit status {status} after SIGTERM: {self.errors()}"


def items(*arguments, wrapper=(), **environment):
    """Runs a command of the binary, started by `wrapper` if given, until it exits."""
    environment = {"PATH": os.environ["PATH"], **environment}
    return subprocess.run([*wrapper, BINARY, *arguments], env=environment, capture_output=True, text=True, timeout=30)


def stop_all(servers):
    failures = []
    for server in servers:
        try:
            server.stop()
        except BaseException as failure:  # the other servers must be stopped as well
            failures.append(failure)
        finally:
            if server.process.poll() is None:
                server.process.kill()
                server.process.wait()
            server.reader.join(5)
            server.process.stdout.close()
            server.stderr.close()
    if failures:
        raise failures[0]
