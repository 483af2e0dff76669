"""A state from before the load balancer, the instances' role and the image had modules of their own loses nothing."""

import json
import shutil

import pytest

import workspace

# Where a resource is now, and where it was.
COMPUTE, SECURITY = "module.environment.module.compute", "module.environment.module.security"
FORMER = {
    "module.environment.module.balancer": COMPUTE,
    "module.environment.module.compute[0]": COMPUTE,
}
OF_SECURITY = {"aws_iam_role", "aws_iam_role_policy", "aws_iam_instance_profile"}


def former(resource):
    """The resource as an earlier state has it."""
    found = dict(resource)
    module = resource.get("module", "")
    if module == f"{COMPUTE}[0]" and resource["type"] in OF_SECURITY:
        found["module"] = SECURITY
    elif module in FORMER:
        found["module"] = FORMER[module]
    elif module == "module.environment" and resource["type"] == "aws_ssm_parameter":
        found["module"] = COMPUTE
    if resource["type"] == "aws_route53_record":
        found["instances"] = [one | {"index_key": 0} for one in resource["instances"]]
    return found


@pytest.fixture(scope="module")
def changes(tree, account, prod, variables):
    """What a plan from such a state would do, by address."""
    state = json.loads(prod.run("state", "pull"))
    state["resources"] = [former(one) for one in state["resources"]]
    copied = tree / "environments/moved"
    shutil.copytree(tree / "environments/prod", copied, ignore=shutil.ignore_patterns("*.tfvars"))
    (copied / "backend_override.tf").write_text('terraform {\n  backend "local" {}\n}\n')
    (copied / "terraform.tfstate").write_text(json.dumps(state))
    terraform = workspace.Terraform(copied, account.url)
    terraform.run("init", "-input=false")
    plan = terraform.plan("-refresh=false", *variables)
    return [one for one in plan["resource_changes"] if one["mode"] == "managed"]


def test_no_resource_is_created_replaced_or_deleted(changes):
    touched = {one["address"]: one["change"]["actions"] for one in changes if {"create", "delete"} & {*one["change"]["actions"]}}
    assert touched == {}


def test_the_moved_resources_are_those_of_the_new_modules(changes):
    moved = {one["address"] for one in changes if "previous_address" in one}
    new = [one["address"] for one in changes if one["address"].startswith(("module.environment.module.balancer.", f"{COMPUTE}[0]."))]
    assert moved == {*new, "module.environment.aws_ssm_parameter.image"}
    assert "module.environment.module.balancer.aws_lb.main" in moved
