"""The output of a boot goes to the same log group: no filter and no query counts its lines as the service's."""

import re

import pytest

import deployed
import insights
from pattern import Pattern

LINES = [
    "2026-11-21T14:27:04Z items-boot: identity: i-0fedcba9876543210 in eu-west-1b",
    "2026-11-21T14:28:04Z items-boot: secret: failed: ITEMS_SECRET_SECONDS are over: ERROR; the launch got ABANDON",
    'Cloud-init v. 22.2.2 running "modules:final"',
    "ERROR: msg level status",
]
FIELDS = {
    "timestamp": "2026-11-21T14:27:04.000Z", "instance_id": "i-1", "level": "DEBUG", "msg": "x", "route": "x", "status": 0,
    "error": "x", "request_id": "x", "trace_id": "x", "method": "x", "path": "x", "response_time_ms": 1, "bytes": 1,
    "remote_addr": "x", "user_agent": "x", "open_connections": 0, "version": "x", "workers": 1, "port": 1, "reason": "x",
}  # fmt: skip


def test_the_agent_sends_the_output_of_the_boot_with_the_log():
    boot = {entry["log_stream_name"]: entry for entry in deployed.log_files()}["{instance_id}/boot"]
    assert boot["file_path"] == "/var/log/cloud-init-output.log"
    assert boot["log_group_name"] == deployed.LOG_GROUP  # the only one to which the role may write


@pytest.mark.parametrize("name", deployed.FILTERS)
def test_no_filter_counts_a_line_of_a_boot(name):
    pattern = Pattern(deployed.FILTERS[name]["pattern"])
    assert [line for line in LINES if pattern.matches(line)] == []


@pytest.mark.parametrize("name", deployed.QUERIES)
def test_no_query_returns_a_line_of_a_boot(name):
    """The first condition of each filter is true only for lines with the service's fields."""
    condition = re.search(r"filter (.*)", deployed.QUERIES[name])[1].split(" and ")[0]
    boot = [{"@timestamp": 1, "@message": line, "@logStream": "i-1/boot"} for line in LINES]
    other = {**FIELDS, "@timestamp": 1, "@message": "{}", "@logStream": "i-1"}  # the service's, with every field
    rows = insights.run(f"fields @logStream | filter {condition}", [*boot, other]).rows
    assert [row for row in rows if row["@logStream"] == "i-1/boot"] == []
