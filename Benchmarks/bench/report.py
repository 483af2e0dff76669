"""Formats a record for a terminal and as Markdown."""

from . import goal, latency, memory, sample, scale, steady, table


def section(title, lines):
    return [title + "\n  " + "\n  ".join(map(str, lines))] if lines else []


def text(record):
    parts = []
    if record.samples:
        parts.append(table.text(record))
        parts += section("rate of items over that of", goal.ratios(record))
        if record.options.get("mode") == "scale":
            parts += section("scale", list(scale.lines(record)))
        parts += section("goals", list(goal.verdicts(record)))
    if record.figures.get("latency"):
        parts.append(latency.text(record))
    if record.figures.get("memory"):
        parts.append(memory.text(record))
    if record.figures.get("steady"):
        parts.append(steady.text(record))
    parts += section("left out", [f"{name}: {reason}" for name, reason in record.left_out.items()])
    return "\n\n".join(parts)


def markdown(record):
    """Returns the tables of docs/performance.md."""
    throughput, cost = table.throughput(record), table.cost(record)
    return f"### Throughput and latency\n\n{throughput}\n\n### Cost per 1,000 requests\n\n{cost}"


def is_void(record):
    """Returns whether any sample is void."""
    minutes = [sample.Sample(**entry) for entry in record.figures.get("steady", [])]
    return any(taken.is_void for taken in [*record.samples, *minutes]) or any(
        figure.pace.is_void for figure in latency.figures(record)
    )
