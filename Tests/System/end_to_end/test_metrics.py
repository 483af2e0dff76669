"""The metrics, as Prometheus parses them."""

import json
import re
import subprocess
import time
import urllib.parse
import urllib.request

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from support.ports import free_port
from support.server import items
from support.waiting import until
from support.wire import Wire

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
FAMILIES = {
    "http_requests_total": "counter",
    "http_request_duration_seconds": "histogram",
    "http_requests_in_flight": "gauge",
    "http_connections_open": "gauge",
    "http_connections_accepted_total": "counter",
    "http_parse_errors_total": "counter",
    "db_pool_connections": "gauge",
    "db_pool_connections_max": "gauge",
    "db_pool_waiting": "gauge",
    "db_pool_wait_seconds": "histogram",
    "db_query_duration_seconds": "histogram",
    "db_errors_total": "counter",
    "db_reconnects_total": "counter",
    "items_created_total": "counter",
    "log_lines_dropped_total": "counter",
    "memory_budget_bytes": "gauge",
    "memory_budget_used_bytes": "gauge",
    "build_info": "gauge",
    "process_cpu_seconds_total": "counter",
    "process_resident_memory_bytes": "gauge",
    "process_virtual_memory_bytes": "gauge",
    "process_open_fds": "gauge",
    "process_max_fds": "gauge",
    "process_start_time_seconds": "gauge",
}


def samples(server):
    """Returns every sample as {(name, (label, value)…): number}."""
    text = server.get("/metrics").text
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in parse_text(text)
        for sample in family.samples
    }


def value(server, name, **labels):
    return samples(server).get((name, *sorted(labels.items())), 0)


@pytest.fixture(scope="module", autouse=True)
def traffic(server):
    server.create("Counted")
    for path in (
        "/",
        "/db",
        "/health",
        "/health/live",
        "/api/items",
        "/api/items/1",
        "/unknown/a",
        "/unknown/b",
        "/api/items?limit=x",
    ):
        server.get(path)
    server.request("BREW", "/api/items")


def test_promtool_has_nothing_to_say(server):
    text = server.get("/metrics")
    assert text.headers["Content-Type"] == TEXT
    run = subprocess.run(["promtool", "check", "metrics"], input=text.content, capture_output=True, timeout=10)
    assert (run.returncode, run.stdout, run.stderr) == (0, b"", b"")


def test_every_metric_of_the_contract_is_there_with_its_type(server):
    types = dict(re.findall(r"^# TYPE (\S+) (\S+)$", server.get("/metrics").text, re.MULTILINE))
    assert {name: types.get(name) for name in FAMILIES} == FAMILIES
    helped = set(re.findall(r"^# HELP (\S+) \S", server.get("/metrics").text, re.MULTILINE))
    assert helped == types.keys()


def test_labels_are_those_of_the_contract(server):
    labels = {}
    for name, *pairs in samples(server):
        labels.setdefault(name, set()).update(label for label, _ in pairs)
    assert labels["http_requests_total"] == {"method", "route", "status"}
    assert labels["http_request_duration_seconds_bucket"] == {"method", "route", "le"}
    assert labels["db_pool_connections"] == {"state"}
    assert labels["db_query_duration_seconds_count"] == {"statement"}
    assert labels["build_info"] == {"version", "commit", "swift"}
    states = {dict(pairs)["state"] for (name, *pairs) in samples(server) if name == "db_pool_connections"}
    assert states == {"idle", "in_use"}


def test_requests_are_counted_exactly(server):
    labels = {"method": "GET", "route": "/api/items/{id}", "status": "200"}
    id = server.create("Read often")["id"]
    before = value(server, "http_requests_total", **labels)
    seconds = value(server, "http_request_duration_seconds_count", method="GET", route="/api/items/{id}")
    for _ in range(25):
        server.get(f"/api/items/{id}")
    assert value(server, "http_requests_total", **labels) == before + 25
    assert value(server, "http_request_duration_seconds_count", method="GET", route="/api/items/{id}") == seconds + 25


def test_created_items_are_counted(server):
    before = value(server, "items_created_total")
    for _ in range(5):
        server.create("Counted")
    server.post("/api/items", json={"name": ""})
    assert value(server, "items_created_total") == before + 5


def test_parse_errors_are_counted(server):
    def total():
        return sum(number for (name, *_), number in samples(server).items() if name == "http_parse_errors_total")

    before = total()
    with Wire(server) as wire:
        wire.send("GET / HTTP/1.1\r\nHost : x\r\n\r\n")
        assert wire.read().status_code == 400
    assert total() == before + 1


def test_clients_cannot_make_labels(server):
    server.get("/warm-up")
    server.request("FOO", "/api/items")
    before = samples(server).keys()
    for number in range(50):
        server.get(f"/unknown/{number}")
        server.get(f"/api/items/{10**9 + number}")
        server.request(f"METHOD{number}", "/api/items")
    after = samples(server)
    assert len(after.keys() - before) <= 40, "more new series than new pairs of route and status"
    routes = {dict(pairs)["route"] for (name, *pairs) in after if name == "http_requests_total"}
    methods = {dict(pairs)["method"] for (name, *pairs) in after if name == "http_requests_total"}
    assert "unmatched" in routes and "/api/items/{id}" in routes and not any("unknown" in route for route in routes)
    assert "other" in methods and methods <= {
        "GET",
        "HEAD",
        "POST",
        "PUT",
        "PATCH",
        "DELETE",
        "OPTIONS",
        "CONNECT",
        "TRACE",
        "other",
    }


def test_histograms_add_up(server):
    buckets = {}
    found = samples(server)
    for (name, *pairs), number in found.items():
        if name.endswith("_bucket"):
            labels = dict(pairs)
            bound = float(labels.pop("le"))
            buckets.setdefault((name[: -len("_bucket")], *sorted(labels.items())), []).append((bound, number))
    assert buckets
    for (name, *pairs), values in buckets.items():
        values.sort()
        counts = [number for _, number in values]
        assert counts == sorted(counts) and values[-1][0] == float("inf")
        assert counts[-1] == found[(name + "_count", *pairs)]


def test_the_pool_is_shown(server):
    found = samples(server)
    assert found[("db_pool_connections_max",)] == 10
    assert 2 <= sum(number for (name, *_), number in found.items() if name == "db_pool_connections") <= 10


def test_build_info_names_the_version(server):
    (info,) = [dict(pairs) for (name, *pairs) in samples(server) if name == "build_info"]
    assert info["version"] in items("--version").stdout
    assert info["swift"].startswith("6")


@pytest.mark.parametrize(
    "accept", [OPENMETRICS, "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"]
)
def test_openmetrics_is_answered_when_asked_for(server, accept):
    response = server.get("/metrics", headers={"Accept": accept})
    assert response.headers["Content-Type"] == OPENMETRICS
    assert response.text.endswith("# EOF\n")
    names = {family.name for family in parse_openmetrics(response.text)}
    assert {"http_requests", "http_request_duration_seconds", "items_created"} <= names


@pytest.mark.parametrize("accept", ["*/*", "text/plain", "text/plain;q=1, application/openmetrics-text;q=0.1"])
def test_text_is_answered_otherwise(server, accept):
    assert server.get("/metrics", headers={"Accept": accept}).headers["Content-Type"] == TEXT


def test_they_are_answered_without_the_database(database, launch, tmp_path):
    server = launch({**database.environment, "DB_HOST": str(tmp_path)}).wait_until_live()
    assert server.get("/api/items").status_code == 503
    assert server.get("/metrics", timeout=1).status_code == 200


def test_prometheus_scrapes_them(server, tmp_path):
    port = free_port()
    config = {
        "global": {"scrape_interval": "200ms", "scrape_timeout": "200ms"},
        "scrape_configs": [{"job_name": "items", "static_configs": [{"targets": [f"127.0.0.1:{server.port}"]}]}],
    }
    (tmp_path / "prometheus.yml").write_text(json.dumps(config))
    log = open(tmp_path / "log", "wb")
    process = subprocess.Popen(
        [
            "prometheus",
            f"--config.file={tmp_path}/prometheus.yml",
            f"--storage.tsdb.path={tmp_path}/data",
            f"--web.listen-address=127.0.0.1:{port}",
        ],
        stdout=log,
        stderr=log,
    )

    def query(expression):
        url = f"http://127.0.0.1:{port}/api/v1/query?" + urllib.parse.urlencode({"query": expression})
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return [float(series["value"][1]) for series in json.load(answer)["data"]["result"]]
        except OSError:
            assert process.poll() is None, (tmp_path / "log").read_text()
            return []

    try:
        until(lambda: query("up") == [1.0], 20, 0.1, "Prometheus to scrape")
        assert query("sum(http_requests_total)")[0] > 0
        assert query("items_created_total")[0] > 0
        assert time.time() - query("process_start_time_seconds")[0] < 600
    finally:
        process.terminate()
        process.wait(10)
        log.close()
