"""The cost note of each environment and example: its sums are right, and its numbers are those of the plan."""

import re

import pytest

import graph
import workspace

HOURS = 730
ROW = re.compile(r"^\| (?P<item>[^|*]+) \| (?P<number>[\d.]+) \| (?P<price>[\d.]+) \| (?P<per>hour|month) \| (?P<month>[\d.]+) \|$", re.M)


ROOTS = [f"environments/{name}" for name in workspace.ENVIRONMENTS] + [f"examples/{name}" for name in workspace.EXAMPLES]


@pytest.fixture(params=ROOTS)
def root(request):
    return request.param


@pytest.fixture
def note(root):
    return (workspace.SOURCE / root / "README.md").read_text()


@pytest.fixture
def rows(note):
    found = [match.groupdict() for match in ROW.finditer(note)]
    assert 13 <= len(found) <= 15
    return found


@pytest.fixture
def planned(root, plans, example_plans):
    """The planned resources' values by type."""
    found = {}
    for one in graph.resources((plans | example_plans)[root.split("/")[1]]):
        found.setdefault(one["type"], []).append(one["values"])
    return found


def test_every_line_and_the_total_add_up(note, rows):
    for row in rows:
        hours = HOURS if row["per"] == "hour" else 1
        assert abs(float(row["number"]) * float(row["price"]) * hours - float(row["month"])) <= 0.0051, row
    (total,) = re.findall(r"\*\*([\d.]+)\*\* \|$", note, re.M)
    assert total == f"{sum(float(row['month']) for row in rows):.2f}"


def test_the_budget_is_above_the_estimate_and_not_far(planned, note):
    (total,) = re.findall(r"\*\*([\d.]+)\*\* \|$", note, re.M)
    (budget,) = planned["aws_budgets_budget"]
    # The first warning comes at 80 %: not in a month like any other.
    assert 0.8 * float(budget["limit_amount"]) < 1.5 * float(total)
    assert float(total) < float(budget["limit_amount"])


def of_instances(planned):
    """Rows of what an Auto Scaling group costs."""
    (group,), (template,) = planned["aws_autoscaling_group"], planned["aws_launch_template"]
    (volume,) = template["block_device_mappings"]
    instances = group["desired_capacity"]
    return {
        f"EC2 instance {template['instance_type']}": instances,
        "EBS volume gp3, GB": instances * volume["ebs"][0]["volume_size"],
        "Custom metric": len(planned["aws_cloudwatch_log_metric_filter"]) + 9 * instances + 2,
    }


def of_tasks(planned):
    """Rows of what the tasks of the service, and of the pages if there are any, cost."""
    number = {one["name"]: one["desired_count"] for one in planned["aws_ecs_service"]}
    cpu = memory = 0
    for one in planned["aws_ecs_task_definition"]:
        tasks = number["frontend" if one["family"].endswith("-frontend") else "items"]
        cpu, memory = cpu + tasks * int(one["cpu"]) / 1024, memory + tasks * int(one["memory"]) / 1024
    (strategy,) = planned["aws_ecs_service"][0]["capacity_provider_strategy"]
    spot = " on Spot" if strategy["capacity_provider"] == "FARGATE_SPOT" else ""
    nodes = {f"ElastiCache node {one['node_type']}": one["num_cache_clusters"] for one in planned.get("aws_elasticache_replication_group", [])}
    return nodes | {
        f"Fargate vCPU{spot} |": cpu,
        f"Fargate memory{spot}, GB": memory,
        "Alarm of a scaling policy": 2 * len(planned["aws_appautoscaling_policy"]),
    }


def test_the_numbers_are_those_of_the_plan(rows, planned):
    (database,) = planned["aws_db_instance"]
    zones = sum(one["tags"]["Tier"] == "public" for one in planned["aws_subnet"])
    gateways = len(planned["aws_nat_gateway"])
    copies = 2 if database["multi_az"] else 1
    alarms = sum(len([query for query in one["metric_query"] if query["metric"]]) or 1 for one in planned["aws_cloudwatch_metric_alarm"])
    wanted = {
        "NAT gateway": gateways,
        "Load balancer": len(planned["aws_lb"]),
        "Public IPv4 address": zones + gateways,
        f"RDS instance {database['instance_class']}": copies,
        "RDS storage, GB": copies * database["allocated_storage"],
        "KMS key": len(planned["aws_kms_key"]),
        "Secret": 1 if database["manage_master_user_password"] else 0,
        "Metric of an alarm": alarms,
        "Dashboard": len(planned["aws_cloudwatch_dashboard"]),
    } | (of_instances(planned) if "aws_autoscaling_group" in planned else of_tasks(planned))
    for item, number in wanted.items():
        (row,) = (row for row in rows if f"{row['item']} |".startswith(item))
        assert float(row["number"]) == number, row
