"""The client of Benchmarks/load/pace.c: requests at a fixed rate, and the lateness of their answers."""

import dataclasses
import json
import subprocess

from .failure import Failure
from .program import ROOT

SOURCE = ROOT / "Benchmarks/load/pace.c"
BINARY = ROOT / "Benchmarks/load/pace"
# The client's own lateness: above this, a run says more about the machine than about the server.
LATE_MS = 1.0


@dataclasses.dataclass(frozen=True)
class Pace:
    """Latencies are measured from when a request was due. In a stall answers came more than 20 ms late."""

    due: int
    answered: int
    refused: int
    seconds: float
    p50_ms: float
    p99_ms: float
    p999_ms: float
    max_ms: float
    slow: int  # answers that were more than 20 ms late
    stalls: int
    late_p99_ms: float  # how late the client itself sent what it could have sent in time
    late_max_ms: float
    client_cpu_seconds: float

    @property
    def is_void(self):
        return self.refused > 0 or self.answered < self.due

    @property
    def is_late(self):
        return self.late_p99_ms > LATE_MS


def build():
    """Compiles the client unless it is newer than its source."""
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
    """Calls back with the client's pid about once a second while it runs."""
    words = [str(value) for value in (BINARY, port, rate, connections, seconds, rows)]
    client = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        # It ends by itself two seconds after the last request was due.
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
