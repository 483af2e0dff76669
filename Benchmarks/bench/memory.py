"""Measures a server's memory when idle, under load and per idle connection, and its start time."""

import dataclasses
import statistics
import time

from . import load, rounds
from .failure import Failure
from .idle import IdleConnections, seconds_of_a_request
from .server import Server
from .table import aligned, figured
from .workload import WORKLOADS

STARTS = 7
SETTLE_SECONDS = 1
LOOK_SECONDS = 0.2
LOAD_CONNECTIONS = 64


@dataclasses.dataclass(frozen=True)
class Figure:
    program: str
    start_ms: float  # median, from exec to the first correct response
    longest_start_ms: float
    idle_mib: float
    loaded_mib: float  # the highest value sampled under load
    connection_kib: float | None  # per idle connection; None if the server does not keep all of them open
    beside_ms: float | None  # latency of a request while the idle connections are open
    remark: str = ""


def resident_mib(server):
    return server.memory().resident / 1024


def loaded_mib(server, workload, seconds, rows):
    wrk = load.start(server.port, workload, LOAD_CONNECTIONS, seconds, rows)
    most, deadline = 0.0, time.monotonic() + seconds
    try:
        while time.monotonic() < deadline:
            most = max(most, resident_mib(server))
            time.sleep(LOOK_SECONDS)
    finally:
        told = load.finish(wrk, seconds)
    if told.refused or told.socket_errors:
        raise Failure(f"{server.program.name}: {told.refused} answers were not 2xx, {told.socket_errors} socket errors")
    return most


def hold(server, count, before):
    """Returns KiB per idle connection, and the latency in ms of a request while they are open."""
    with IdleConnections(server.port, count) as connections:
        time.sleep(SETTLE_SECONDS)
        held = resident_mib(server)
        beside = seconds_of_a_request(server.port)
        if (kept := connections.still_open()) < count:
            raise Failure(f"it closed {count - kept:,} of {count:,} idle connections")
    return (held - before) * 1024 / count, beside * 1000


def measure(program, own, options, cluster):
    rows = options.rows[0]
    rounds.lay_tables(program, own, cluster, rows)
    starts = []
    for _ in range(STARTS):
        with Server(program, cluster, options.port) as server:
            starts.append(server.start_seconds * 1000)
    with Server(program, cluster, options.port) as server:
        time.sleep(SETTLE_SECONDS)
        idle = resident_mib(server)
        try:
            connection, beside, remark = *hold(server, options.idle, idle), ""
        except Failure as failure:
            connection, beside, remark = None, None, str(failure)
    # A new server: the allocator may keep memory of the idle connections, which would count here.
    workload = WORKLOADS["item" if "item" in program.workloads else "root"]
    with Server(program, cluster, options.port) as server:
        loaded = loaded_mib(server, workload, options.seconds, rows)
    return Figure(
        program=program.name,
        start_ms=statistics.median(starts),
        longest_start_ms=max(starts),
        idle_mib=idle,
        loaded_mib=loaded,
        connection_kib=connection,
        beside_ms=beside,
        remark=remark,
    )


def run(programs, options, cluster, record):
    """Adds a figure per program to the record."""
    own, figures = programs[0], record.figures.setdefault("memory", [])
    for program in rounds.prepare(programs, WORKLOADS.values(), record):
        try:
            figure = measure(program, own, options, cluster)
            figures.append(dataclasses.asdict(figure))
            rounds.say(f"{program.name}: {figure.idle_mib:.1f} MiB idle")
        except Failure as failure:
            rounds.leave_out(program, failure, record)


def text(record):
    header = ["server", "start", "longest start", "idle", "loaded", "idle connection", "beside", "remarks"]
    rows = []
    for figure in (Figure(**entry) for entry in record.figures["memory"]):
        row = [figure.program, f"{figure.start_ms:.0f} ms", f"{figure.longest_start_ms:.0f} ms"]
        row += [f"{figure.idle_mib:.1f} MiB", f"{figure.loaded_mib:.1f} MiB"]
        row += [figured(figure.connection_kib, ".1f", " KiB"), figured(figure.beside_ms, ".2f", " ms")]
        rows.append([*row, figure.remark])
    legend = (
        f"Start: from exec to the first 200 that asks the database, the median of {STARTS}. Memory is resident.\n"
        f"Loaded: the most that was seen with {LOAD_CONNECTIONS} connections of item (root where there is no item).\n"
        f"Idle connection: what each of {record.options['idle']:,} adds. Beside: the median of a request beside them."
    )
    return aligned(header, rows) + "\n\n" + legend
