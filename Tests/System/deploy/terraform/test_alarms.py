"""When each planned alarm is raised: CloudWatch's rules are applied to the metrics of an incident."""

import re

import graph
import pytest

MINUTES = 40


@pytest.fixture(scope="module")
def alarms(plans):
    """The planned alarms that notify people, by name."""
    return {
        one["values"]["alarm_name"].removeprefix("items-prod-"): one["values"]
        for one in graph.resources(plans["prod"])
        if one["type"] == "aws_cloudwatch_metric_alarm" and "-scale-" not in one["values"]["alarm_name"]
    }


COMPARISONS = {"GreaterThanThreshold": lambda a, b: a > b, "LessThanThreshold": lambda a, b: a < b}


def series(alarm, metrics):
    """The alarm's metric or expression: one value, or None for missing data, per period."""
    named = {}
    for query in alarm.get("metric_query") or []:
        for metric in query["metric"]:
            named[query["id"]] = (metrics.get(metric["metric_name"], []), metric["period"])
    if not named:
        named["only"] = (metrics.get(alarm["metric_name"], []), alarm["period"])
    minutes = next(iter(named.values()))[1] // 60
    columns = {
        key: [values[at] if at < len(values) else None for at in range(0, MINUTES, minutes)]
        for key, (values, _) in named.items()
    }
    expressions = [query["expression"] for query in alarm.get("metric_query") or [] if query["expression"]]
    if not expressions:
        return columns["only"], minutes
    text = re.sub(r"FILL\((\w+), 0\)", r"(\1 or 0)", expressions[0])
    rows = [{key: column[at] for key, column in columns.items()} for at in range(len(next(iter(columns.values()))))]
    filled = "FILL" in expressions[0]
    return [None if not filled and None in row.values() else eval(text, {}, row) for row in rows], minutes


def raised_after(alarm, metrics):
    """Minutes until the alarm is raised, None if it is not."""
    values, minutes = series(alarm, metrics)
    breaching = 0
    for at, value in enumerate(values):
        if value is None:
            bad = {"breaching": True, "notBreaching": False}.get(alarm["treat_missing_data"], breaching > 0 and None)
            if bad is None:
                continue
        else:
            bad = COMPARISONS[alarm["comparison_operator"]](value, alarm["threshold"])
        breaching = breaching + 1 if bad else 0
        if breaching >= alarm["evaluation_periods"]:
            return (at + 1) * minutes
    return None


def raised(alarms, metrics):
    return {name: after for name, alarm in alarms.items() if (after := raised_after(alarm, metrics)) is not None}


def steady(**changes):
    """Metrics of a quiet period, with the given changes."""
    usual = {
        "HealthyHostCount": 2, "UnHealthyHostCount": 0, "GroupDesiredCapacity": 2, "GroupInServiceInstances": 2,
        "CPUUtilization": 20, "FreeStorageSpace": 2e10, "ErrorCount": 0, "DatabaseUnreachableCount": 0,
    }  # fmt: skip
    return {name: [value] * MINUTES for name, value in usual.items()} | changes


def test_a_quiet_period_raises_no_alarm(alarms):
    assert raised(alarms, steady()) == {}


def test_launches_that_never_become_ready_raise_a_critical_alarm(alarms):
    """No target is ever registered, so the load balancer reports no number of targets."""
    nothing = {"HealthyHostCount": [None] * MINUTES, "UnHealthyHostCount": [None] * MINUTES}
    found = raised(alarms, steady(**nothing, GroupInServiceInstances=[0] * MINUTES))
    assert found["no-healthy-hosts"] <= 5
    assert found["instances-missing"] <= 25


def test_unhealthy_targets_alone_raise_a_critical_alarm(alarms):
    found = raised(alarms, steady(HealthyHostCount=[0] * MINUTES, UnHealthyHostCount=[2] * MINUTES))
    assert found["no-healthy-hosts"] <= 5


def test_instances_that_are_replaced_repeatedly_raise_an_alarm(alarms):
    """Each is replaced after two failed checks, before the alarm of unhealthy hosts has its five minutes."""
    healthy, unhealthy = ([2, 1, 1, 1] * MINUTES)[:MINUTES], ([0, 1, 1, 0] * MINUTES)[:MINUTES]
    serving = [1] * MINUTES
    metrics = steady(HealthyHostCount=healthy, UnHealthyHostCount=unhealthy, GroupInServiceInstances=serving)
    found = raised(alarms, metrics)
    assert "unhealthy-hosts" not in found and "instances-missing" in found


def test_a_launch_as_long_as_its_hook_permits_raises_no_alarm(alarms):
    growing = [3] * MINUTES
    serving = [2] * 15 + [3] * (MINUTES - 15)
    assert raised(alarms, steady(GroupDesiredCapacity=growing, GroupInServiceInstances=serving)) == {}
