"""How fast the group grows under load: a simulation of the planned policy by the documented rules of step scaling."""

import math

import graph
import pytest

BOOT_MINUTES = 5  # the longer end of what a first boot takes
LOAD = 8  # instances that would work at the threshold


@pytest.fixture(scope="module")
def planned(plans):
    """prod's planned resources by type and key."""
    found = {}
    for one in graph.resources(plans["prod"]):
        found[one["type"], one.get("index", one["name"])] = one["values"]
    return found


def change(policy, capacity, excess):
    """The change that the policy makes to a capacity when the metric exceeds the alarm's threshold by `excess`."""
    for step in policy["step_adjustment"]:
        low = float(step["metric_interval_lower_bound"] or 0)
        high = float(step["metric_interval_upper_bound"] or "inf")
        if low <= excess < high:
            wanted = step["scaling_adjustment"]
            if policy["adjustment_type"] == "PercentChangeInCapacity":
                part = capacity * wanted / 100
                return max(math.floor(part) if part > 1 else 1, policy["min_adjustment_magnitude"] or 0)
            return wanted
    return 0


def minutes_until(planned, wanted, load):
    """Minutes until `wanted` instances serve; those that warm up already count towards the desired capacity."""
    group, policy = planned["aws_autoscaling_group", "service"], planned["aws_autoscaling_policy", "out"]
    alarm = planned["aws_cloudwatch_metric_alarm", "out"]
    warmup = (policy["estimated_instance_warmup"] or group["default_instance_warmup"]) / 60
    serving, launched, breaching = [0.0] * group["min_size"], [], 0
    for minute in range(1, 600):
        ready = [start for start in launched if minute >= start + BOOT_MINUTES]
        in_service = len(serving) + len(ready)
        if in_service >= wanted:
            return minute
        warming = [start for start in launched if minute < start + BOOT_MINUTES + warmup]
        cpu = min(100.0, alarm["threshold"] * load / in_service)
        breaching = breaching + 1 if cpu > alarm["threshold"] else 0
        if breaching >= alarm["evaluation_periods"]:
            capacity = len(serving) + len(launched) - len(warming)
            desired = min(group["max_size"], capacity + change(policy, capacity, cpu - alarm["threshold"]))
            launched += [minute] * max(0, desired - len(serving) - len(launched))
    raise AssertionError("never")


def test_the_group_has_grown_to_its_load_within_half_an_hour(planned):
    minutes = minutes_until(planned, LOAD, LOAD)
    print(f"from 2 to {LOAD} instances in {minutes} minutes")
    assert minutes <= 30


def test_a_small_excess_adds_one_instance(planned):
    policy = planned["aws_autoscaling_policy", "out"]
    assert [change(policy, capacity, 5) for capacity in (2, 5, 9)] == [1, 1, 1]


def test_percentages_are_rounded_as_documented():
    """AWS rounds a value between 0 and 1 up to 1, and others down."""
    step = {"metric_interval_lower_bound": "0", "metric_interval_upper_bound": None, "scaling_adjustment": 25}
    policy = {"adjustment_type": "PercentChangeInCapacity", "min_adjustment_magnitude": None, "step_adjustment": [step]}
    assert [change(policy, capacity, 1) for capacity in (2, 4, 10)] == [1, 1, 2]
