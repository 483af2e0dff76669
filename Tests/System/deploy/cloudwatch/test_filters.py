"""The metric filters as CloudWatch takes them."""

import re

import boto3
import pytest
from moto import mock_aws

import deployed
from pattern import Pattern

# The alphabet of a name, and of a metric's.
NAME = re.compile(r"[^:*]{1,512}")
METRIC = re.compile(r"[^:*$]{1,255}")
FILTERS_OF_A_GROUP = 100


@pytest.mark.parametrize("name", deployed.FILTERS)
class TestAFilter:
    def test_has_the_agreed_members(self, name):
        entry = deployed.FILTERS[name]
        assert list(entry) == ["name", "pattern", "metric", "value", "default", "unit"]
        assert all(isinstance(value, str) for value in entry.values())

    def test_can_be_read(self, name):
        assert Pattern(deployed.FILTERS[name]["pattern"]).names

    def test_has_names_that_are_allowed(self, name):
        entry = deployed.FILTERS[name]
        assert NAME.fullmatch(name) and METRIC.fullmatch(entry["metric"]) and entry["pattern"].isascii()

    def test_counts_lines_and_says_none_when_there_are_none(self, name):
        """Without a default an alarm has no data, rather than nothing to say."""
        entry = deployed.FILTERS[name]
        assert (entry["value"], entry["default"], entry["unit"]) == ("1", "0", "Count")


def test_names_and_metrics_differ():
    assert len(deployed.FILTERS) == len({entry["metric"] for entry in deployed.FILTERS.values()})
    assert len(deployed.FILTERS) <= FILTERS_OF_A_GROUP


def test_errors_are_counted_as_the_alarm_expects():
    [entry] = [entry for entry in deployed.FILTERS.values() if entry["metric"] == "ErrorCount"]
    assert entry["pattern"] == '{ $.level = "ERROR" }'


@mock_aws
def test_an_emulator_takes_them_and_gives_them_back():
    logs = boto3.client(
        "logs", region_name=deployed.REGION, aws_access_key_id="testing", aws_secret_access_key="testing"
    )
    logs.create_log_group(logGroupName=deployed.LOG_GROUP)
    for entry in deployed.FILTERS.values():
        logs.put_metric_filter(
            logGroupName=deployed.LOG_GROUP,
            filterName=entry["name"],
            filterPattern=entry["pattern"],
            metricTransformations=[
                {
                    "metricName": entry["metric"],
                    "metricNamespace": deployed.NAMESPACE,
                    "metricValue": entry["value"],
                    "defaultValue": float(entry["default"]),
                    "unit": entry["unit"],
                }
            ],
        )
    kept = logs.describe_metric_filters(logGroupName=deployed.LOG_GROUP)["metricFilters"]
    assert {entry["filterName"]: entry["filterPattern"] for entry in kept} == {
        name: entry["pattern"] for name, entry in deployed.FILTERS.items()
    }
