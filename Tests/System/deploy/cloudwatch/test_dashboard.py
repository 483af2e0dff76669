"""The dashboard: rendered as Terraform renders it, every metric published by somebody, every widget in its place."""

import itertools
import json
import re

import boto3
import pytest
from moto import mock_aws

import deployed
import insights
import template

COLUMNS, TALLEST = 24, 1000
WIDGETS, METRICS_OF_A_WIDGET = 500, 500

LOAD_BALANCER = {"LoadBalancer"}
TARGETS = {"LoadBalancer", "TargetGroup"}
GROUP, INSTANCE = {"AutoScalingGroupName"}, {"DBInstanceIdentifier"}
# What AWS publishes, with the dimensions it is asked for here.
PUBLISHED = {
    "AWS/ApplicationELB": {
        "RequestCount": LOAD_BALANCER,
        "TargetResponseTime": LOAD_BALANCER,
        "HTTPCode_Target_2XX_Count": LOAD_BALANCER,
        "HTTPCode_Target_3XX_Count": LOAD_BALANCER,
        "HTTPCode_Target_4XX_Count": LOAD_BALANCER,
        "HTTPCode_Target_5XX_Count": LOAD_BALANCER,
        "HTTPCode_ELB_4XX_Count": LOAD_BALANCER,
        "HTTPCode_ELB_5XX_Count": LOAD_BALANCER,
        "HealthyHostCount": TARGETS,
        "UnHealthyHostCount": TARGETS,
    },
    "AWS/AutoScaling": {"GroupDesiredCapacity": GROUP, "GroupInServiceInstances": GROUP},
    "AWS/EC2": {"CPUUtilization": GROUP},
    "AWS/RDS": {
        "CPUUtilization": INSTANCE,
        "DatabaseConnections": INSTANCE,
        "FreeStorageSpace": INSTANCE,
        "ReadLatency": INSTANCE,
        "WriteLatency": INSTANCE,
    },
}
# What a person on call looks for: namespace, metric, statistic.
ASKED_FOR = {
    ("AWS/ApplicationELB", "RequestCount", "Sum"),
    ("AWS/ApplicationELB", "TargetResponseTime", "p50"),
    ("AWS/ApplicationELB", "TargetResponseTime", "p95"),
    ("AWS/ApplicationELB", "TargetResponseTime", "p99"),
    *(("AWS/ApplicationELB", f"HTTPCode_Target_{digit}XX_Count", "Sum") for digit in "2345"),
    *(("AWS/ApplicationELB", f"HTTPCode_ELB_{digit}XX_Count", "Sum") for digit in "45"),
    ("AWS/ApplicationELB", "HealthyHostCount", "Minimum"),
    ("AWS/ApplicationELB", "UnHealthyHostCount", "Maximum"),
    ("AWS/AutoScaling", "GroupDesiredCapacity", "Average"),
    ("AWS/AutoScaling", "GroupInServiceInstances", "Average"),
    ("AWS/EC2", "CPUUtilization", "Average"),
    ("AWS/RDS", "CPUUtilization", "Average"),
    ("AWS/RDS", "DatabaseConnections", "Maximum"),
    ("AWS/RDS", "FreeStorageSpace", "Minimum"),
    ("AWS/RDS", "ReadLatency", "Average"),
    ("AWS/RDS", "WriteLatency", "Average"),
    (deployed.NAMESPACE, "ErrorCount", "Sum"),
}


def widgets(*types):
    return [widget for widget in deployed.dashboard()["widgets"] if widget["type"] in types]


def metrics():
    """Each metric of each widget as (namespace, name, dimensions, statistic)."""
    for widget in widgets("metric"):
        for entry in widget["properties"]["metrics"]:
            options = entry[-1] if isinstance(entry[-1], dict) else {}
            namespace, name, *rest = [part for part in entry if not isinstance(part, dict)]
            dimensions = dict(zip(rest[::2], rest[1::2], strict=True))
            yield namespace, name, dimensions, options.get("stat", widget["properties"]["stat"])


def published():
    """All that is published in this environment: by AWS, by the metric filters, by the agent for the whole group."""
    collected = deployed.agent()["metrics"]["metrics_collected"]
    own = {entry["metric"]: set() for entry in deployed.FILTERS.values()}
    own |= {f"{name}_{measure}": GROUP for name, one in collected.items() for measure in one["measurement"]}
    return {**PUBLISHED, deployed.NAMESPACE: own}


def test_it_takes_exactly_the_agreed_placeholders():
    assert template.placeholders(deployed.DASHBOARD_TEMPLATE) == set(deployed.DASHBOARD_VALUES)


@pytest.mark.parametrize("broken", ["${loadbalancer}", "${var.region}", "${ region }", "${region"])
def test_another_placeholder_is_an_error(broken):
    with pytest.raises((KeyError, ValueError)):
        template.render(deployed.DASHBOARD_TEMPLATE.replace("${region}", broken, 1), **deployed.DASHBOARD_VALUES)


def test_nothing_is_left_to_be_replaced():
    assert not re.search(r"[$%]\{", json.dumps(deployed.dashboard()))


def test_it_has_the_members_that_cloudwatch_knows():
    dashboard = deployed.dashboard()
    assert set(dashboard) <= {"start", "end", "periodOverride", "variables", "widgets"}
    assert re.fullmatch(r"-P(T\d+[HM]|\d+D)", dashboard["start"]) and dashboard["periodOverride"] in ("auto", "inherit")
    assert 0 < len(dashboard["widgets"]) <= WIDGETS
    for widget in dashboard["widgets"]:
        assert list(widget) == ["type", "x", "y", "width", "height", "properties"]
        assert widget["type"] in ("text", "metric", "log")


def test_every_widget_lies_on_the_grid():
    for widget in widgets("text", "metric", "log"):
        assert 0 <= widget["x"] and widget["x"] + widget["width"] <= COLUMNS and widget["width"] >= 1
        assert 0 <= widget["y"] and 1 <= widget["height"] <= TALLEST


def test_no_widget_lies_upon_another():
    cells = [
        {
            (column, row)
            for column in range(widget["x"], widget["x"] + widget["width"])
            for row in range(widget["y"], widget["y"] + widget["height"])
        }
        for widget in widgets("text", "metric", "log")
    ]
    assert not any(one & other for one, other in itertools.combinations(cells, 2))
    assert len(set().union(*cells)) == COLUMNS * (1 + max(row for one in cells for _, row in one)), "there are gaps"


def test_every_widget_says_its_region_and_title():
    found = widgets("metric", "log")
    assert {widget["properties"]["region"] for widget in found} == {deployed.REGION}
    titles = [widget["properties"]["title"] for widget in found]
    assert all(titles) and len(set(titles)) == len(titles)


def test_every_metric_is_published_with_these_dimensions():
    known = published()
    for namespace, name, dimensions, _ in metrics():
        assert name in known.get(namespace, {}), (namespace, name)
        assert set(dimensions) == known[namespace][name], (namespace, name, dimensions)
        assert set(dimensions.values()) <= set(deployed.DASHBOARD_VALUES.values())


def test_statistics_and_periods_are_ones_that_exist():
    for *_, statistic in metrics():
        assert re.fullmatch(r"Sum|Average|Minimum|Maximum|SampleCount|p\d{2}(\.\d)?", statistic)
    for widget in widgets("metric"):
        assert widget["properties"]["period"] % 60 == 0 and len(widget["properties"]["metrics"]) <= METRICS_OF_A_WIDGET
        assert widget["properties"]["view"] in ("timeSeries", "singleValue", "gauge", "bar", "pie", "table")


def test_all_that_is_asked_for_is_shown():
    shown = {(namespace, name, statistic) for namespace, name, _, statistic in metrics()}
    assert ASKED_FOR <= shown


def test_requests_are_counted_by_the_minute():
    [widget] = [one for one in widgets("metric") if one["properties"]["metrics"][0][1] == "RequestCount"]
    assert widget["properties"]["period"] == 60


def test_every_metric_filter_is_shown():
    shown = {name for namespace, name, *_ in metrics() if namespace == deployed.NAMESPACE}
    assert {entry["metric"] for entry in deployed.FILTERS.values()} <= shown


def test_every_log_widget_runs_a_saved_query_on_the_log_group():
    saved = {deployed.title(query): query.split("\n", 1)[1].strip() for query in deployed.QUERIES.values()}
    found = widgets("log")
    assert found
    for widget in found:
        source, _, query = widget["properties"]["query"].partition(" | ")
        assert source == f"SOURCE '{deployed.LOG_GROUP}'"
        assert query == saved[widget["properties"]["title"]]
        insights.Query(query)
        assert widget["properties"]["view"] in ("table", "timeSeries", "bar", "pie")


@mock_aws
def test_an_emulator_takes_it_and_gives_it_back():
    cloudwatch = boto3.client(
        "cloudwatch", region_name=deployed.REGION, aws_access_key_id="testing", aws_secret_access_key="testing"
    )
    body = json.dumps(deployed.dashboard())
    cloudwatch.put_dashboard(DashboardName="items-dev", DashboardBody=body)
    assert json.loads(cloudwatch.get_dashboard(DashboardName="items-dev")["DashboardBody"]) == deployed.dashboard()
