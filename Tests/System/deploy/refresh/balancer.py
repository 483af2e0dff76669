"""HAProxy in the part of an Application Load Balancer.

What is the same: a target is asked `GET /health` on a connection of its own, two failures take it out; a new one gets
its first request after a check has passed; a deregistered one gets no new request, keeps those it has for the
deregistration delay, and is gone then; connections to targets are kept and shared by all clients; /metrics and /db are
hidden; nothing is sent twice. With `redispatch`, a request goes to another target when its own refuses the connection.
The intervals are shorter: 0.5 s instead of 30 s.
"""

import contextlib
import csv
import io
import pathlib
import re
import socket
import subprocess

from support.ports import free_port
from support.waiting import until

CHECK_SECONDS = 0.5
FAILURES_TO_FALL = 2
REGISTER_SECONDS = 20
REMOVE_SECONDS = 20
COMMAND_SECONDS = 5
LOGGED = re.compile(r" clients targets/\S+ \S+ (-1|\d{3}) \d+ - - (\S{4}) ")

CONFIGURATION = """
global
    stats socket {socket} mode 600 level admin
    log stdout format raw local0
    nbthread 1
    maxconn 4000
    hard-stop-after 5s

defaults
    mode http
    log global
    option httplog
    option dontlog-normal
    timeout connect 10s
    timeout client 60s
    timeout server 60s
    timeout http-keep-alive 60s
    timeout check 5s
    {retries}

frontend clients
    bind 127.0.0.1:{port}
    http-request set-header X-Forwarded-Proto http
    http-request return status 404 if {{ path /metrics /db }}
    option forwardfor
    {rules}
    default_backend targets

backend frontend
    {frontend}

backend targets
    balance roundrobin
    http-reuse always
    option httpchk
    http-check send meth GET uri /health ver HTTP/1.1 hdr Host target hdr User-Agent ELB-HealthChecker/2.0
    http-check expect status 200
"""


def expression(pattern):
    """The regular expression of a listener rule's path pattern: * is any characters, ? is one, and case matters."""
    parts = (".*" if letter == "*" else "." if letter == "?" else re.escape(letter) for letter in pattern)
    return f"^{''.join(parts)}$"


class Balancer:
    """`rules`: path patterns and the backend of each, `targets` or `frontend`; the first that matches decides. `frontend`:
    address and port of the second container's stand-in.
    """

    def __init__(self, directory, redispatch=False, rules=(), frontend=None):
        directory = pathlib.Path(directory)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.socket = str(directory / "haproxy.sock")
        self.log = directory / "haproxy.log"
        configuration = directory / "haproxy.cfg"
        retries = "retries 1\n    retry-on conn-failure\n    option redispatch 1" if redispatch else "retries 0"
        rules = "\n    ".join(f"use_backend {name} if {{ path -m reg '{expression(path)}' }}" for path, name in rules)
        server = f"server frontend {frontend}" if frontend else ""
        configuration.write_text(
            CONFIGURATION.format(socket=self.socket, port=self.port, retries=retries, rules=rules, frontend=server)
        )
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                ["haproxy", "-db", "-f", configuration], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        until(self._answers, what="HAProxy to serve")

    def _answers(self):
        assert self.process.poll() is None, self.log.read_text()
        with contextlib.suppress(OSError):
            return self.command("show info")

    def command(self, line):
        """The answer to a command of the runtime API."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(COMMAND_SECONDS)
            connection.connect(self.socket)
            connection.sendall(line.encode() + b"\n")
            answer = b""
            while piece := connection.recv(65536):
                answer += piece
        return answer.decode().strip()

    def statistics(self, name):
        """HAProxy's row about one target, None when it is not registered."""
        text = self.command("show stat").removeprefix("# ")
        for row in csv.DictReader(io.StringIO(text)):
            if row["pxname"] == "targets" and row["svname"] == name:
                return row
        return None

    def is_healthy(self, name):
        row = self.statistics(name)
        return row is not None and row["check_status"].startswith("L7OK")

    def add(self, name, address, port):
        """The target's checks begin; it gets no request before `enter`."""
        interval = f"inter {int(CHECK_SECONDS * 1000)}ms rise 1 fall {FAILURES_TO_FALL}"
        answer = self.command(f"add server targets/{name} {address}:{port} check {interval}")
        assert "New server registered" in answer, answer
        self.command(f"set server targets/{name} state drain; enable health targets/{name}")

    def enter(self, name):
        self.command(f"set server targets/{name} state ready")
        until(lambda: self.statistics(name)["status"].startswith("UP"), what=f"{name} to be up")

    def register(self, name, address, port, seconds=REGISTER_SECONDS):
        self.add(name, address, port)
        until(lambda: self.is_healthy(name), seconds, what=f"{name} to be healthy")
        self.enter(name)

    def drain(self, name):
        self.command(f"set server targets/{name} state drain")

    def remove(self, name):
        """Forgets a target; what it still has of connections is cut."""
        self.command(f"set server targets/{name} state maint; shutdown sessions server targets/{name}")

        def gone():
            return "Server deleted" in self.command(f"del server targets/{name}") or self.statistics(name) is None

        until(gone, REMOVE_SECONDS, what=f"{name} to be removed")

    def most_connections(self, name):
        """How many connections to a target were in use at once, at most."""
        return int(self.statistics(name)["smax"])

    def failures(self):
        """Status and termination flags of each request that failed, as its log has them.

        The status is -1 when it closed the client's connection without an answer: what it does when a connection to a
        target that was kept breaks under a later request of a client.
        """
        found = (LOGGED.search(line) for line in self.log.read_text().splitlines())
        return [match.groups() for match in found if match and not "200" <= match[1] < "500"]

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
