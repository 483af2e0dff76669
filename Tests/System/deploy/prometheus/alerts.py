"""The alert rules of deploy/prometheus, and the table of docs/observability.md that they are made from."""

import json
import re

from support.project import ROOT

FILE = ROOT / "deploy/prometheus/alerts.yml"


def rules():
    """Name, expression, duration and severity of each rule, in the file's order.

    The file is written one member a line, which is all this reads; promtool reads the rest.
    """
    found = []
    for block in FILE.read_text().split("      - alert: ")[1:]:
        members = dict(re.findall(r"^ +(expr|for|severity|summary|description): (.*)$", block, re.MULTILINE))
        found.append({"alert": block.splitlines()[0], **members})
    return found


def table():
    """The rows of the page's table: words, expression, duration."""
    section = (ROOT / "docs/observability.md").read_text().split("\n## Alarms\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| ([a-z ]+) \| `(.+?)`.* \| ([^|]+) \|$", section, re.MULTILINE)
    return [(words, expression, duration) for words, expression, duration in rows if words != "alarm"]


def metrics():
    """All names of metrics in the expressions."""
    names = set()
    for rule in rules():
        plain = re.sub(r"\{[^}]*\}|\[[^]]*\]|by \([^)]*\)", "", rule["expr"])
        names |= set(re.findall(r"\b[a-z]+_[a-z_]+\b(?!\s*\()|\bup\b", plain))
    return names


def duration(words):
    """The table's "5 min" as Prometheus writes it; None for "at once"."""
    return None if words == "at once" else re.fullmatch(r"(\d+) min", words)[1] + "m"


def write(path, cases):
    """A file for `promtool test rules`; JSON is YAML."""
    path.write_text(json.dumps({"rule_files": [str(FILE)], "evaluation_interval": "1m", "tests": cases}))
