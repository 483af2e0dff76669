"""Each dashboard: rendered as Terraform renders it, every metric published by somebody, every widget in its place."""

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
GROUP, SERVICE, INSTANCE = {"AutoScalingGroupName"}, {"ClusterName", "ServiceName"}, {"DBInstanceIdentifier"}
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
    "AWS/ECS": {"CPUUtilization": SERVICE, "MemoryUtilization": SERVICE},
    # By Container Insights.
    "ECS/ContainerInsights": {"DesiredTaskCount": SERVICE, "RunningTaskCount": SERVICE},
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
    ("AWS/RDS", "CPUUtilization", "Average"),
    ("AWS/RDS", "DatabaseConnections", "Maximum"),
    ("AWS/RDS", "FreeStorageSpace", "Minimum"),
    ("AWS/RDS", "ReadLatency", "Average"),
    ("AWS/RDS", "WriteLatency", "Average"),
    (deployed.NAMESPACE, "ErrorCount", "Sum"),
}
OF_A_PLATFORM = {
    "dashboard.json": {
        ("AWS/AutoScaling", "GroupDesiredCapacity", "Average"),
        ("AWS/AutoScaling", "GroupInServiceInstances", "Average"),
        ("AWS/EC2", "CPUUtilization", "Average"),
    },
    "dashboard-ecs.json": {
        ("ECS/ContainerInsights", "DesiredTaskCount", "Average"),
        ("ECS/ContainerInsights", "RunningTaskCount", "Average"),
        ("AWS/ECS", "CPUUtilization", "Average"),
        ("AWS/ECS", "MemoryUtilization", "Maximum"),
    },
}


@pytest.fixture(params=deployed.DASHBOARDS)
def file(request):
    return request.param


@pytest.fixture
def dashboard(file):
    return deployed.dashboard(file)


def widgets(dashboard, *types):
    return [widget for widget in dashboard["widgets"] if widget["type"] in types]


def metrics(dashboard):
    """Each metric of each widget as (namespace, name, dimensions, statistic)."""
    for widget in widgets(dashboard, "metric"):
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


def test_it_takes_exactly_the_agreed_placeholders(file):
    assert template.placeholders((deployed.FOLDER / file).read_text()) == set(deployed.DASHBOARDS[file])


@pytest.mark.parametrize("broken", ["${loadbalancer}", "${var.region}", "${ region }", "${region"])
def test_another_placeholder_is_an_error(file, broken):
    text = (deployed.FOLDER / file).read_text().replace("${region}", broken, 1)
    with pytest.raises((KeyError, ValueError)):
        template.render(text, **deployed.DASHBOARDS[file])


def test_nothing_is_left_to_be_replaced(dashboard):
    assert not re.search(r"[$%]\{", json.dumps(dashboard))


def test_it_has_the_members_that_cloudwatch_knows(dashboard):
    assert set(dashboard) <= {"start", "end", "periodOverride", "variables", "widgets"}
    assert re.fullmatch(r"-P(T\d+[HM]|\d+D)", dashboard["start"]) and dashboard["periodOverride"] in ("auto", "inherit")
    assert 0 < len(dashboard["widgets"]) <= WIDGETS
    for widget in dashboard["widgets"]:
        assert list(widget) == ["type", "x", "y", "width", "height", "properties"]
        assert widget["type"] in ("text", "metric", "log")


def test_every_widget_lies_on_the_grid(dashboard):
    for widget in widgets(dashboard, "text", "metric", "log"):
        assert 0 <= widget["x"] and widget["x"] + widget["width"] <= COLUMNS and widget["width"] >= 1
        assert 0 <= widget["y"] and 1 <= widget["height"] <= TALLEST


def test_no_widget_lies_upon_another(dashboard):
    cells = [
        {
            (column, row)
            for column in range(widget["x"], widget["x"] + widget["width"])
            for row in range(widget["y"], widget["y"] + widget["height"])
        }
        for widget in widgets(dashboard, "text", "metric", "log")
    ]
    assert not any(one & other for one, other in itertools.combinations(cells, 2))
    assert len(set().union(*cells)) == COLUMNS * (1 + max(row for one in cells for _, row in one)), "there are gaps"


def test_every_widget_says_its_region_and_title(dashboard):
    found = widgets(dashboard, "metric", "log")
    assert {widget["properties"]["region"] for widget in found} == {deployed.REGION}
    titles = [widget["properties"]["title"] for widget in found]
    assert all(titles) and len(set(titles)) == len(titles)


def test_every_metric_is_published_with_these_dimensions(file, dashboard):
    known = published()
    for namespace, name, dimensions, _ in metrics(dashboard):
        assert name in known.get(namespace, {}), (namespace, name)
        assert set(dimensions) == known[namespace][name], (namespace, name, dimensions)
        assert set(dimensions.values()) <= set(deployed.DASHBOARDS[file].values())


def test_statistics_and_periods_are_ones_that_exist(dashboard):
    for *_, statistic in metrics(dashboard):
        assert re.fullmatch(r"Sum|Average|Minimum|Maximum|SampleCount|p\d{2}(\.\d)?", statistic)
    for widget in widgets(dashboard, "metric"):
        assert widget["properties"]["period"] % 60 == 0 and len(widget["properties"]["metrics"]) <= METRICS_OF_A_WIDGET
        assert widget["properties"]["view"] in ("timeSeries", "singleValue", "gauge", "bar", "pie", "table")


def test_all_that_is_asked_for_is_shown(file, dashboard):
    shown = {(namespace, name, statistic) for namespace, name, _, statistic in metrics(dashboard)}
    assert ASKED_FOR | OF_A_PLATFORM[file] <= shown


def test_requests_are_counted_by_the_minute(dashboard):
    [widget] = [one for one in widgets(dashboard, "metric") if one["properties"]["metrics"][0][1] == "RequestCount"]
    assert widget["properties"]["period"] == 60


def test_every_metric_filter_is_shown(dashboard):
    shown = {name for namespace, name, *_ in metrics(dashboard) if namespace == deployed.NAMESPACE}
    assert {entry["metric"] for entry in deployed.FILTERS.values()} <= shown


def test_every_log_widget_runs_a_saved_query_on_the_log_group(dashboard):
    saved = {deployed.title(query): query.split("\n", 1)[1].strip() for query in deployed.QUERIES.values()}
    found = widgets(dashboard, "log")
    assert found
    for widget in found:
        source, _, query = widget["properties"]["query"].partition(" | ")
        assert source == f"SOURCE '{deployed.LOG_GROUP}'"
        assert query == saved[widget["properties"]["title"]]
        insights.Query(query)
        assert widget["properties"]["view"] in ("table", "timeSeries", "bar", "pie")


@mock_aws
def test_an_emulator_takes_it_and_gives_it_back(dashboard):
    cloudwatch = boto3.client(
        "cloudwatch", region_name=deployed.REGION, aws_access_key_id="testing", aws_secret_access_key="testing"
    )
    body = json.dumps(dashboard)
    cloudwatch.put_dashboard(DashboardName="items-dev", DashboardBody=body)
    assert json.loads(cloudwatch.get_dashboard(DashboardName="items-dev")["DashboardBody"]) == dashboard
