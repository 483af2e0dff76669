"""Who reaches whom, in the plan of each environment: over security groups, routes and subnets."""

import pytest

import graph
import workspace


@pytest.fixture(scope="module", params=workspace.ENVIRONMENTS)
def plan(request, plans):
    return plans[request.param]


def of_type(plan, kind):
    return [one for one in graph.resources(plan) if one["type"] == kind]


def test_the_internet_reaches_the_load_balancer_it_the_service_and_that_the_database(plan):
    assert graph.Rules(plan).connections() == {
        ("internet", "balancer", 80),
        ("internet", "balancer", 443),
        ("balancer", "service", 5001),
        ("service", "database", 5432),
        ("service", "internet", 443),
    }


def test_every_rule_has_its_counterpart(plan):
    rules = graph.Rules(plan)
    inside = {one for one in rules.sides["ingress"] if one[1] != graph.ANYWHERE}
    mirrored = {(b, a, low, high) for a, b, low, high in rules.sides["egress"] if b != graph.ANYWHERE}
    assert inside == mirrored


def test_the_database_opens_no_connection(plan):
    assert not [one for one in graph.Rules(plan).sides["egress"] if one[0] == "database"]


def test_no_rule_names_an_address_inside_the_network(plan):
    for kind in ("ingress", "egress"):
        for rule in of_type(plan, f"aws_vpc_security_group_{kind}_rule"):
            assert rule["values"]["cidr_ipv4"] in (None, graph.ANYWHERE)
            assert rule["values"]["cidr_ipv6"] is None and rule["values"]["prefix_list_id"] is None


def test_no_rule_lets_in_ssh(plan):
    for direction in graph.Rules(plan).sides.values():
        assert not [one for one in direction if one[2] <= 22 <= one[3]]


def test_no_group_has_inline_rules(plan):
    for one in of_type(plan, "aws_security_group"):
        assert not one["values"].get("ingress") and not one["values"].get("egress"), one["address"]
    assert not of_type(plan, "aws_security_group_rule")
    (closed,) = of_type(plan, "aws_default_security_group")
    assert not closed["values"].get("ingress") and not closed["values"].get("egress")


def test_only_public_and_private_tiers_have_a_default_route(plan):
    written = graph.configured(plan)
    tables = set()
    for one in of_type(plan, "aws_route"):
        assert one["values"]["destination_cidr_block"] == graph.ANYWHERE
        references = written["aws_route", one["name"]]["route_table_id"]["references"]
        tables.add(next(name.split(".")[1].split("[")[0] for name in references if name.startswith("aws_route_table.")))
    assert tables == {"public", "private"}
    for one in of_type(plan, "aws_route_table"):
        assert not one["values"].get("route"), one["address"]
    references = written["aws_route_table_association", "database"]["route_table_id"]["references"]
    assert "aws_route_table.database" in references


def test_each_part_is_in_its_subnet_tier(plan):
    calls = plan["configuration"]["root_module"]["module_calls"]["environment"]["module"]["module_calls"]
    for module, argument, output in (
        ("balancer", "public_subnet_ids", "module.network.public_subnet_ids"),
        ("compute", "private_subnet_ids", "module.network.private_subnet_ids"),
        ("balancer", "security_group_id", "module.security.balancer_group_id"),
        ("compute", "service_group_id", "module.security.service_group_id"),
        ("tasks", "private_subnet_ids", "module.network.private_subnet_ids"),
        ("tasks", "service_group_id", "module.security.service_group_id"),
        ("database", "subnet_ids", "module.network.database_subnet_ids"),
        ("database", "security_group_id", "module.security.database_group_id"),
    ):
        assert output in calls[module]["expressions"][argument]["references"], (module, argument)
    written = graph.configured(plan)
    assert written["aws_lb", "main"]["subnets"]["references"] == ["var.public_subnet_ids"]
    assert written["aws_autoscaling_group", "service"]["vpc_zone_identifier"]["references"] == ["var.private_subnet_ids"]


def test_subnets_do_not_overlap(plan):
    cidrs = [one["values"]["cidr_block"] for one in of_type(plan, "aws_subnet")]
    assert len(cidrs) == len(set(cidrs)) and all(one.endswith(".0/24") for one in cidrs)


def test_the_graph_sees_a_hole():
    """What the tests above stand on, shown on a plan that is wrong."""
    rule = {"mode": "managed", "type": "aws_vpc_security_group_ingress_rule", "name": "hole", "address": "hole"}
    values = {"ip_protocol": "tcp", "from_port": 22, "to_port": 22, "cidr_ipv4": "0.0.0.0/0"}
    expressions = {"security_group_id": {"references": ["aws_security_group.service.id", "aws_security_group.service"]}}
    plan = {
        "planned_values": {"root_module": {"resources": [rule | {"values": values}]}},
        "configuration": {"root_module": {"resources": [rule | {"expressions": expressions}]}},
    }
    assert graph.Rules(plan).connections() == {("internet", "service", 22)}
