"""Control groups (version 1 and 2) that limit a server's memory as a container does, created as
root or through sudo."""

import itertools
import os
import pathlib
import re
import shutil
import subprocess

import pytest

ROOT = pathlib.Path("/sys/fs/cgroup")


class MemoryGroup:
    """A control group with a memory limit and no swap. `remove` it after its processes have ended."""

    numbers = itertools.count(1)

    def __init__(self, mebibytes):
        name = f"items-e2e-{os.getpid()}-{next(self.numbers)}"
        self.is_version_2 = (ROOT / "cgroup.controllers").exists()
        if self.is_version_2:
            self.directory = ROOT / name
            self._shell(f"grep -qw memory {ROOT}/cgroup.subtree_control || echo +memory >{ROOT}/cgroup.subtree_control")
        else:
            self.directory = ROOT / "memory" / name
        limit = "memory.max" if self.is_version_2 else "memory.limit_in_bytes"
        self._shell(f"mkdir {self.directory}")
        try:
            self._shell(f"echo {mebibytes * 1024 * 1024} >{self.directory / limit}")
            for swap, value in (("memory.swap.max", 0), ("memory.swappiness", 0)):
                self._shell(f"! test -e {self.directory / swap} || echo {value} >{self.directory / swap}")
        except AssertionError:
            self.remove()
            raise

    def _shell(self, script):
        arguments = ["sh", "-euc", script]
        if os.geteuid() != 0:
            assert shutil.which("sudo"), "neither root nor sudo"
            arguments = ["sudo", "--non-interactive", *arguments]
        run = subprocess.run(arguments, capture_output=True, text=True, timeout=10)
        assert run.returncode == 0, run.stderr

    def add(self, process):
        self._shell(f"echo {process} >{self.directory}/cgroup.procs")

    def kills(self):
        """Returns how many processes of the group the kernel's OOM killer has ended."""
        file = "memory.events" if self.is_version_2 else "memory.oom_control"
        return int(re.search(r"^oom_kill (\d+)", (self.directory / file).read_text(), re.MULTILINE)[1])

    def remove(self):
        self._shell(f"rmdir {self.directory}")


@pytest.fixture
def memory_group():
    """Returns a factory: memory_group(mebibytes). Skips the test where no group can be created, but never in CI."""
    groups = []

    def make(mebibytes):
        try:
            groups.append(MemoryGroup(mebibytes))
        except (AssertionError, OSError) as reason:
            if os.environ.get("CI"):
                raise
            pytest.skip(f"NOT TESTED: no memory cgroup can be made here: {reason}")
        return groups[-1]

    yield make
    for group in groups:
        group.remove()
