"""The order in which an apply creates resources, from Terraform's graph."""

import re
import shutil

import pytest

import workspace

BALANCER, COMPUTE, NETWORK, SECURITY, TASKS = (
    f"module.environment.module.{name}." for name in ("balancer", "compute", "network", "security", "tasks")
)


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
    (BALANCER + "aws_lb.main", NETWORK + "aws_internet_gateway.main"),
    (BALANCER + "aws_lb.main", NETWORK + "aws_route.internet"),
    (BALANCER + "aws_lb.main", NETWORK + "aws_route_table_association.public"),
    (BALANCER + "aws_lb.main", SECURITY + "aws_vpc_security_group_ingress_rule.https"),
    (BALANCER + "aws_lb.main", SECURITY + "aws_vpc_security_group_egress_rule.balancer_to_service"),
    # An instance that boots before these exist loses its boot time to retries.
    (COMPUTE + "aws_autoscaling_group.service", NETWORK + "aws_nat_gateway.main"),
    (COMPUTE + "aws_autoscaling_group.service", NETWORK + "aws_route.nat"),
    (COMPUTE + "aws_autoscaling_group.service", NETWORK + "aws_route_table_association.private"),
    (COMPUTE + "aws_autoscaling_group.service", NETWORK + "aws_vpc_endpoint.s3"),
    (COMPUTE + "aws_autoscaling_group.service", COMPUTE + "aws_iam_role_policy.instance"),
    (COMPUTE + "aws_autoscaling_group.service", SECURITY + "aws_vpc_security_group_egress_rule.service_to_https"),
    (COMPUTE + "aws_autoscaling_group.service", SECURITY + "aws_vpc_security_group_egress_rule.service_to_database"),
    (COMPUTE + "aws_autoscaling_group.service", SECURITY + "aws_vpc_security_group_ingress_rule.service_from_balancer"),
    (COMPUTE + "aws_autoscaling_group.service", SECURITY + "aws_vpc_security_group_ingress_rule.database_from_service"),
    (COMPUTE + "aws_autoscaling_group.service", BALANCER + "aws_lb_listener.https"),
    (COMPUTE + "aws_autoscaling_group.service", BALANCER + "aws_lb_listener_rule.hidden"),
    (COMPUTE + "aws_autoscaling_group.service", "module.environment.module.monitoring.aws_ssm_parameter.agent"),
    (COMPUTE + "aws_autoscaling_group.service", "module.environment.module.monitoring.aws_cloudwatch_log_group.service"),
    # ECS refuses a target group without a listener, and three tasks that cannot start end the first deployment.
    (TASKS + "aws_ecs_service.service", BALANCER + "aws_lb_listener.https"),
    (TASKS + "aws_ecs_service.service", NETWORK + "aws_route.nat"),
    (TASKS + "aws_ecs_service.service", TASKS + "aws_iam_role_policy.execution"),
    (TASKS + "aws_ecs_service.service", TASKS + "aws_iam_role_policy.task"),
    (TASKS + "aws_ecs_service.service", SECURITY + "aws_vpc_security_group_ingress_rule.database_from_service"),
    (TASKS + "aws_ecs_service.service", "module.environment.module.monitoring.aws_cloudwatch_log_group.service"),
    (TASKS + "aws_ecs_service.service", TASKS + "aws_cloudwatch_metric_alarm.error_share"),
]


@pytest.mark.parametrize("later, earlier", ORDER, ids=lambda one: ".".join(one.split(".")[-3:]))
def test_a_resource_waits_for_another(waits_for, later, earlier):
    assert waits_for(later, earlier)


def test_a_nat_gateway_waits_for_the_internet_gateway_and_its_route(waits_for):
    assert waits_for(NETWORK + "aws_nat_gateway.main", NETWORK + "aws_internet_gateway.main")
    assert waits_for(NETWORK + "aws_nat_gateway.main", NETWORK + "aws_route.internet")


def test_alarms_are_created_after_the_group(waits_for):
    """An alarm that treats missing data as breaching would be raised while the first instances boot."""
    alarms = "module.environment.module.monitoring.aws_cloudwatch_metric_alarm.main"
    assert waits_for(alarms, COMPUTE + "aws_autoscaling_group.service")
