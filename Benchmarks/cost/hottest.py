"""The functions that execute most instructions per request, from a callgrind dump."""

import collections
import re
import subprocess

from report import table

SHOWN = 40
NAME_LIMIT = 110

# Valgrind's manual, "Callgrind Format Specification": a name follows its number in parentheses once; later the
# number alone is written.
NAME = re.compile(r"^(c?(?:ob|fn))=\((\d+)\)(?: (.*))?$")
COST = re.compile(r"^(?:[+-]?\d+|\*) (\d+)$")


def self_costs(dump):
    """Returns the instructions of each (function, object), without those of the functions it calls.

    callgrind_annotate attributes everything to `clone` when the counters were zeroed within a thread.
    """
    names = {"ob": {}, "fn": {}}
    current = {"ob": "", "fn": ""}
    costs = collections.Counter()
    is_callees = False
    for line in dump:
        if name := NAME.match(line):
            kind = name[1].removeprefix("c")
            if name[3]:
                # Callgrind numbers the levels of a recursion: name'2.
                names[kind][name[2]] = re.sub(r"'\d+$", "", name[3])
            if kind == name[1]:
                current[kind] = names[kind].get(name[2], "")
        elif line.startswith("calls="):
            is_callees = True
        elif cost := COST.match(line):
            if not is_callees:
                costs[current["fn"], current["ob"].rpartition("/")[2]] += int(cost[1])
            is_callees = False
    return costs


def demangled(names):
    """Returns Swift's symbols demangled; others unchanged."""
    command = ["swift", "demangle", "--compact", "--simplified"]
    done = subprocess.run(command, input="\n".join(names), capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    return lines if len(lines) == len(names) else names


def shortened(name):
    return name if len(name) <= NAME_LIMIT else name[: NAME_LIMIT - 1] + "…"


def show(dump, requests):
    """Returns the table of the functions with the highest self cost, in instructions per request."""
    costs = self_costs(dump)
    hottest = costs.most_common(SHOWN)
    names = demangled([name for (name, _), _ in hottest])
    rows = [
        [f"{cost / requests:,.0f}", f"{cost / costs.total():.1%}", shortened(name).replace("|", "\\|"), where]
        for ((_, where), cost), name in zip(hottest, names)
    ]
    return table(["instructions", "share", "function", "in"], rows)
