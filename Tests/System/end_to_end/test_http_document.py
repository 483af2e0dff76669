"""docs/http.md contains every reason for a refusal with its status, and every limit with its value."""

import re

import corpus
import pytest

from support.project import ROOT

CASES = corpus.load()


def source(name):
    return (ROOT / "Sources/HTTP1" / name).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def rows():
    """Returns the cells of every table row."""
    text = (ROOT / "docs/http.md").read_text(encoding="utf-8")
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]


def statuses():
    """Returns the status of each reason in ProtocolError.swift."""
    text = source("ProtocolError.swift")
    names = dict(re.findall(r'^    case (\w+) = "(\w+)"$', text, re.MULTILINE))
    switch = text[text.index("var status: Int") : text.index("var isHeadComplete")]
    arms = re.findall(r"case ([^:]+):\s*(\d{3})\b", switch)
    return {names[name]: int(status) for arm, status in arms for name in re.findall(r"\.(\w+)", arm)}


def limits():
    """Returns every limit of Limits.swift with its value, including those that are only defaults."""
    text = source("Limits.swift")
    values = {}
    for name, expression in re.findall(r"(?:static let )?(\w+Limit)(?:: Int)? = ([^,)\n]+)", text):
        for other, value in values.items():
            expression = expression.replace(other, str(value))
        assert re.fullmatch(r"[\d_ +*-]+", expression), expression
        values[name] = eval(expression)
    return values


def test_every_refusal_is_documented_with_its_status(rows):
    documented = {
        cells[2].strip("`"): int(cells[1])
        for cells in rows
        if len(cells) == 4 and re.fullmatch(r"`\w+`", cells[2]) and cells[1].isdigit()
    }
    assert len(documented) > 30
    assert documented == statuses()


def test_the_corpus_refuses_with_these_statuses():
    expected = statuses()
    assert [case.name for case in CASES if case.reason and case.statuses[-1] != expected[case.reason]] == []


def test_every_limit_is_documented_with_its_value(rows):
    documented = {}
    for cells in rows:
        for name, value in re.findall(r"`(\w+Limit)` ([\d,]+)", " ".join(cells)):
            documented[name] = int(value.replace(",", ""))
    assert len(documented) > 10
    assert documented == limits()


def test_its_links_lead_to_its_sections():
    text = (ROOT / "docs/http.md").read_text(encoding="utf-8")
    titles = re.findall(r"^## (.+)$", text, re.MULTILINE)
    sections = {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}
    assert set(re.findall(r"\]\(#([\w-]+)\)", text)) == sections
