"""The README's tables name everything there is: endpoints, variables, metrics, log fields."""

import re

import pytest

from conftest import ROOT, items

ENDPOINTS = ["/", "/health", "/health/live", "/health/ready", "/db", "/api/items", "/api/items/{id}", "/metrics"]


@pytest.fixture(scope="module")
def named():
    """Everything in backticks in a row of a table; a name's labels or query are cut off."""
    rows = [line for line in (ROOT / "README.md").read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    spans = [span for row in rows for span in re.findall(r"`([^`]+)`", row.replace(r"\|", "|"))]
    words = {word for span in spans for word in re.split(r"[\s,|]+", span)}
    return words | {re.split(r"[{?=]", word, maxsplit=1)[0] for word in words}


def covered(name, named):
    """`process_*` stands for all of them."""
    return name in named or any(other.endswith("*") and name.startswith(other[:-1]) for other in named)


def test_every_endpoint_is_documented(server, named):
    for path in ENDPOINTS:
        assert server.get(path.replace("{id}", "1")).status_code in (200, 404)
        assert path in named, path


def test_every_variable_is_documented(named):
    shown = set(re.findall(r"^\W*([A-Z][A-Z0-9_]+)\b", items("check-config", DB_HOST="/tmp").stdout, re.MULTILINE))
    assert {"PORT", "DB_HOST", "DRAIN_TIMEOUT_MS"} <= shown
    assert shown - named == set()


def test_every_metric_is_documented(server, named):
    shown = set(re.findall(r"^# TYPE (\S+) ", server.get("/metrics").text, re.MULTILINE))
    assert "http_requests_total" in shown
    assert {name for name in shown if not covered(name, named)} == set()


def test_every_documented_metric_exists(server, named):
    shown = set(re.findall(r"^# TYPE (\S+) ", server.get("/metrics").text, re.MULTILINE))
    documented = {
        name
        for name in named
        if re.fullmatch(r"(http|db|items|log|process)_[a-z_]+_(total|seconds|bytes|open|waiting)", name)
    }
    assert documented - shown == set()


def test_every_log_field_is_documented(server, named):
    server.get("/api/items", headers={"X-Amzn-Trace-Id": "Root=1-67891233-abcdef012345678912345678"})
    server.wait_for_access_log(path="/api/items")
    assert {name for line in server.logs() for name in line} - named == set()
