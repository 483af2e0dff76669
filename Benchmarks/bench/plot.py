"""Draws rate and latency against the number of connections, as an SVG for light and dark backgrounds."""

import math
from xml.sax.saxutils import escape

from .failure import Failure
from .sample import summaries

PANEL_WIDTH, PANEL_HEIGHT, LEFT, TOP, GAP, BOTTOM = 380, 240, 64, 40, 84, 64
LEGEND_HEIGHT = 20
# Medium brightness is visible on white and on black; dashes distinguish the lines too.
COLOURS = ("#2f81f7", "#d29922", "#3fb950", "#db61a2", "#a371f7", "#f0883e", "#8b949e", "#39c5cf")
DASHES = ("", "6 3", "2 3", "8 3 2 3")
STYLE = """
text { font: 12px system-ui, sans-serif; fill: #1f2328; }
.title { font-weight: 600; }
.grid { stroke: #d0d7de; stroke-width: 1; }
.line { fill: none; stroke-width: 2; }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3; } .grid { stroke: #30363d; } }
"""


def series(record, workload):
    """Returns for each program the points (connections, rate, p99 in ms) with a valid sample, sorted by connections."""
    lines = {}
    for (name, _, connections, program), summary in summaries(record.samples).items():
        if name == workload and summary.valid:
            lines.setdefault(program, []).append((connections, summary.median("rate"), summary.median("p99_ms")))
    return {program: sorted(points) for program, points in lines.items()}


def round_steps(highest, count=4):
    """Returns multiples of 1, 2 or 5 times a power of ten, from 0 to the first one at or above `highest`."""
    raw = max(highest, 1e-9) / count
    power = 10 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw * 0.999)
    return [step * index for index in range(math.ceil(highest / step - 1e-9) + 1)]


def powers(lowest, highest):
    """Returns the powers of ten that enclose both values."""
    return [10.0**exponent for exponent in range(math.floor(math.log10(lowest)), math.ceil(math.log10(highest)) + 1)]


class Scale:
    """Maps values to positions, linearly or logarithmically."""

    def __init__(self, values, start, end, is_logarithmic):
        self.convert = math.log10 if is_logarithmic else float
        self.low, self.high = self.convert(min(values)), self.convert(max(values))
        self.start, self.end = start, end

    def __call__(self, value):
        share = (self.convert(value) - self.low) / (self.high - self.low or 1)
        return round(self.start + share * (self.end - self.start), 1)


def label(value):
    return f"{value / 1000:g}k" if value >= 1000 else f"{value:g}"


def panel(title, lines, index, left, styles, is_logarithmic):
    """Returns the elements of one diagram; `index` selects the coordinate of each point to draw."""
    values = [point[index] for points in lines.values() for point in points]
    steps = powers(max(min(values), 0.01), max(*values, 0.02)) if is_logarithmic else round_steps(max(values))
    counts = sorted({point[0] for points in lines.values() for point in points})
    x = Scale(counts, left, left + PANEL_WIDTH, True)
    y = Scale(steps, TOP + PANEL_HEIGHT, TOP, is_logarithmic)
    parts = [f'<text class="title" x="{left}" y="{TOP - 16}">{escape(title)}</text>']
    for step in steps:
        parts.append(f'<line class="grid" x1="{left}" x2="{left + PANEL_WIDTH}" y1="{y(step)}" y2="{y(step)}"/>')
        parts.append(f'<text x="{left - 8}" y="{y(step) + 4}" text-anchor="end">{label(step)}</text>')
    for count in counts:
        parts.append(f'<text x="{x(count)}" y="{TOP + PANEL_HEIGHT + 18}" text-anchor="middle">{label(count)}</text>')
    for program, points in lines.items():
        way = " ".join(f"{x(point[0])},{y(max(point[index], steps[0]))}" for point in points)
        parts.append(f'<polyline class="line" {styles[program]} points="{way}"/>')
    return parts


def draw(record, workload):
    """Returns the complete SVG of one workload."""
    lines = series(record, workload)
    if len({point[0] for points in lines.values() for point in points}) < 2:
        raise Failure(f"a plot of {workload} needs samples with two numbers of connections: CONCURRENCY=1,8,64,512")
    styles = {
        program: f'stroke="{COLOURS[index % len(COLOURS)]}" stroke-dasharray="{DASHES[index % len(DASHES)]}"'
        for index, program in enumerate(name for name in record.titles if name in lines)
    }
    second = LEFT + PANEL_WIDTH + GAP
    width, height = second + PANEL_WIDTH + 24, TOP + PANEL_HEIGHT + BOTTOM + LEGEND_HEIGHT * len(styles)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">',
        f"<title>{escape(workload)}: rate and latency against connections</title>",
        f"<style>{STYLE}</style>",
        *panel(f"{workload}: requests/s against connections", lines, 1, LEFT, styles, False),
        *panel(f"{workload}: 99 % of answers within, ms", lines, 2, second, styles, True),
    ]
    for number, (program, style) in enumerate(styles.items()):
        y = TOP + PANEL_HEIGHT + BOTTOM - 14 + LEGEND_HEIGHT * number
        parts.append(f'<line class="line" {style} x1="{LEFT}" x2="{LEFT + 32}" y1="{y - 4}" y2="{y - 4}"/>')
        parts.append(f'<text x="{LEFT + 42}" y="{y}">{escape(record.titles[program])}</text>')
    return "\n".join([*parts, "</svg>", ""])
