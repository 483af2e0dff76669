"""Measures whether cost and memory stay constant over time: one server under load, minute by minute."""

import dataclasses
import statistics

from . import rounds, sample
from .server import Server
from .table import aligned
from .workload import WORKLOADS

ITEM = WORKLOADS["item"]
# Number of minutes compared at either end. The first minute is shown but not compared: it fills the caches of server,
# database and kernel.
END = 3
# The goal of the project's own server: maximum growth of the CPU time per request, and of memory.
CPU_GROWTH = 1.05
RESIDENT_GROWTH_MIB = 1.0


def measure(program, own, options, cluster):
    """Yields a sample per minute, or per `options.seconds`."""
    rows, connections = options.rows[0], options.concurrency[0]
    rounds.lay_tables(program, own, cluster, rows)
    with Server(program, cluster, options.port) as server:
        server.check(ITEM)
        for number in range(options.minutes):
            # Each measurement empties the log first, so that its size does not grow over the run.
            taken = sample.measure(server, cluster, ITEM, connections, rows, options.seconds, 0)
            rounds.say(f"{program.name} {number + 1}: {taken.server_cpu:.4f} s, {taken.resident_mib:.1f} MiB")
            yield taken


def run(programs, options, cluster, record):
    """Adds the samples of each program to the record, in chronological order."""
    for program in rounds.prepare(programs, [ITEM], record):
        for taken in measure(program, programs[0], options, cluster):
            record.figures.setdefault("steady", []).append(dataclasses.asdict(taken))


def growth(samples):
    """Returns CPU time per request at the end divided by that at the start, and the growth of memory in MiB."""
    first, last = samples[1 : 1 + END], samples[-END:]
    cpu = [statistics.median(taken.server_cpu for taken in end) for end in (first, last)]
    memory = [statistics.median(taken.resident_mib for taken in end) for end in (first, last)]
    return cpu[1] / cpu[0], memory[1] - memory[0]


def text(record, own="items"):
    header = ["server", "minute", "requests/s", "99 %", "server CPU s", "PostgreSQL CPU s", "resident", "remarks"]
    rows, verdicts, of = [], [], {}
    for taken in (sample.Sample(**entry) for entry in record.figures["steady"]):
        of.setdefault(taken.program, []).append(taken)
        row = [taken.program, str(len(of[taken.program])), f"{taken.rate:,.0f}", f"{taken.p99_ms:.2f} ms"]
        row += [f"{taken.server_cpu:.4f}", f"{taken.postgres_cpu:.4f}", f"{taken.resident_mib:.1f} MiB"]
        rows.append([*row, sample.Summary((taken,)).remarks])
    for program, samples in of.items():
        if len(samples) <= 2 * END:
            continue
        cpu, memory = growth(samples)
        verdict = f"{program}: {cpu:.3f} of the CPU time at first, {memory:+.1f} MiB"
        if program == own:
            is_met = cpu <= CPU_GROWTH and memory <= RESIDENT_GROWTH_MIB
            verdict += f"; goal {CPU_GROWTH:g} and {RESIDENT_GROWTH_MIB:g} MiB: " + ("met" if is_met else "MISSED")
        verdicts.append(verdict)
    return "\n".join([aligned(header, rows), "", "CPU time per 1,000 requests of item.", *verdicts])
