"""The functions a request spends its instructions in, out of callgrind's dump."""

import re
import subprocess

from report import table

SHOWN = 40

# `COUNT (SHARE%)  FILE:FUNCTION [OBJECT]`, as callgrind_annotate writes without source files.
LINE = re.compile(r"^\s*([\d,]+)\s+\(\s*[\d.]+%\)\s+\S*?:(.+?)(?: \[(\S+)\])?$")


def functions(annotated):
    """Of callgrind_annotate's text: the self cost, name and object of each function, the most expensive first."""
    found = []
    for line in annotated.splitlines():
        match = LINE.match(line)
        if match and match[2] != "PROGRAM TOTALS":
            found.append((int(match[1].replace(",", "")), match[2], (match[3] or "").rpartition("/")[2]))
    return found


def demangled(names):
    """Swift's symbols as a person writes them; others as they are."""
    command = ["swift", "demangle", "--compact", "--simplified"]
    done = subprocess.run(command, input="\n".join(names), capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    return lines if len(lines) == len(names) else names


def shorter(name, limit=110):
    return name if len(name) <= limit else name[: limit - 1] + "…"


def show(dump, requests, total):
    """The table of the functions with the largest self cost, in instructions per request."""
    command = ["callgrind_annotate", "--threshold=99", "--auto=no", dump]
    annotated = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = functions(annotated)[:SHOWN]
    names = demangled([name for _, name, _ in found])
    rows = [
        [f"{cost / requests:,.0f}", f"{cost / requests / total:.1%}", shorter(name).replace("|", "\\|"), where]
        for (cost, _, where), name in zip(found, names)
    ]
    return table(["instructions", "share", "function", "in"], rows)
