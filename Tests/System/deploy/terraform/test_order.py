"""The order in which an apply creates resources, from Terraform's graph."""

import re
import shutil

import pytest

import workspace

COMPUTE, NETWORK, SECURITY = (f"module.environment.module.{name}." for name in ("compute", "network", "security"))


@pytest.fixture(scope="module")
def waits_for(tree):
    """Whether a resource is created only after another one."""
    copied = tree / "environments/ordered"
    shutil.copytree(tree / "environments/prod", copied)
    (copied / "backend_override.tf").write_text('terraform {\n  backend "local" {}\n}\n')
    terraform = workspace.Terraform(copied)
    terraform.run("init", "-input=false")
    edges = {}
    for source, target in re.findall(r'"([^"]+)" -> "([^"]+)"', terraform.run("graph")):
        edges.setdefault(source, set()).add(target)

    def waits_for(source, target):
        reached, ahead = set(), [source]
        while ahead:
            for one in edges.get(ahead.pop(), set()) - reached:
                reached.add(one)
                ahead.append(one)
        assert source in edges, source
        return target in reached

    return waits_for


ORDER = [
    # AWS refuses an internet-facing load balancer in a network without an internet gateway.
    ("aws_lb.main", NETWORK + "aws_internet_gateway.main"),
    ("aws_lb.main", NETWORK + "aws_route.internet"),
    ("aws_lb.main", NETWORK + "aws_route_table_association.public"),
    ("aws_lb.main", SECURITY + "aws_vpc_security_group_ingress_rule.https"),
    ("aws_lb.main", SECURITY + "aws_vpc_security_group_egress_rule.balancer_to_service"),
    # An instance that boots before these exist loses its boot time to retries.
    ("aws_autoscaling_group.service", NETWORK + "aws_nat_gateway.main"),
    ("aws_autoscaling_group.service", NETWORK + "aws_route.nat"),
    ("aws_autoscaling_group.service", NETWORK + "aws_route_table_association.private"),
    ("aws_autoscaling_group.service", NETWORK + "aws_vpc_endpoint.s3"),
    ("aws_autoscaling_group.service", SECURITY + "aws_iam_role_policy.instance"),
    ("aws_autoscaling_group.service", SECURITY + "aws_vpc_security_group_egress_rule.service_to_https"),
    ("aws_autoscaling_group.service", SECURITY + "aws_vpc_security_group_egress_rule.service_to_database"),
    ("aws_autoscaling_group.service", SECURITY + "aws_vpc_security_group_ingress_rule.service_from_balancer"),
    ("aws_autoscaling_group.service", SECURITY + "aws_vpc_security_group_ingress_rule.database_from_service"),
    ("aws_autoscaling_group.service", "module.environment.module.monitoring.aws_ssm_parameter.agent"),
    ("aws_autoscaling_group.service", "module.environment.module.monitoring.aws_cloudwatch_log_group.service"),
]


@pytest.mark.parametrize("later, earlier", ORDER, ids=lambda one: ".".join(one.split(".")[-2:]))
def test_a_resource_waits_for_another(waits_for, later, earlier):
    assert waits_for(COMPUTE + later, earlier)


def test_a_nat_gateway_waits_for_the_internet_gateway_and_its_route(waits_for):
    assert waits_for(NETWORK + "aws_nat_gateway.main", NETWORK + "aws_internet_gateway.main")
    assert waits_for(NETWORK + "aws_nat_gateway.main", NETWORK + "aws_route.internet")


def test_alarms_are_created_after_the_group(waits_for):
    """An alarm that treats missing data as breaching would be raised while the first instances boot."""
    alarms = "module.environment.module.monitoring.aws_cloudwatch_metric_alarm.main"
    assert waits_for(alarms, COMPUTE + "aws_autoscaling_group.service")
