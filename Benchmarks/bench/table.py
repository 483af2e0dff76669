"""Tables: with aligned columns for a terminal, and as Markdown in the form of docs/performance.md."""

from .sample import summaries

NOTHING = "–"


def aligned(header, rows):
    """Returns a table with text aligned to the left and figures to the right."""
    cells = [list(header), *rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    lines = []
    for row in cells:
        words = []
        for column, (cell, width) in enumerate(zip(row, widths)):
            is_figure = cell[:1].isdigit() or cell == NOTHING or row is cells[0] and column > 1
            words.append(cell.rjust(width) if is_figure and column < len(header) - 1 else cell.ljust(width))
        lines.append("  ".join(words).rstrip())
    return "\n".join(lines)


def markdown(header, rows):
    lines = [f"| {' | '.join(row)} |" for row in [header, *rows]]
    lines.insert(1, "|" + "---|" * len(header))
    return "\n".join(lines)


def figured(value, form, unit=""):
    return NOTHING if value is None else format(value, form) + unit


def spread(summary):
    return NOTHING if summary.spread is None else "{:,.0f} … {:,.0f}".format(*summary.spread)


def ordered(record):
    """Returns (key, summary) pairs: workloads in the order of the options, programs in the order of the titles."""
    found = summaries(record.samples)
    workloads, programs = list(dict.fromkeys(key[0] for key in found)), list(record.titles)
    return sorted(
        found.items(), key=lambda pair: (workloads.index(pair[0][0]), *pair[0][1:3], programs.index(pair[0][3]))
    )


def varied(record):
    """Returns the additional columns (`rows`, `connections`) whose value differs between samples."""
    keys = [sample.key for sample in record.samples]
    return [(name, index) for name, index in (("rows", 1), ("connections", 2)) if len({key[index] for key in keys}) > 1]


def text(record):
    """Returns the complete table of a run for a terminal."""
    further = varied(record)
    header = ["workload", "server", *(name for name, _ in further), "requests/s", "lowest … highest", "50 %", "99 %"]
    header += ["99.9 %", "server s/1k", "PostgreSQL s/1k", "memory", "others", "remarks"]
    rows = []
    for key, summary in ordered(record):
        row = [key[0], key[3], *(f"{key[index]}" for _, index in further)]
        row += [figured(summary.median("rate"), ",.0f"), spread(summary)]
        row += [figured(summary.median(name), ".2f") for name in ("p50_ms", "p99_ms", "p999_ms")]
        row += [figured(summary.median(name), ".4f") for name in ("server_cpu", "postgres_cpu")]
        row += [figured(summary.median("resident_mib"), ".0f"), figured(summary.median("other_cores"), ".2f")]
        rows.append([*row, ("! " if summary.remarks else "") + summary.remarks])
    legend = (
        "Medians; latencies in ms, memory in MiB resident, s/1k: CPU seconds per 1,000 requests, others: cores used\n"
        "by neither server, PostgreSQL nor wrk. wrk at one core is the limit itself: then compare s/1k."
    )
    return aligned(header, rows) + "\n\n" + legend


def throughput(record):
    further = varied(record)
    header = ["workload", "server", *(name for name, _ in further)]
    header += ["requests/s, median", "lowest … highest", "50 %", "99 %"]
    rows = []
    for key, summary in ordered(record):
        row = [key[0], record.titles[key[3]], *(f"{key[index]:,}" for _, index in further)]
        row += [figured(summary.median("rate"), ",.0f"), spread(summary)]
        rows.append(row + [figured(summary.median(name), ".2f", " ms") for name in ("p50_ms", "p99_ms")])
    return markdown(header, rows)


def cost(record):
    further = varied(record)
    header = ["workload", "server", *(name for name, _ in further)]
    header += ["server CPU s", "PostgreSQL CPU s", "resident memory"]
    rows = []
    for key, summary in ordered(record):
        row = [key[0], record.titles[key[3]], *(f"{key[index]:,}" for _, index in further)]
        row += [figured(summary.median(name), ".4f") for name in ("server_cpu", "postgres_cpu")]
        rows.append([*row, figured(summary.median("resident_mib"), ".0f", " MiB")])
    return markdown(header, rows)
