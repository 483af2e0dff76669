"""The server under test, and measurements of its process."""

import collections
import dataclasses
import http.client
import json
import os
import re
import socket
import subprocess
import tempfile
import threading
import time

# Statuses that an unknown method, transfer coding or version of a request causes.
CLIENTS_OWN_FAULTS = (501, 505)


@dataclasses.dataclass(frozen=True)
class Measured:
    resident_kib: int
    descriptors: int
    threads: int


class Service:
    """One server on a free port, with short timeouts; checks its log lines."""

    def __init__(self, binary, environment):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        settings = {
            "HOST": "127.0.0.1",
            "PORT": str(self.port),
            "ENVIRONMENT": "soak",
            "INSTANCE_ID": "soak",
            "WORKERS": "2",
            "DRAIN_DELAY_MS": "0",
            "DRAIN_TIMEOUT_MS": "5000",
            "HEADER_TIMEOUT_MS": "1000",
            "BODY_TIMEOUT_MS": "1000",
            "WRITE_TIMEOUT_MS": "1000",
            "KEEPALIVE_TIMEOUT_MS": "10000",
            # Fixed size: otherwise changes of the pool would change the number of descriptors.
            "DB_POOL_MIN": "4",
            "DB_POOL_MAX": "4",
        }
        passed = {name: value for name, value in environment.items() if name.startswith("DB_") or name == "PATH"}
        self.lines, self.statuses, self.log_faults = collections.Counter(), collections.Counter(), []
        self.stderr = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [binary, "serve"],
            env={**passed, **settings},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self.stderr,
        )
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            try:
                entry = json.loads(line)
            except ValueError:
                self.log_faults.append(f"a log line is no JSON: {line[:300]!r}")
                continue
            if len(line) > 8192:
                self.log_faults.append(f"a log line of {len(line)} bytes")
            self.lines[entry.get("level"), entry.get("msg")] += 1
            status = entry.get("status", 0)
            if status:
                self.statuses[status] += 1
            if entry.get("level") in ("ERROR", "CRITICAL") and status not in CLIENTS_OWN_FAULTS:
                self.log_faults.append(f"the log says {line[:500].decode(errors='replace').strip()}")

    def get(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def wait_until_healthy(self, seconds=30):
        deadline = time.monotonic() + seconds
        while True:
            try:
                if self.get("/health")[0] == 200 and json.loads(self.get("/db")[1])["pool"]["open"] == 4:
                    return
            except OSError:
                pass
            if not self.is_running() or time.monotonic() > deadline:
                raise SystemExit(f"the server did not become healthy: {self.errors()} {dict(self.lines)}")
            time.sleep(0.05)

    def create(self, count):
        """Creates items that no client uses."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        for number in range(count):
            fields = {"Content-Type": "application/json"}
            connection.request("POST", "/api/items", json.dumps({"name": f"Nobody's {number}"}), fields)
            connection.getresponse().read()
        connection.close()

    def is_running(self):
        return self.process.poll() is None

    def measure(self):
        with open(f"/proc/{self.process.pid}/status") as status:
            text = status.read()
        resident = re.search(r"VmRSS:\s+(\d+) kB", text)
        threads = re.search(r"Threads:\s+(\d+)", text)
        descriptors = len(os.listdir(f"/proc/{self.process.pid}/fd"))
        return Measured(int(resident[1]) if resident else 0, descriptors, int(threads[1]))

    def measure_settled(self, descriptors, seconds):
        """Returns `measure` when at most `descriptors` descriptors are open, or after `seconds`: the server closes the
        connection of a metrics request shortly after the response."""
        deadline = time.monotonic() + seconds
        while (measured := self.measure()).descriptors > descriptors and time.monotonic() < deadline:
            time.sleep(0.05)
        return measured

    def sample(self, name):
        """Returns the sum of a metric's samples."""
        values = re.findall(rf"^{name}(?:\{{.*\}})? (\S+)$", self.get("/metrics")[1], re.MULTILINE)
        return sum(map(float, values))

    def wait_until_alone(self, seconds):
        """Returns whether the caller becomes the only client within `seconds`."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if (self.sample("http_connections_open"), self.sample("http_requests_in_flight")) == (1, 1):
                return True
            time.sleep(0.05)
        return False

    def stop(self, seconds):
        """Returns the exit status after SIGTERM, or a description of the timeout."""
        if self.is_running():
            self.process.terminate()
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return f"nothing within {seconds} s of SIGTERM"
        self.reader.join(5)
        return status

    def kill(self):
        if self.is_running():
            self.process.kill()
            self.process.wait()

    def errors(self):
        self.stderr.seek(0)
        return self.stderr.read().decode(errors="replace")
