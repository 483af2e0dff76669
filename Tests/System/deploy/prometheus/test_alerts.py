"""The alert rules: those of docs/observability.md, over series made for them, and over what the service really exposes."""

import json
import os
import re
import shutil
import subprocess

import alerts
import pytest
import requests

from support.ports import free_port
from support.project import BINARY
from support.server import Server, stop_all
from support.waiting import until

PROMTOOL, PROMETHEUS = shutil.which("promtool"), shutil.which("prometheus")
TOOL_SECONDS = 30
READY_SECONDS = 20
# The page's words for each alert.
WORDS = {
    "NoAnswers": "no answers",
    "ServerErrors": "server errors",
    "Slow": "slow",
    "DatabaseFails": "database fails",
    "PoolTooSmall": "pool too small",
    "ClientsWaitOutside": "clients wait outside",
    "DescriptorsRunOut": "descriptors run out",
    "LogLinesLost": "log lines are lost",
    "MalformedRequests": "malformed requests",
}
INSTANCE = 'job="items", instance="a:5001"'
BUCKETS = '{%s, route="/api/items", method="GET", le="%s"}'

# For each alert: series that raise it, and series that are just not enough, over 30 minutes.
RAISED = {
    "NoAnswers": {f"up{{{INSTANCE}}}": "0x30"},
    "ServerErrors": {
        f'http_requests_total{{{INSTANCE}, status="200"}}': "0+980x30",
        f'http_requests_total{{{INSTANCE}, status="503"}}': "0+20x30",
    },
    "Slow": {
        "http_request_duration_seconds_bucket" + BUCKETS % (INSTANCE, "0.5"): "0+980x30",
        "http_request_duration_seconds_bucket" + BUCKETS % (INSTANCE, "1"): "0+1000x30",
        "http_request_duration_seconds_bucket" + BUCKETS % (INSTANCE, "+Inf"): "0+1000x30",
    },
    "DatabaseFails": {f'db_errors_total{{{INSTANCE}, class="connection"}}': "0+1x30"},
    "PoolTooSmall": {
        f'db_pool_wait_seconds_bucket{{{INSTANCE}, le="0.1"}}': "0+980x30",
        f'db_pool_wait_seconds_bucket{{{INSTANCE}, le="0.5"}}': "0+1000x30",
        f'db_pool_wait_seconds_bucket{{{INSTANCE}, le="+Inf"}}': "0+1000x30",
    },
    "ClientsWaitOutside": {f"http_connections_open{{{INSTANCE}}}": "9001x30"},
    "DescriptorsRunOut": {
        f"process_open_fds{{{INSTANCE}}}": "17000x30",
        f"process_max_fds{{{INSTANCE}}}": "20000x30",
    },
    "LogLinesLost": {f"log_lines_dropped_total{{{INSTANCE}}}": "0+1x30"},
    "MalformedRequests": {f'http_parse_errors_total{{{INSTANCE}, reason="bad_target"}}': "0+660x30"},
}
QUIET = {
    "NoAnswers": {f"up{{{INSTANCE}}}": "1x30"},
    "ServerErrors": {
        f'http_requests_total{{{INSTANCE}, status="200"}}': "0+991x30",
        f'http_requests_total{{{INSTANCE}, status="503"}}': "0+9x30",
        # A strange client's, and no fault of the service.
        f'http_requests_total{{{INSTANCE}, status="501"}}': "0+500x30",
    },
    "Slow": {
        "http_request_duration_seconds_bucket" + BUCKETS % (INSTANCE, "0.5"): "0+995x30",
        "http_request_duration_seconds_bucket" + BUCKETS % (INSTANCE, "1"): "0+1000x30",
        "http_request_duration_seconds_bucket" + BUCKETS % (INSTANCE, "+Inf"): "0+1000x30",
        # A health check may take two seconds.
        f'http_request_duration_seconds_bucket{{{INSTANCE}, route="/health", le="0.5"}}': "0x30",
        f'http_request_duration_seconds_bucket{{{INSTANCE}, route="/health", le="+Inf"}}': "0+9000x30",
    },
    "DatabaseFails": {f'db_errors_total{{{INSTANCE}, class="connection"}}': "7x30"},
    "PoolTooSmall": {
        f'db_pool_wait_seconds_bucket{{{INSTANCE}, le="0.1"}}': "0+995x30",
        f'db_pool_wait_seconds_bucket{{{INSTANCE}, le="0.5"}}': "0+1000x30",
        f'db_pool_wait_seconds_bucket{{{INSTANCE}, le="+Inf"}}': "0+1000x30",
    },
    "ClientsWaitOutside": {f"http_connections_open{{{INSTANCE}}}": "9000x30"},
    "DescriptorsRunOut": {
        f"process_open_fds{{{INSTANCE}}}": "16000x30",
        f"process_max_fds{{{INSTANCE}}}": "20000x30",
    },
    "LogLinesLost": {f"log_lines_dropped_total{{{INSTANCE}}}": "7x30"},
    "MalformedRequests": {f'http_parse_errors_total{{{INSTANCE}, reason="bad_target"}}': "0+540x30"},
}
RULES = {rule["alert"]: rule for rule in alerts.rules()}


def promtool(*arguments):
    if not PROMTOOL:
        pytest.skip("promtool is not installed")
    return subprocess.run([PROMTOOL, *arguments], capture_output=True, text=True, timeout=TOOL_SECONDS)


class TestTheRules:
    def test_are_valid(self):
        run = promtool("check", "rules", "--lint=all", "--lint-fatal", str(alerts.FILE))
        assert run.returncode == 0 and f"{len(RULES)} rules found" in run.stdout, run.stdout + run.stderr

    def test_are_those_of_the_readme(self):
        written = [(WORDS[rule["alert"]], rule["expr"], rule.get("for")) for rule in alerts.rules()]
        assert written == [(words, expression, alerts.duration(time)) for words, expression, time in alerts.table()]

    @pytest.mark.parametrize("name", RULES)
    def test_say_how_bad_it_is_and_what_to_do(self, name):
        rule = RULES[name]
        assert rule["severity"] in ("critical", "warning") and rule["summary"] and rule["description"].endswith(".")

    def test_have_a_case_each(self):
        assert list(RAISED) == list(QUIET) == list(RULES)


def minutes(name):
    """How long the condition has to last."""
    return int(RULES[name].get("for", "0m").rstrip("m"))


def raised(name, series, minute, tmp_path):
    """Whether an alert is sent at this minute of these series, with promtool's own words."""
    exists = {
        "interval": "1m",
        "input_series": [{"series": series, "values": values} for series, values in series.items()],
        "promql_expr_test": [
            {
                "expr": f'count(ALERTS{{alertname="{name}", alertstate="firing"}})',
                "eval_time": f"{minute}m",
                "exp_samples": [{"labels": "{}", "value": 1}],
            }
        ],
    }
    path = tmp_path / f"{name}-{minute}.yml"
    alerts.write(path, [exists])
    run = promtool("test", "rules", str(path))
    said = run.stdout + run.stderr
    assert run.returncode == 0 or "exp:" in said, said
    return run.returncode == 0


@pytest.mark.parametrize("name", RULES)
class TestAnAlert:
    def test_is_sent_when_its_condition_lasts(self, name, tmp_path):
        # A rate over five minutes is complete after six.
        assert raised(name, RAISED[name], minutes(name) + 6, tmp_path)

    def test_is_not_sent_before(self, name, tmp_path):
        if minutes(name) == 0:
            assert not raised(name, RAISED[name], 0, tmp_path)
        else:
            assert not raised(name, RAISED[name], minutes(name) - 1, tmp_path)

    def test_is_not_sent_just_below_its_threshold(self, name, tmp_path):
        assert not raised(name, QUIET[name], 29, tmp_path)


def test_a_failover_of_two_minutes_raises_an_alert_and_one_error_does_not(tmp_path):
    errors = f'db_errors_total{{{INSTANCE}, class="connection"}}'
    assert raised("DatabaseFails", {errors: "0x2 9 18x20"}, 8, tmp_path)
    assert not any(raised("DatabaseFails", {errors: "0x2 1x20"}, minute, tmp_path) for minute in range(3, 10))


def test_summaries_name_the_instance_and_the_value(tmp_path):
    cases = [
        {
            "interval": "1m",
            "input_series": [{"series": series, "values": values} for series, values in RAISED[name].items()],
            "alert_rule_test": [
                {
                    "eval_time": "20m",
                    "alertname": name,
                    "exp_alerts": [
                        {
                            "exp_labels": {"severity": RULES[name]["severity"], **labels},
                            "exp_annotations": {"summary": summary, "description": RULES[name]["description"]},
                        }
                    ],
                }
            ],
        }
        for name, labels, summary in (
            ("NoAnswers", {"job": "items", "instance": "a:5001"}, "a:5001 does not answer"),
            ("ServerErrors", {}, "2% of the requests fail"),
            ("ClientsWaitOutside", {"job": "items", "instance": "a:5001"}, "a:5001 holds 9001 connections"),
            ("DescriptorsRunOut", {"job": "items", "instance": "a:5001"}, "a:5001 uses 85% of its descriptors"),
            ("MalformedRequests", {}, "11 malformed requests a second"),
        )
    ]
    path = tmp_path / "summaries.yml"
    alerts.write(path, cases)
    run = promtool("test", "rules", str(path))
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory):
    """A Prometheus with these rules that scrapes a service without a database five times a second."""
    if not PROMETHEUS:
        pytest.skip("prometheus is not installed")
    assert os.access(BINARY, os.X_OK), f"{BINARY} is missing: make build"
    directory = tmp_path_factory.mktemp("prometheus")
    server = Server({"DB_HOST": str(directory)})
    process = None
    try:
        server.wait_until_live()
        port = free_port()
        (directory / "prometheus.yml").write_text(
            json.dumps(
                {
                    "global": {"scrape_interval": "200ms", "scrape_timeout": "200ms", "evaluation_interval": "200ms"},
                    "rule_files": [str(alerts.FILE)],
                    "scrape_configs": [
                        {"job_name": "items", "static_configs": [{"targets": [f"127.0.0.1:{server.port}"]}]}
                    ],
                }
            )
        )
        process = subprocess.Popen(
            [
                PROMETHEUS, f"--config.file={directory}/prometheus.yml", f"--storage.tsdb.path={directory}/data",
                f"--web.listen-address=127.0.0.1:{port}", "--log.level=error",
            ],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        yield Scraper(f"http://127.0.0.1:{port}", server, process)
    finally:
        if process:
            process.kill()
            process.wait()
        stop_all([server])


class Scraper:
    def __init__(self, url, server, process):
        self.url, self.server, self.process = url, server, process

    def get(self, path, **parameters):
        assert self.process.poll() is None, "Prometheus ended"
        try:
            response = requests.get(self.url + path, params=parameters, timeout=10)
        except requests.ConnectionError:
            return None
        return response.json()["data"] if response.status_code == 200 else None

    def active(self):
        """The names of the alerts whose condition is met, however long."""
        data = self.get("/api/v1/alerts")
        return {alert["labels"]["alertname"] for alert in data["alerts"]} if data else set()


def test_every_metric_of_the_rules_is_exposed_by_the_service(prometheus):
    prometheus.server.get("/api/items")
    text = prometheus.server.get("/metrics").text
    exposed = set(re.findall(r"^([a-z_]+)(?=[{ ])", text, re.MULTILINE))
    assert alerts.metrics() - {"up"} <= exposed and len(alerts.metrics()) > 8


def test_a_service_without_its_database_is_noticed(prometheus):
    def noticed():
        prometheus.server.get("/api/items")
        return {"ServerErrors", "DatabaseFails"} <= prometheus.active()

    until(noticed, READY_SECONDS, interval=0.3, what="both alerts to be pending")
    assert prometheus.active() == {"ServerErrors", "DatabaseFails"}


def test_a_service_that_is_gone_is_noticed(prometheus):
    until(lambda: prometheus.get("/api/v1/query", query="up == 1"), READY_SECONDS, what="the first scrape")
    prometheus.server.stop()
    until(lambda: "NoAnswers" in prometheus.active(), READY_SECONDS, interval=0.2, what="its alert to be pending")
