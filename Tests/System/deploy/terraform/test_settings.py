"""A root's values are in a committed file, so a plan from another shell deletes nothing."""

import base64
import re
import subprocess

import pytest

import workspace
from conftest import IMAGE


def declared(root):
    """The variables of a root, and whether each has a default."""
    text = (workspace.SOURCE / root / "variables.tf").read_text()
    found = re.findall(r'^variable "(\w+)" \{\n(.*?)^\}', text, re.DOTALL | re.MULTILINE)
    return {name: "default" in body for name, body in found}


@pytest.mark.parametrize("root", workspace.ROOTS)
def test_a_value_whose_omission_would_delete_something_has_no_default(root):
    wanted = {"region", "github"} | ({"emails", "certificate_arn", "domain"} if root != "bootstrap" else set())
    assert {name for name, has_default in declared(root).items() if not has_default} == wanted


def test_the_environments_have_the_same_variables():
    assert len({(workspace.SOURCE / f"environments/{name}/variables.tf").read_text() for name in workspace.ENVIRONMENTS}) == 1


@pytest.mark.parametrize("root", workspace.ROOTS)
def test_git_ignores_the_state_and_not_the_file_of_values(root):
    def ignored(name):
        command = ["git", "check-ignore", "--quiet", "--no-index", f"deploy/terraform/{root}/{name}"]
        return subprocess.run(command, cwd=workspace.ROOT, timeout=30).returncode == 0

    assert not ignored("terraform.tfvars")
    assert ignored("terraform.tfstate")


@pytest.mark.parametrize("root", workspace.ROOTS)
def test_the_guide_writes_every_value_that_has_no_default(root):
    document = (workspace.ROOT / "docs/deploy.md").read_text()
    place = r"deploy/terraform/bootstrap" if root == "bootstrap" else r'"?\$root"?'
    (block,) = re.findall(rf'cat >"?{place}/terraform\.tfvars"? <<END\n(.*?)\nEND', document, re.DOTALL)
    written = set(re.findall(r"^(\w+) *=", block, re.MULTILINE))
    assert {name for name, has_default in declared(root).items() if not has_default} <= written <= declared(root).keys()


def test_a_plan_without_the_file_asks_for_the_values_instead_of_deleting(prod):
    said = prod.run("plan", "-input=false", status=1)
    for name in ("region", "github", "emails", "certificate_arn", "domain"):
        assert f'The root module input variable "{name}" is not set' in said


def test_a_plan_from_a_fresh_shell_deletes_nothing(prod, variables):
    """With the committed file, and without an image."""
    lines = [one.removeprefix("-var=").split("=", 1) for one in variables]
    values = {name: value if value[0] in "[{" else f'"{value}"' for name, value in lines if name != "image"}
    path = prod.directory / "terraform.tfvars"
    path.write_text("".join(f"{name} = {value}\n" for name, value in values.items()))
    try:
        plan = prod.plan()
    finally:
        path.unlink()
    deleted = [one["address"] for one in plan["resource_changes"] if "delete" in one["change"]["actions"]]
    assert deleted == []
    (template,) = (one for one in plan["resource_changes"] if one["type"] == "aws_launch_template")
    assert IMAGE in base64.b64decode(template["change"]["after"]["user_data"]).decode()
