"""docs/limits.md agrees with the sources, with one limit per row.

A row is "| `Type.name` | 16 KiB | reason |".
"""

import re

import pytest

from support.project import ROOT

# The numbers that a unit may stand for in a source: 1 s is 1, 1,000 ms or 1,000,000,000 ns.
UNITS = {
    "KiB": [1024],
    "MiB": [1024 * 1024],
    "µs": [1, 1000],
    "ms": [1, 1_000_000],
    "s": [1, 1000, 1_000_000_000],
    "h": [1, 3_600, 3_600_000],
}
SOURCES = {path: path.read_text(encoding="utf-8") for path in sorted((ROOT / "Sources").rglob("*.swift"))}


@pytest.fixture(scope="module")
def rows():
    """Returns name, value and reason of each row."""
    found = []
    for line in (ROOT / "docs/limits.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("| `"):
            name, value, reason = [cell.strip() for cell in line.strip("|").split("|")]
            assert re.fullmatch(r"`((?:[A-Z]\w+\.)+[a-z]\w+)`", name), f"not one bound: {name}"
            found.append((name.strip("`"), value, reason))
    return found


def readings(value):
    """Returns for each number of a value its possible numbers in a source; a range has two numbers."""
    found = re.findall(r"(\d[\d,]*(?:\.\d+)?)(?: (KiB|MiB|µs|ms|s|h)\b)?", value)
    return [[float(number.replace(",", "")) * factor for factor in UNITS.get(unit, [1])] for number, unit in found]


def numbers(expression):
    """Returns the numbers in a source's expression: the value of a product, both ends of a range."""
    expression = expression.replace("_", "")
    if re.fullmatch(r"[\d *]+", expression):
        return [float(eval(expression))]
    return [float(number) for number in re.findall(r"(?<![A-Za-z])\d+(?:\.\d+)?", expression)]


def defined(name):
    """Returns the numbers that the sources assign to a name, one list for each matching type: there are two types
    called Connection."""
    *types, member = name.split(".")
    values = []
    for text in SOURCES.values():
        if re.search(rf"\b(?:struct|class|actor|enum|extension) {types[-1]}\b", text):
            values += re.findall(rf"\b(?:let|var) {member}(?:: \w+)? = (.+)$", text, re.MULTILINE)
    return [numbers(value) for value in values]


def is_defined(name, value):
    wanted = readings(value)
    return any(
        len(found) == len(wanted) and all(one in reading for one, reading in zip(found, wanted))
        for found in defined(name)
    )


def test_every_row_has_a_value_and_a_reason(rows):
    assert len(rows) > 100
    assert [name for name, value, reason in rows if not value or not reason] == []


def test_no_bound_has_two_rows(rows):
    names = [name for name, _, _ in rows]
    assert sorted(set(names)) == sorted(names)


def test_every_row_says_what_the_sources_do(rows):
    # A value without a number is computed where it is used; its name must exist nevertheless.
    exact = [(name, value) for name, value, _ in rows if value[0].isdigit()]
    assert len(rows) - len(exact) <= 1
    wrong = [f"{name} is not {value}, but {defined(name)}" for name, value in exact if not is_defined(name, value)]
    assert wrong == []


def test_every_limit_of_the_sources_has_a_row(rows):
    named = {tuple(name.split(".")[-2:]) for name, _, _ in rows}
    # The limits of the message syntax are in a table of docs/http.md.
    page = (ROOT / "docs/http.md").read_text(encoding="utf-8")
    named |= {("Limits", name) for name in re.findall(r"`(\w+Limit)` [\d,]+", page)}
    name = r"(\w+(?:[lL]imit|Milliseconds|Pause|Grace|Patience)|grace|patience)"
    pattern = rf"static let {name}(?:: \w+)? = (?:Duration\.\w+\()?[\d_ *]+\)?$"
    limits, missing = 0, []
    for path, text in SOURCES.items():
        types = re.findall(r"\b(?:struct|class|actor|enum|extension) (\w+)\b", text)
        for limit in re.findall(pattern, text, re.MULTILINE):
            limits += 1
            if not any((type, limit) in named for type in types):
                missing.append(f"{path.name}: {limit}")
    assert limits > 50
    assert missing == []
