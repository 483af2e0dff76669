"""The tables of docs/ contain every endpoint, variable, metric and log field."""

import re

import pytest

from support.project import ROOT
from support.server import items

ENDPOINTS = [
    "/",
    "/health",
    "/health/live",
    "/health/ready",
    "/db",
    "/api/items",
    "/api/items/{id}",
    "/metrics",
    "/problems/{name}",
    "/openapi.json",
    "/docs",
    "/.well-known/api-catalog",
]


def named(page):
    """Returns everything in backticks in the page's tables, also without labels or query of a name."""
    rows = [line for line in (ROOT / "docs" / page).read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    spans = [span for row in rows for span in re.findall(r"`([^`]+)`", row.replace(r"\|", "|"))]
    words = {word for span in spans for word in re.split(r"[\s,|]+", span)}
    return words | {re.split(r"[{?=]", word, maxsplit=1)[0] for word in words}


@pytest.fixture(scope="module")
def observed():
    return named("observability.md")


def test_every_endpoint_is_documented(server):
    names = named("api.md")
    for path in ENDPOINTS:
        assert server.get(path.replace("{id}", "1").replace("{name}", "validation")).status_code in (200, 404)
        assert path in names, path


def test_every_variable_is_documented():
    shown = re.findall(r"^\W*([A-Z][A-Z0-9_]+)\b", items("check-config", DB_HOST="/tmp").stdout, re.MULTILINE)
    assert {"PORT", "DB_HOST", "DRAIN_TIMEOUT_MS"} <= set(shown)
    page = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
    assert set(shown) - set(re.findall(r"^\| `([A-Z0-9_]+)` \|", page, re.MULTILINE)) == set()


def test_every_metric_is_documented(server, observed):
    shown = set(re.findall(r"^# TYPE (\S+) ", server.get("/metrics").text, re.MULTILINE))
    assert "http_requests_total" in shown
    assert shown - observed == set()


def test_every_documented_metric_exists(server, observed):
    shown = set(re.findall(r"^# TYPE (\S+) ", server.get("/metrics").text, re.MULTILINE))
    documented = {
        name
        for name in observed
        if re.fullmatch(r"(http|db|items|log|process)_[a-z_]+_(total|seconds|bytes|open|waiting)", name)
    }
    assert documented - shown == set()


def test_every_log_field_is_documented(server, observed):
    server.get("/api/items", headers={"X-Amzn-Trace-Id": "Root=1-67891233-abcdef012345678912345678"})
    server.wait_for_access_log(path="/api/items")
    assert {name for line in server.logs() for name in line} - observed == set()


def test_the_readme_is_short_and_names_variables_that_exist():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(readme.splitlines()) <= 200
    rows = [line for line in readme.splitlines() if line.startswith("| `")]
    variables = {name for row in rows for name in re.findall(r"`([A-Z][A-Z_]+)`", row.split("|")[1])}
    assert len(variables) == 10
    assert variables - named("configuration.md") == set()
