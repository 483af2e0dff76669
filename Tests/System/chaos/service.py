"""The service under test: one process of the release binary."""

import collections
import contextlib
import json
import os
import pathlib
import signal
import subprocess
import urllib.request

from support.ports import free_port
from support.project import BINARY
from support.waiting import WaitedInVain, until

POOL_MAX = 10
# Shorter than the defaults, so that a run is short, but in the same order.
LIMITS = {
    "REQUEST_TIMEOUT_MS": "4000",
    "DB_STATEMENT_TIMEOUT_MS": "1500",
    "DB_POOL_TIMEOUT_MS": "1000",
    "DB_CONNECT_TIMEOUT_MS": "2000",
    "DB_POOL_MIN": "2",
    "DB_POOL_MAX": str(POOL_MAX),
}

class NeverHealthy(Exception):
    """The service ended, or was not healthy in time, although nothing was broken."""


class Service:
    def __init__(self, directory, environment, hosts=None):
        """`hosts` is mounted as the service's /etc/hosts; its content may change, but the file must not be replaced."""
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOST": "127.0.0.1",
            "PORT": str(self.port),
            "ENVIRONMENT": "chaos",
            "INSTANCE_ID": "chaos",
            "WORKERS": "2",
            "DRAIN_DELAY_MS": "0",
            "DRAIN_TIMEOUT_MS": "5000",
            **LIMITS,
            **environment,
        }
        self.log = pathlib.Path(directory) / f"service-{self.port}.log"
        command = [BINARY, "serve"]
        if hosts:
            mount = 'mount --bind "$0" /etc/hosts && exec "$@"'
            command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", mount, hosts, *command]
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                command, env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )

    @property
    def pid(self):
        return self.process.pid

    def get(self, path, timeout=5):
        with urllib.request.urlopen(self.url + path, timeout=timeout) as response:
            return response.status, response.read()

    def wait_until_healthy(self, seconds=10):
        def said():
            return [line for line in self.lines() if "response_time_ms" not in line][-5:]

        def healthy():
            if self.process.poll() is not None:
                raise NeverHealthy(f"it ended with {self.process.returncode}: {said()}")
            with contextlib.suppress(OSError):
                return self.get("/health")[0] == 200

        try:
            until(healthy, seconds, what="the service to be healthy", interval=0.02)
        except WaitedInVain:
            raise NeverHealthy(f"not within {seconds} s: {said()}") from None
        return self

    def threads(self):
        return len(os.listdir(f"/proc/{self.pid}/task"))

    def resident_mebibytes(self):
        for line in pathlib.Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        return 0.0

    def descriptors(self, ports):
        """Counts the process's descriptors by kind: connections to one of these ports, to clients, and so on.

        `database` counts each connection to the database once; `duplicate` counts further descriptors
        of the same socket.
        """
        names = {"01": "established", "08": "half-closed", "0A": "listening"}
        peers = {}
        for line in pathlib.Path(f"/proc/{self.pid}/net/tcp").read_text().splitlines()[1:]:
            fields = line.split()
            if int(fields[2].split(":")[1], 16) in ports:
                # Established or being established; half-closed ones are about to be closed.
                peers[fields[9]] = "database" if fields[3] in ("01", "02") else "database gone"
            else:
                peers[fields[9]] = names.get(fields[3], fields[3])
        counts, seen = collections.Counter(), set()
        for number in os.listdir(f"/proc/{self.pid}/fd"):
            with contextlib.suppress(OSError):
                target = os.readlink(f"/proc/{self.pid}/fd/{number}")
                if target.startswith("socket:["):
                    kind = peers.get(target[8:-1], "no longer connected")
                    if kind == "database" and target in seen:
                        kind = "duplicate"
                    seen.add(target)
                else:
                    kind = target.split(":[")[0] if ":[" in target else "file"
                counts[kind] += 1
        return counts

    def log_size(self):
        return self.log.stat().st_size

    def lines(self, start=0):
        """Yields every log line from byte `start` on, parsed; a line that is not JSON becomes an entry
        of level CRITICAL."""
        with open(self.log, encoding="utf-8", errors="replace") as file:
            file.seek(start)
            for line in file:
                try:
                    yield json.loads(line)
                except ValueError:
                    yield {"level": "CRITICAL", "msg": line.strip()}

    def exit_status(self):
        """Returns None while it runs."""
        return self.process.poll()

    def stop(self):
        """Sends SIGTERM and returns the exit status, or None if it had to be killed."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                return None
        return self.process.returncode
