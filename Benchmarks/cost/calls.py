"""System calls, counted in strace's trace of a server between two moments."""

import collections
import os
import re
import tempfile
import time

from lockstep import Lockstep
from server import Server, ServerFailed
from workload import WORKLOADS

TRACE_SECONDS = 10

# `PID SECONDS name(arguments) = result`, complete or resumed: each call has one line with its result.
CALL = re.compile(r"^(\d+) +(\d+\.\d+) (?:(\w+)\(|<\.\.\. (\w+) resumed>).*\) += (.*)$")
RESTARTED = re.compile(r"resuming interrupted (\w+)")
# The results of calls that stopping the process interrupts; they are repeated.
INTERRUPTED = re.compile(r"\? ERESTART|-1 EINTR")


def called(name, line):
    """The call's name; for a restarted call, that of the interrupted one."""
    resumed = RESTARTED.search(line) if name == "restart_syscall" else None
    return resumed[1] if resumed else name


def counted(trace, windows):
    """For each window (seconds since the epoch, from and to), how often each call ended in it, not interrupted."""
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
    """strace continues as an orphan; its last line is the server's end."""
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
    """System calls per request of each workload, by name."""
    windows, played = [], []
    with tempfile.TemporaryDirectory(prefix="items-cost.") as directory:
        path = os.path.join(directory, "trace")
        # -D: the server is this process's child and strace is not, so that this process sees the server stop.
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
    """The turn with the fewest calls of each workload, per request; `played` has workload and requests."""
    found = {}
    for (workload, requests), count in zip(played, counts):
        if workload not in found or count.total() / requests < sum(found[workload].values()):
            found[workload] = {call: number / requests for call, number in count.items()}
    return found
