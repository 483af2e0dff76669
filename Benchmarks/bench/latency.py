"""Measures latency of `item` at a sustainable rate: half of the server's maximum, unless a rate is given."""

import dataclasses
import time

from . import load, pace, process, rounds
from .failure import Failure
from .sample import NOISE_CORES
from .server import Server
from .table import aligned, figured
from .workload import WORKLOADS

ITEM = WORKLOADS["item"]
MAXIMUM_SECONDS = 5
# Limit of CPU use by other programs within any second; above it, every request of that second may be late.
SECOND_NOISE_CORES = 0.5
# The goal of the project's own server.
P99_MS = 2.0
STALLS = 0


@dataclasses.dataclass(frozen=True)
class Figure:
    program: str
    rate: int
    maximum: float | None  # as measured by wrk; None when the rate was given
    other_cores: float
    most_other_cores: float  # in the second with the highest use
    pace: pace.Pace

    @property
    def remarks(self):
        words = []
        if self.pace.is_void:
            words.append(f"VOID: {self.pace.answered:,} of {self.pace.due:,} answered, {self.pace.refused} not 200")
        if self.pace.is_late:
            words.append(f"the client sent late: 99 % within {self.pace.late_p99_ms:.2f} ms")
        if self.other_cores > NOISE_CORES or self.most_other_cores > SECOND_NOISE_CORES:
            used = f"{self.other_cores:.2f} cores, {self.most_other_cores:.2f} in the worst second"
            words.append(f"noisy: others used {used}")
        return "; ".join(words)

    @property
    def is_met(self):
        return not self.pace.is_void and self.pace.p99_ms <= P99_MS and self.pace.stalls <= STALLS


class Others:
    """CPU use of all other processes, sampled every second: other processes may have caused a stall."""

    def __init__(self, pids):
        # Found once: reading all of /proc every second would itself delay the server.
        self.pids, self.looks = pids, []

    def look(self, client):
        used = process.machine_seconds() - process.cpu_seconds_of([*self.pids, client])
        self.looks.append((time.monotonic(), used))

    @property
    def cores(self):
        """Returns the cores used between consecutive samples."""
        pairs = zip(self.looks, self.looks[1:])
        return [max(0.0, used - before) / (at - since) for (since, before), (at, used) in pairs]

    @property
    def mean(self):
        return sum(self.cores) / len(self.cores) if self.cores else 0.0

    @property
    def most(self):
        return max(self.cores, default=0.0)


def measure(program, own, options, cluster):
    rows, connections = options.rows[0], options.concurrency[0]
    rounds.lay_tables(program, own, cluster, rows)
    with Server(program, cluster, options.port) as server:
        server.check(ITEM)
        load.run(server.port, ITEM, connections, 1, rows)
        maximum = None
        if not options.rate:
            found = load.run(server.port, ITEM, connections, MAXIMUM_SECONDS, rows)
            if found.refused or found.socket_errors:
                raise Failure(
                    f"{program.name}: {found.refused} answers were not 2xx, {found.socket_errors} socket errors"
                )
            maximum = found.rate
        rate = options.rate or max(1, round(maximum / 2))
        rounds.say(f"{program.name}: {rate:,} requests/s for {options.seconds} s")
        server.empty_log()
        others = Others(process.tree(server.pid) + process.tree(cluster.postmaster))
        paced = pace.run(server.port, rate, connections, options.seconds, rows, others.look)
        return Figure(program.name, rate, maximum, others.mean, others.most, paced)


def run(programs, options, cluster, record):
    """Adds a figure per program to the record."""
    pace.build()
    own, figures = programs[0], record.figures.setdefault("latency", [])
    for program in rounds.prepare(programs, [ITEM], record):
        try:
            figures.append(dataclasses.asdict(measure(program, own, options, cluster)))
        except Failure as failure:
            rounds.leave_out(program, failure, record)


def figures(record):
    entries = record.figures.get("latency", [])
    return [Figure(**{**entry, "pace": pace.Pace(**entry["pace"])}) for entry in entries]


def text(record, own="items"):
    header = [
        "server",
        "requests/s",
        "of at most",
        "50 %",
        "99 %",
        "99.9 %",
        "longest",
        "over 20 ms",
        "stalls",
        "remarks",
    ]
    rows, verdicts = [], []
    for figure in figures(record):
        told = figure.pace
        row = [figure.program, f"{figure.rate:,}", figured(figure.maximum, ",.0f")]
        row += [f"{value:.2f}" for value in (told.p50_ms, told.p99_ms, told.p999_ms, told.max_ms)]
        rows.append([*row, f"{told.slow:,}", str(told.stalls), figure.remarks])
        if figure.program == own:
            met = "met" if figure.is_met else "MISSED"
            verdicts.append(f"goal of {own}: 99 % within {P99_MS:g} ms and no stall: {met}")
    connections, seconds = record.options["concurrency"][0], record.options["seconds"]
    legend = f"item over {connections} connections for {seconds} s; in ms from when a request was due."
    return "\n".join([aligned(header, rows), "", legend, *verdicts])
