"""The agent's configuration: what its schema and its documentation demand, and where they leave a trap."""

import json
import re

import pytest

import agent
import deployed
import template

LOG = "/var/log/items/items.log"
# What the agent knows in an entry of collect_list, and takes nothing else.
FILE_MEMBERS = {
    "file_path", "log_group_name", "log_stream_name", "log_group_class", "timestamp_format", "timezone", "encoding",
    "multi_line_start_pattern", "retention_in_days", "trim_timestamp", "auto_removal", "blacklist", "filters",
    "publish_multi_logs", "backpressure_mode", "service.name", "deployment.environment",
}  # fmt: skip
APPENDED = {name: f"${{aws:{name}}}" for name in ("ImageId", "InstanceId", "InstanceType", "AutoScalingGroupName")}
MEASUREMENTS = {"mem": {"used_percent"}, "disk": {"used_percent", "inodes_free"}}
RETENTIONS = {1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}


@pytest.fixture
def configuration():
    return deployed.agent()


def test_it_takes_exactly_the_agreed_placeholders():
    assert template.placeholders(deployed.AGENT_TEMPLATE) == set(deployed.AGENT_VALUES)


def test_a_placeholder_too_many_is_an_error():
    with pytest.raises(KeyError):
        template.render(deployed.AGENT_TEMPLATE.replace("${log_group}", "${group}"), **deployed.AGENT_VALUES)


def test_what_the_agent_replaces_is_left_to_it(configuration):
    appended = configuration["metrics"]["append_dimensions"]
    assert appended and appended.items() <= APPENDED.items()


def test_it_has_sections_that_the_agent_knows(configuration):
    assert set(configuration) == {"agent", "logs", "metrics"}
    assert set(configuration["logs"]) <= {"logs_collected", "force_flush_interval", "log_stream_name"}
    assert set(configuration["metrics"]) <= {
        "namespace", "append_dimensions", "aggregation_dimensions", "metrics_collected", "force_flush_interval",
    }  # fmt: skip


def test_it_tails_the_services_log_and_the_output_of_the_boot():
    entry, boot = deployed.log_files()
    assert boot["log_stream_name"] == "{instance_id}/boot" and set(boot) <= FILE_MEMBERS
    assert entry["file_path"] == LOG and entry["log_group_name"] == deployed.LOG_GROUP
    assert entry["log_stream_name"] == "{instance_id}" and set(entry) <= FILE_MEMBERS


def test_a_group_has_one_retention_at_most():
    """Two different ones stop the agent; none at all leaves it to who made the group."""
    retentions = {}
    for entry in deployed.log_files():
        if "retention_in_days" in entry:
            assert entry["retention_in_days"] in RETENTIONS | {-1}
            retentions.setdefault(entry["log_group_name"], set()).add(entry["retention_in_days"])
    assert all(len(days) == 1 for days in retentions.values())


def test_a_line_of_the_service_is_dated_to_the_millisecond():
    entry, _ = deployed.log_files()
    line = '{"timestamp":"2026-11-21T00:23:11.432Z","level":"INFO","user_agent":"2001-02-03T04:05:06.789Z"}'
    assert agent.milliseconds(entry["timestamp_format"], line) == 1_795_220_591_432
    assert entry["timezone"] == "UTC"


@pytest.mark.parametrize("wrong", ["%Y-%m-%d %H:%M:%S.%fZ", "%Y-%m-%dT%H:%M:%S,%f", "%d/%m/%YT%H:%M:%S"])
def test_another_format_would_leave_a_line_undated(wrong):
    assert agent.milliseconds(wrong, '{"timestamp":"2026-11-21T00:23:11.432Z"}') is None


def test_a_format_without_a_fraction_would_lose_the_milliseconds():
    assert agent.milliseconds("%Y-%m-%dT%H:%M:%S", '{"timestamp":"2026-11-21T00:23:11.432Z"}') % 1000 == 0


def test_it_measures_memory_and_disk_for_instance_and_group(configuration):
    metrics = configuration["metrics"]
    assert metrics["namespace"] == deployed.NAMESPACE
    assert set(metrics["metrics_collected"]) == {"mem", "disk"}
    for name, collected in metrics["metrics_collected"].items():
        assert set(collected["measurement"]) <= MEASUREMENTS[name]
    assert ["AutoScalingGroupName"] in metrics["aggregation_dimensions"]
    assert all(set(dimensions) <= set(metrics["append_dimensions"]) for dimensions in metrics["aggregation_dimensions"])


def test_it_looks_at_the_root_disk_alone(configuration):
    """Docker's overlays and loop devices come and go, and each would be a metric of its own."""
    assert configuration["metrics"]["metrics_collected"]["disk"]["resources"] == ["/"]


def test_it_fits_into_a_standard_parameter():
    assert len(json.dumps(deployed.agent()).encode()) <= 4096 and len(deployed.AGENT_TEMPLATE.encode()) <= 4096


def test_it_holds_no_secret_and_no_address():
    assert not re.search(r"(?i)password|secret|token|://", deployed.AGENT_TEMPLATE)
