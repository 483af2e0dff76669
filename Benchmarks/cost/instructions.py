"""Counts user-space instructions with callgrind. vgdb zeroes the counters before a load and dumps them after it."""

import glob
import os
import re
import subprocess
import tempfile

from lockstep import Lockstep
from server import Server
from workload import WORKLOADS

CONTROL_SECONDS = 60


class NotCounted(Exception):
    """callgrind or vgdb gave an unexpected answer."""


def collected(dump):
    """Returns the number of instructions in the text of a callgrind dump."""
    totals = re.findall(r"^totals: (\d+)$", dump, re.MULTILINE)
    if "\nevents: Ir\n" not in dump or len(totals) != 1:
        raise NotCounted("callgrind's dump has no total of instructions")
    return int(totals[0])


class Callgrind:
    """A server under callgrind, whose counters can be zeroed and dumped."""

    def __init__(self, binary, directory):
        self.output = os.path.join(directory, "dump")
        # vgdb finds the process by this prefix, its pid and the variable HOST.
        self.prefix = f"--vgdb-prefix={os.path.join(directory, 'vgdb')}"
        tool = ["valgrind", "--tool=callgrind", "--vgdb=yes", self.prefix, f"--callgrind-out-file={self.output}"]
        self.server = Server(tool, binary, directory)

    def zero(self):
        self._tell("zero")

    def dump(self):
        """Writes a dump of the instructions executed since `zero`, and returns its path."""
        before = set(glob.glob(f"{self.output}.*"))
        self._tell("dump")
        written = set(glob.glob(f"{self.output}.*")) - before
        if len(written) != 1:
            raise NotCounted(f"callgrind wrote {len(written)} dumps instead of one")
        return written.pop()

    def _tell(self, command):
        control = ["vgdb", self.prefix, f"--pid={self.server.process.pid}", command]
        done = subprocess.run(
            control, env=self.server.environment, capture_output=True, text=True, timeout=CONTROL_SECONDS
        )
        if done.returncode != 0:
            raise NotCounted(f"vgdb could not tell callgrind to {command}: {done.stderr}")


def measure(binary, workloads, load, inspect=None):
    """Returns instructions per request of each workload. Calls `inspect(workload, path, requests)` for each dump.

    `binary` must have no debug information: valgrind fails on the debug information of Swift.
    """
    counts = {workload: [] for workload in workloads}
    with tempfile.TemporaryDirectory(prefix="items-cost.") as directory:
        callgrind = Callgrind(binary, directory)
        with callgrind.server as server, Lockstep(server, load.connections) as clients:
            for workload in load.order(workloads):
                clients.play(WORKLOADS[workload], load.warm_up)
                server.settle()
                callgrind.zero()
                requests = clients.play(WORKLOADS[workload], load.rounds)
                server.settle()
                path = callgrind.dump()
                with open(path) as dump:
                    counts[workload].append(collected(dump.read()) / requests)
                if inspect:
                    inspect(workload, path, requests)
    return {workload: min(found) for workload, found in counts.items()}
