"""A run as JSON: its options, the machine, every sample, and the programs left out."""

import dataclasses
import json
import os
import pathlib
import platform
import subprocess
import time

from .failure import Failure
from .sample import Sample


@dataclasses.dataclass
class Record:
    options: dict
    machine: dict
    titles: dict  # titles by program name, in the order of the tables
    started: str = ""
    versions: dict = dataclasses.field(default_factory=dict)
    left_out: dict = dataclasses.field(default_factory=dict)  # the reason by program name
    samples: list = dataclasses.field(default_factory=list)
    figures: dict = dataclasses.field(default_factory=dict)  # results of the modes that do not produce samples

    def __post_init__(self):
        self.started = self.started or time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())

    def write(self, path):
        try:
            pathlib.Path(path).write_text(json.dumps(dataclasses.asdict(self), indent=1) + "\n", encoding="utf-8")
        except OSError as error:
            raise Failure(f"the record was not written: {error}") from None


def read(path):
    try:
        value = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
        return Record(**{**value, "samples": [Sample(**sample) for sample in value["samples"]]})
    except OSError as error:
        raise Failure(f"no record can be read: {error}") from None
    except (ValueError, KeyError, TypeError):
        raise Failure(f"{path} is no record of a run") from None


def first_line(*words):
    try:
        done = subprocess.run(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        return (done.stdout.splitlines() or [""])[0].split(" Copyright")[0]
    except OSError:
        return "not installed"


def machine(cluster):
    """Returns the properties of the machine that affect the figures."""
    cpu = pathlib.Path("/proc/cpuinfo").read_text(errors="replace")
    model = next((line.split(":", 1)[1].strip() for line in cpu.splitlines() if line.startswith("model name")), "")
    return {
        "processor": model or platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30),
        "kernel": platform.release(),
        "postgresql": cluster.version,
        "swift": first_line("swift", "--version"),
        "wrk": first_line("wrk", "--version"),
        "load_average": os.getloadavg()[0],
    }
