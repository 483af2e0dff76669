"""Counts system calls in strace's trace of a server between two points in time."""

import collections
import os
import re
import tempfile
import time

from lockstep import Lockstep
from server import Server, ServerFailed
from workload import WORKLOADS

TRACE_SECONDS = 10

# Matches `PID SECONDS name(arguments) = result`, complete or resumed: each call has exactly one line with its result.
CALL = re.compile(r"^(\d+) +(\d+\.\d+) (?:(\w+)\(|<\.\.\. (\w+) resumed>).*\) += (.*)$")
RESTARTED = re.compile(r"resuming interrupted (\w+)")
# Results of calls interrupted by stopping the process. The process repeats these calls.
INTERRUPTED = re.compile(r"\? ERESTART|-1 EINTR")


def called(name, line):
    """Returns the name of the call; for a restarted call, the name of the interrupted one."""
    resumed = RESTARTED.search(line) if name == "restart_syscall" else None
    return resumed[1] if resumed else name


def counted(trace, windows):
    """Returns for each window (from, to; seconds since the epoch) how often each call completed in it."""
    counts = [collections.Counter() for _ in windows]
    for line in trace:
        call = CALL.match(line)
        if not call or INTERRUPTED.match(call[5]):
            continue
        moment = float(call[2])
        for count, (start, end) in zip(counts, windows):
            if start <= moment <= end:
                count[called(call[3] or call[4], line)] += 1
    return counts


def wait_for_trace(path, pid):
    """Waits for the trace's last line, which reports the server's exit. strace is an orphan, so it
    cannot be waited for."""
    deadline = time.monotonic() + TRACE_SECONDS
    while True:
        with open(path, errors="replace") as trace:
            lines = trace.readlines()
        if lines and re.match(rf"{pid} .*\+\+\+ (exited|killed)", lines[-1]):
            return lines
        if time.monotonic() > deadline:
            raise ServerFailed("strace did not finish its trace")
        time.sleep(0.05)


def measure(binary, workloads, load):
    """Returns system calls per request of each workload, by name."""
    windows, played = [], []
    with tempfile.TemporaryDirectory(prefix="items-cost.") as directory:
        path = os.path.join(directory, "trace")
        # -D makes the server, and not strace, the child of this process, so that this process is notified of its stops.
        server = Server(["strace", "-D", "-f", "-ttt", "-o", path], binary, directory)
        with server, Lockstep(server, load.connections) as clients:
            for workload in load.order(workloads):
                clients.play(WORKLOADS[workload], load.warm_up)
                server.settle()
                start = time.time()
                played.append((workload, clients.play(WORKLOADS[workload], load.rounds)))
                server.settle()
                windows.append((start, time.time()))
        counts = counted(wait_for_trace(path, server.process.pid), windows)
    return lowest(played, counts)


def lowest(played, counts):
    """Returns calls per request of the turn with the fewest calls, for each workload. `played` lists
    (workload, requests)."""
    found = {}
    for (workload, requests), count in zip(played, counts):
        if workload not in found or count.total() / requests < sum(found[workload].values()):
            found[workload] = {call: number / requests for call, number in count.items()}
    return found
