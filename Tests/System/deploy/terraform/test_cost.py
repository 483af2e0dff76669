"""The cost note of each environment: its sums are right, and its numbers are those of the plan."""

import re

import pytest

import graph
import workspace

HOURS = 730
ROW = re.compile(r"^\| (?P<item>[^|*]+) \| (?P<number>\d+) \| (?P<price>[\d.]+) \| (?P<per>hour|month) \| (?P<month>[\d.]+) \|$", re.M)


@pytest.fixture(params=workspace.ENVIRONMENTS)
def environment(request):
    return request.param


@pytest.fixture
def note(environment):
    return (workspace.SOURCE / f"environments/{environment}/README.md").read_text()


@pytest.fixture
def rows(note):
    found = [match.groupdict() for match in ROW.finditer(note)]
    assert len(found) == 13
    return found


def test_every_line_and_the_total_add_up(note, rows):
    for row in rows:
        hours = HOURS if row["per"] == "hour" else 1
        assert abs(int(row["number"]) * float(row["price"]) * hours - float(row["month"])) <= 0.0051, row
    (total,) = re.findall(r"\*\*([\d.]+)\*\* \|$", note, re.M)
    assert total == f"{sum(float(row['month']) for row in rows):.2f}"


def test_the_budget_is_above_the_estimate_and_not_far(environment, note, plans):
    (total,) = re.findall(r"\*\*([\d.]+)\*\* \|$", note, re.M)
    (budget,) = (one for one in graph.resources(plans[environment]) if one["type"] == "aws_budgets_budget")
    # The first warning comes at 80 %: not in a month like any other.
    assert 0.8 * float(budget["values"]["limit_amount"]) < 1.5 * float(total)
    assert float(total) < float(budget["values"]["limit_amount"])


def test_the_numbers_are_those_of_the_plan(environment, rows, plans):
    planned = {}
    for one in graph.resources(plans[environment]):
        planned.setdefault(one["type"], []).append(one["values"])
    (group,), (template,) = planned["aws_autoscaling_group"], planned["aws_launch_template"]
    (database,) = planned["aws_db_instance"]
    zones = sum(one["tags"]["Tier"] == "public" for one in planned["aws_subnet"])
    instances, gateways = group["desired_capacity"], len(planned["aws_nat_gateway"])
    copies = 2 if database["multi_az"] else 1
    (volume,) = template["block_device_mappings"]
    filters = len(planned["aws_cloudwatch_log_metric_filter"])
    alarms = sum(len([query for query in one["metric_query"] if query["metric"]]) or 1 for one in planned["aws_cloudwatch_metric_alarm"])
    wanted = {
        f"EC2 instance {template['instance_type']}": instances,
        "EBS volume gp3, GB": instances * volume["ebs"][0]["volume_size"],
        "NAT gateway": gateways,
        "Load balancer": len(planned["aws_lb"]),
        "Public IPv4 address": zones + gateways,
        f"RDS instance {database['instance_class']}": copies,
        "RDS storage, GB": copies * database["allocated_storage"],
        "KMS key": len(planned["aws_kms_key"]),
        "Secret": 1 if database["manage_master_user_password"] else 0,
        "Metric of an alarm": alarms,
        "Custom metric": None if filters == 1 else filters + 9 * instances + 2,
        "Dashboard": len(planned["aws_cloudwatch_dashboard"]),
    }
    for item, number in wanted.items():
        (row,) = (row for row in rows if row["item"].startswith(item))
        assert number is None or int(row["number"]) == number, row
