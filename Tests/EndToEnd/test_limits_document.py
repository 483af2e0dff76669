"""The tables of limits in README.md and docs/resilience.md say what the sources do.

A row reads `| what | 16 KiB, 1 s | `Type.name`, `Type.other` |`: values and names in one order.
"""

import re

import pytest
from conftest import ROOT

PAGES = ["README.md", "docs/resilience.md", "docs/http.md"]
# What a value may be in a source: 1 s is 1, 1,000 ms or a billion ns.
UNITS = {
    "KiB": [1024],
    "MiB": [1024 * 1024],
    "µs": [1, 1000],
    "ms": [1, 1_000_000],
    "s": [1, 1000, 1_000_000_000],
    "h": [1, 3_600_000],
}
SOURCES = {path: path.read_text(encoding="utf-8") for path in sorted((ROOT / "Sources").rglob("*.swift"))}


def read(page):
    return (ROOT / page).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def rows():
    """The values and the names of each row that names a bound of the sources."""
    found = []
    for page in PAGES[:2]:
        for line in read(page).splitlines():
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            names = re.findall(r"`((?:[A-Z]\w+\.)+[a-z]\w+)`", cells[-1])
            if len(cells) == 3 and names and cells[1][:1].isdigit():
                found.append((cells[1], names))
    return found


def readings(cell):
    """For each number of a cell, what it may be in a source."""
    found = re.findall(r"(\d[\d,]*(?:\.\d+)?)(?: (KiB|MiB|µs|ms|s|h)\b)?", cell)
    return [[float(number.replace(",", "")) * factor for factor in UNITS.get(unit, [1])] for number, unit in found]


def numbers(expression):
    """Those of an expression of a source: of a product its value, of a range both ends."""
    expression = expression.replace("_", "")
    if re.fullmatch(r"[\d *]+", expression):
        return [float(eval(expression))]
    return [float(number) for number in re.findall(r"(?<![A-Za-z])\d+(?:\.\d+)?", expression)]


def defined(name):
    """The numbers that the sources give to a name, for each type that may be meant: there are two called Connection."""
    *types, member = name.split(".")
    values = []
    for text in SOURCES.values():
        if re.search(rf"\b(?:struct|class|actor|enum|extension) {types[-1]}\b", text):
            values += re.findall(rf"\b(?:let|var) {member}(?:: \w+)? = (.+)$", text, re.MULTILINE)
    assert values, f"{name} is nowhere in the sources"
    return [numbers(value) for value in values]


def test_every_row_says_what_the_sources_do(rows):
    wrong = []
    for cell, names in rows:
        values = readings(cell)
        for name in names:
            matching = [
                value
                for value in defined(name)
                if value and len(value) <= len(values) and all(one in reading for one, reading in zip(value, values))
            ]
            if not matching:
                wrong.append(f"{name} is not {cell}, but {defined(name)}")
                break
            values = values[len(matching[0]) :]
    assert wrong == []


def test_many_rows_are_checked(rows):
    assert sum(len(names) for _, names in rows) > 60


def test_every_limit_of_the_sources_is_in_a_table():
    tables = "".join(line for page in PAGES for line in read(page).splitlines() if line.startswith("|"))
    named = re.findall(r"`(?:\w+\.)*([A-Z]\w+)\.([a-z]\w+)`", tables)
    # docs/http.md leaves out the type, which is always the same.
    named += [("Limits", name) for name in re.findall(r"`(\w+Limit)` [\d,]+", tables)]
    pattern = r"static let (\w+(?:[lL]imit|Milliseconds|Pause|Grace|Patience))(?:: \w+)? = [\d_ *]+$"
    limits, missing = 0, []
    for path, text in SOURCES.items():
        types = re.findall(r"\b(?:struct|class|actor|enum|extension) (\w+)\b", text)
        for name in re.findall(pattern, text, re.MULTILINE):
            limits += 1
            if not any((type, name) in named for type in types):
                missing.append(f"{path.name}: {name}")
    assert limits > 50
    assert missing == []
