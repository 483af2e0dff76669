"""Draws the rate of every server in each workload as bars, in an SVG for light and dark backgrounds."""

from xml.sax.saxutils import escape

from .failure import Failure
from .sample import summaries

WIDTH, LEFT, RIGHT, TOP = 860, 250, 70, 24
BAR_HEIGHT, BAR_GAP, TITLE_HEIGHT, GROUP_GAP, NOTE_HEIGHT = 14, 5, 20, 16, 18
REQUESTS = {
    "root": "GET /",
    "health": "GET /health: one query",
    "list": "GET /api/items?limit=20: a page of 20 rows",
    "item": "GET /api/items/{id}: one row",
    "create": "POST /api/items: an insert with its commit",
}
STYLE = """
text { font: 12px system-ui, sans-serif; fill: #1f2328; }
.title { font-weight: 600; }
.note { fill: #59636e; }
.own { fill: #2f81f7; }
.other { fill: #8b949e; }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3; } .note { fill: #9198a1; } }
"""


def family(program):
    """Returns the family of a program: `hyper-1` is a variant of `hyper`. Only the fastest variant
    of a family is drawn."""
    return program.split("-")[0]


def groups(record):
    """Returns the rates by family for each workload: the project's own first, then from the fastest to the slowest."""
    found = {}
    for (workload, _, _, program), summary in summaries(record.samples).items():
        if rate := summary.median("rate"):
            rates = found.setdefault(workload, {})
            rates[family(program)] = max(rate, rates.get(family(program), 0))
    return {
        workload: sorted(rates.items(), key=lambda pair: (pair[0] != "items", -pair[1]))
        for workload, rates in found.items()
    }


def notes(record):
    """Returns the conditions of the measurement in two lines."""
    options, machine = record.options, record.machine
    cores = f", {machine['cores']} cores" if "cores" in machine else ""
    return [
        "requests per second; each group has a scale of its own. Median of "
        f"{options.get('rounds', '?')} rounds of {options.get('seconds', '?')} s, "
        f"{', '.join(map(str, options.get('concurrency', ['?'])))} connections",
        f"{record.started[:10]}, {machine.get('processor', '?')}{cores}, shared with PostgreSQL and the load generator",
    ]


def bar(record, program, rate, highest, y):
    length = round((WIDTH - LEFT - RIGHT) * rate / highest, 1)
    kind, middle = "own" if program == "items" else "other", y + BAR_HEIGHT - 3
    return [
        f'<text x="{LEFT - 8}" y="{middle}" text-anchor="end">{escape(record.titles.get(program, program))}</text>',
        f'<rect class="{kind}" x="{LEFT}" y="{y}" width="{max(length, 1)}" height="{BAR_HEIGHT}" rx="2"/>',
        f'<text x="{LEFT + length + 6:g}" y="{middle}">{rate:,.0f}</text>',
    ]


def draw(record):
    """Returns the complete SVG."""
    found = groups(record)
    if not found:
        raise Failure("a plot needs samples")
    parts, y = [], TOP
    for workload, rates in found.items():
        parts.append(f'<text class="title" x="{LEFT}" y="{y}">{escape(REQUESTS.get(workload, workload))}</text>')
        y += TITLE_HEIGHT - BAR_HEIGHT + 2
        for program, rate in rates:
            parts += bar(record, program, rate, max(rate for _, rate in rates), y)
            y += BAR_HEIGHT + BAR_GAP
        y += GROUP_GAP
    for line in notes(record):
        parts.append(f'<text class="note" x="8" y="{y + 6}">{escape(line)}</text>')
        y += NOTE_HEIGHT
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y}" viewBox="0 0 {WIDTH} {y}">',
            "<title>Requests per second of each server</title>",
            f"<style>{STYLE}</style>",
            *parts,
            "</svg>",
            "",
        ]
    )
