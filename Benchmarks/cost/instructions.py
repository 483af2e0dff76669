"""User-space instructions, counted by callgrind in a server that is queried over vgdb before and after a load."""

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
    """The tool gave an unexpected answer."""


def collected(dump):
    """The number of instructions in the text of a callgrind dump."""
    totals = re.findall(r"^totals: (\d+)$", dump, re.MULTILINE)
    if "\nevents: Ir\n" not in dump or len(totals) != 1:
        raise NotCounted("callgrind's dump has no total of instructions")
    return int(totals[0])


class Callgrind:
    """A server under callgrind; its counts from a point in time on."""

    def __init__(self, binary, directory):
        self.output = os.path.join(directory, "dump")
        # vgdb finds the process by this prefix, its pid and the variable HOST.
        self.prefix = f"--vgdb-prefix={os.path.join(directory, 'vgdb')}"
        tool = ["valgrind", "--tool=callgrind", "--vgdb=yes", self.prefix, f"--callgrind-out-file={self.output}"]
        self.server = Server(tool, binary, directory)

    def zero(self):
        self._tell("zero")

    def dump(self):
        """The path of a dump of the instructions executed since `zero`."""
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
    """Instructions per request of each workload; `inspect(workload, dump, requests)` sees each dump's path.

    `binary` must have no debug information: valgrind stops at Swift's.
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
