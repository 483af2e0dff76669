"""Reads CPU time and memory of a process tree from /proc, and stops it."""

import contextlib
import dataclasses
import os
import pathlib
import signal
import subprocess
import time

TICKS = os.sysconf("SC_CLK_TCK")
STOP_SECONDS = 10


@dataclasses.dataclass(frozen=True)
class Memory:
    """In KiB. A page shared by several processes counts fully for each in `resident`, and divided in `proportional`."""

    resident: int
    proportional: int


def fields(pid):
    """Returns the fields of /proc/PID/stat after the name, which may contain spaces and brackets. None if
    the process ended."""
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return None
    return text[text.rindex(")") + 2 :].split()


def tree(root):
    """Returns the pids of the process and its descendants."""
    children = {}
    for name in os.listdir("/proc"):
        if name.isdigit() and (found := fields(name)):
            children.setdefault(int(found[1]), []).append(int(name))
    pids, left = [], [root]
    while left:
        pid = left.pop()
        pids.append(pid)
        left += children.get(pid, [])
    return pids


def cpu_seconds(root):
    """Returns user and system time of the process tree, including terminated children it has waited for."""
    return cpu_seconds_of(tree(root))


def cpu_seconds_of(pids):
    """Returns the same for these pids only: reads one file per pid instead of all of /proc."""
    ticks = 0
    for pid in pids:
        if found := fields(pid):
            ticks += sum(int(value) for value in found[11:15])
    return ticks / TICKS


def memory(root):
    totals = {"Rss:": 0, "Pss:": 0}
    for pid in tree(root):
        with contextlib.suppress(OSError):
            for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                name, *rest = line.split()
                if name in totals:
                    totals[name] += int(rest[0])
    return Memory(totals["Rss:"], totals["Pss:"])


def machine_seconds():
    """Returns the CPU time used by all cores together since boot."""
    with open("/proc/stat") as file:
        user, nice, system, _, _, irq, softirq, steal = (int(value) for value in file.readline().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / TICKS


def stop(process):
    """Sends SIGTERM to a session leader, and after STOP_SECONDS sends SIGKILL to the rest of its session."""
    pids = tree(process.pid)
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(STOP_SECONDS)
    deadline = time.monotonic() + STOP_SECONDS
    while (left := [pid for pid in pids if is_in_session(pid, process.pid)]) and time.monotonic() < deadline:
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.poll()
        time.sleep(0.01)
    process.wait()


def is_in_session(pid, session):
    """Returns whether the process still runs in the session; a zombie does not."""
    try:
        return os.getsid(pid) == session and (found := fields(pid)) is not None and found[0] != "Z"
    except ProcessLookupError:
        return False
