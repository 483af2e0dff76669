"""Runs wrk, which sends the next request on a connection as soon as the previous one is answered."""

import dataclasses
import json
import os
import resource
import shutil
import subprocess

from .failure import Failure
from .program import ROOT
from .workload import Workload

SCRIPT = ROOT / "Benchmarks/load/load.lua"
# wrk counts a request as a timeout after this.
TIMEOUT_SECONDS = 8


@dataclasses.dataclass(frozen=True)
class Load:
    """The result of one run of wrk."""

    requests: int
    seconds: float
    p50_ms: float
    p90_ms: float
    p99_ms: float
    p999_ms: float
    max_ms: float
    refused: int  # responses other than 2xx
    socket_errors: int
    client_cpu_seconds: float = 0.0

    @property
    def rate(self):
        return (self.requests - self.refused) / self.seconds if self.seconds else 0.0


def parse(output):
    """Parses the line that load.lua prints into wrk's output."""
    for line in output.splitlines():
        if line.startswith("@@"):
            told = json.loads(line[2:])
            latencies = {f"{name}_ms": told[f"{name}_us"] / 1000 for name in ("p50", "p90", "p99", "p999", "max")}
            return Load(
                requests=told["requests"],
                seconds=told["microseconds"] / 1e6,
                refused=told["refused"],
                socket_errors=told["socket_errors"],
                **latencies,
            )
    raise Failure(f"wrk failed: {' '.join(output.split()[-30:]) or 'it said nothing'}")


def require():
    if not shutil.which("wrk"):
        raise Failure("wrk is not installed: apt-get install wrk")


def command(port, workload: Workload, connections, seconds):
    address = f"http://127.0.0.1:{port}{workload.path}"
    words = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", f"{TIMEOUT_SECONDS}s", "--latency"]
    return [*words, "-s", str(SCRIPT), address]


def start(port, workload, connections, seconds, rows):
    environment = {**os.environ, "BENCH_WORKLOAD": workload.name, "BENCH_ROWS": str(rows)}
    return subprocess.Popen(
        command(port, workload, connections, seconds),
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(wrk, seconds):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    try:
        output, _ = wrk.communicate(timeout=seconds + 30)
    except subprocess.TimeoutExpired:
        raise Failure(f"wrk did not end within {seconds + 30} s") from None
    finally:
        if wrk.poll() is None:
            wrk.kill()
            wrk.wait()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    client = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return dataclasses.replace(parse(output), client_cpu_seconds=client)


def run(port, workload, connections, seconds, rows):
    return finish(start(port, workload, connections, seconds, rows), seconds)
