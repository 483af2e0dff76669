"""Measures every program in turn, in several rounds, so that a slow drift of the machine affects all of them."""

import sys

from . import sample
from .failure import Failure
from .server import Server


def say(text):
    print(text, file=sys.stderr, flush=True)


def prepare(programs, workloads, record):
    """Builds the peers and returns the programs to measure. Leaves out a peer that cannot be built
    or has no workload."""
    ready = []
    for program in programs:
        try:
            if not any(workload.name in program.workloads for workload in workloads):
                raise Failure(f"it has none of {', '.join(workload.name for workload in workloads)}")
            if program.folder:
                record.versions[program.name] = versions = program.build()
                record.titles[program.name] = program.titled(versions)
            ready.append(program)
        except Failure as failure:
            leave_out(program, failure, record)
    return ready


def leave_out(program, failure, record):
    """Records why a peer is left out. Raises for the project's own server: without it there is nothing to compare."""
    if program.migration:
        raise failure
    record.left_out[program.name] = str(failure)
    say(f"left out: {program.name}: {failure}")


def lay_tables(program, own, cluster, rows):
    """Creates and fills a table that no other server has written to. Peers use the table of the
    project's own migrations."""
    cluster.empty()
    (program if program.migration else own).migrate({**cluster.environment, **own.environment})
    cluster.fill(rows)


def run(programs, workloads, options, cluster, record):
    """Adds every sample to the record. The first program is the project's own."""
    own = programs[0]
    programs = prepare(programs, workloads, record)
    for number in range(1, options.rounds + 1):
        for rows in options.rows:
            for program in programs:
                if program.name in record.left_out:
                    continue
                asked = [workload for workload in workloads if workload.name in program.workloads]
                try:
                    lay_tables(program, own, cluster, rows)
                    with Server(program, cluster, options.port) as server:
                        for taken in visit(server, asked, rows, options, cluster):
                            record.samples.append(taken)
                            say(progress(number, taken))
                except Failure as failure:
                    leave_out(program, failure, record)


def visit(server, workloads, rows, options, cluster):
    """Yields a sample of every workload at every number of connections, from one server."""
    for workload in workloads:
        server.check(workload)
    for connections in options.concurrency:
        for workload in workloads:
            yield quietest(
                lambda: sample.measure(server, cluster, workload, connections, rows, options.seconds, options.warm_up),
                options.retries,
            )


def quietest(measure, retries):
    """Repeats a noisy sample up to `retries` times and returns the one with the least CPU use by others,
    whatever its rate."""
    taken = measure()
    for _ in range(retries):
        if not taken.is_noisy:
            break
        taken = min(taken, measure(), key=lambda found: found.other_cores)
    return taken


def progress(number, taken):
    marks = "  VOID" * taken.is_void + f"  noisy ({taken.other_cores:.2f} cores)" * taken.is_noisy
    return (
        f"round {number}  {taken.workload:<7}{taken.rows:>9} rows {taken.connections:>5} connections  "
        f"{taken.program:<13}{taken.rate:>10,.0f}/s  99 % {taken.p99_ms:7.2f} ms  {taken.server_cpu:.4f} s/1k{marks}"
    )
