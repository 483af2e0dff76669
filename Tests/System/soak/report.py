"""Prints the results of a run as tables."""


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))] * 1000


def table(head, rows):
    rows = [head] + [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    for row in rows:
        cells = [row[0].ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]
        print("  " + "  ".join(cells).rstrip())
    print()


def show(friends, enemies, service, measured):
    times = friends.times()
    errors = {}
    for fault in friends.faults:
        kind = fault.split(", ")[1] if ", " in fault else "-"
        errors[kind] = errors.get(kind, 0) + 1
    rows = [
        [kind, len(values), errors.get(kind, 0)]
        + [f"{percentile(values, share):.1f}" for share in (0.5, 0.99)]
        + [f"{max(values) * 1000:.1f}"]
        for kind, values in sorted(times.items())
    ]
    print()
    table(["honest", "requests", "errors", "p50 ms", "p99 ms", "max ms"], rows)
    table(["hostile", "times", "faults"], [[kind, *numbers] for kind, numbers in sorted(enemies.counts().items())])
    table(["status", "log lines"], sorted(service.statuses.items()))
    lines = sorted((f"{level} {text}", count) for (level, text), count in service.lines.items())
    table(["level and message", "lines"], lines)
    table(
        ["server", "RSS KiB", "descriptors", "threads"],
        [[name, value.resident_kib, value.descriptors, value.threads] for name, value in measured],
    )
