"""Formats the results as tables, and writes them as JSON."""

import collections
import dataclasses
import json

OUTCOMES = ["held", "violated", "broken", "skipped"]

COLUMNS = {
    "first_failure_ms": "1st 503",
    "outage_ms": "outage",
    "first_write_ms": "write",
    "first_read_ms": "read",
    "last_failure_ms": "last 503",
    "refusal_p95_ms": "refusal",
    "failed": "failed",
    "requests": "requests",
    "acknowledged": "201",
    "lost": "lost",
    "connections_max": "conns",
    "probe_p99_ms": "probes",
}

LEGEND = """Times are milliseconds: from the fault to the first 503 or 504, to the database's return; from that return to the
first write, the first read and the last 503; what 95 % of the refusals took; what 99 % of /health/live, /metrics and / took."""


def cell(value):
    return f"{'-' if value is None else value:>10}"


def totals(results):
    counts = collections.Counter(result.outcome for result in results)
    return ", ".join(f"{counts[outcome]} {outcome}" for outcome in OUTCOMES)


def complaints(result):
    if result.reason:
        yield f"    {result.outcome} (seed {result.seed}): {result.reason}"
    for verdict in result.violations:
        yield f"    VIOLATED (seed {result.seed}) {verdict.name}: {verdict.detail}"


def table(results):
    """Yields a row per run."""
    yield f"{'scenario':24}{'outcome':10}" + "".join(cell(title) for title in COLUMNS.values())
    for result in results:
        yield f"{result.name:24}{result.outcome:10}" + "".join(cell(result.figures.get(key)) for key in COLUMNS)
        yield from complaints(result)
    yield LEGEND
    yield totals(results)


def summary(results):
    """Yields a row per scenario: sums over its runs of the columns that can be added, and the maximum of the others."""
    sums = {"failed", "requests", "acknowledged", "lost"}
    groups = collections.defaultdict(list)
    for result in results:
        groups[result.name].append(result)
    yield f"{'scenario':24}{'held':>10}" + "".join(cell(title) for title in COLUMNS.values())
    for name, group in sorted(groups.items()):
        cells = ""
        for key in COLUMNS:
            values = [result.figures[key] for result in group if result.figures.get(key) is not None]
            cells += cell((sum(values) if key in sums else max(values)) if values else None)
        held = sum(result.outcome == "held" for result in group)
        yield f"{name:24}{f'{held}/{len(group)}':>10}{cells}"
        for result in group:
            yield from complaints(result)
    yield LEGEND + " Each is the worst of all runs."
    kept = [result.figures["memory_mib"] for result in results if "memory_mib" in result.figures]
    if kept:
        yield f"memory of services that lived on: {kept[0]} MiB after the first run, {max(kept)} MiB at most"
    yield f"{len(results)} runs: {totals(results)}"


def write(results, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([dataclasses.asdict(result) for result in results], indent=1))
