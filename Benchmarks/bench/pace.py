"""Runs Benchmarks/load/pace.c, which sends requests at a fixed rate and measures how late the responses are."""

import dataclasses
import json
import subprocess

from .failure import Failure
from .program import ROOT

SOURCE = ROOT / "Benchmarks/load/pace.c"
BINARY = ROOT / "Benchmarks/load/pace"
# If the client itself is later than this, the figures describe the machine and not the server.
LATE_MS = 1.0


@dataclasses.dataclass(frozen=True)
class Pace:
    """Latencies are measured from the time a request was due. A stall is a period in which responses
    are over 20 ms late."""

    due: int
    answered: int
    refused: int
    seconds: float
    p50_ms: float
    p99_ms: float
    p999_ms: float
    max_ms: float
    slow: int  # responses that were more than 20 ms late
    stalls: int
    late_p99_ms: float  # how late the client sent a request although it had a free connection
    late_max_ms: float
    client_cpu_seconds: float

    @property
    def is_void(self):
        return self.refused > 0 or self.answered < self.due

    @property
    def is_late(self):
        return self.late_p99_ms > LATE_MS


def build():
    """Compiles the client unless its binary is newer than its source."""
    if BINARY.exists() and BINARY.stat().st_mtime >= SOURCE.stat().st_mtime:
        return
    words = ["cc", "-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-o", str(BINARY), str(SOURCE)]
    try:
        done = subprocess.run(words, capture_output=True, text=True)
    except FileNotFoundError:
        raise Failure("the paced client needs a C compiler: apt-get install gcc libc6-dev") from None
    if done.returncode:
        raise Failure(f"the paced client was not built: {done.stderr.strip()}")


def parse(output):
    try:
        return Pace(**json.loads(output))
    except (ValueError, TypeError):
        raise Failure(f"the paced client failed: {output.strip() or 'it said nothing'}") from None


def run(port, rate, connections, seconds, rows, every_second=lambda client: None):
    """Runs the client and returns its result. Calls `every_second` with its pid about once a second meanwhile."""
    words = [str(value) for value in (BINARY, port, rate, connections, seconds, rows)]
    client = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        # The client ends by itself two seconds after the last request was due.
        for _ in range(int(seconds) + 30):
            try:
                output, _ = client.communicate(timeout=1)
                return parse(output)
            except subprocess.TimeoutExpired:
                every_second(client.pid)
        raise Failure("the paced client did not end")
    finally:
        if client.poll() is None:
            client.kill()
        client.wait()
