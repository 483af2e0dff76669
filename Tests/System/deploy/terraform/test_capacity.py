"""No plan lets the instances open more connections than the database has."""

import shutil

import graph
import workspace
from conftest import IMAGE


def test_a_plan_whose_pools_would_fill_the_database_in_a_refresh_fails_and_says_so(tree, account, bootstrap):
    copied = tree / "environments/crowded"
    shutil.copytree(tree / "environments/dev", copied, dirs_exist_ok=True)
    (copied / "backend_override.tf").write_text('terraform {\n  backend "local" {}\n}\n')
    text = (copied / "main.tf").read_text()
    assert "max = 2," in text
    (copied / "main.tf").write_text(text.replace("max = 2,", "max = 5,"))
    workspace.fill(copied)
    terraform = workspace.Terraform(copied, account.url)
    terraform.run("init", "-input=false")
    said = " ".join(terraform.run("plan", "-input=false", f"-var=image={IMAGE}", status=1).split())
    assert "open up to 100 connections; the database has 80 for them" in said


def test_every_environment_has_room_for_a_refresh_at_its_largest(plans):
    for name, plan in plans.items():
        planned = {one["type"]: one["values"] for one in graph.resources(plan)}
        parameters = {one["name"]: one["value"] for one in planned["aws_db_parameter_group"]["parameter"]}
        connections = planned["aws_autoscaling_group"]["max_size"] * 10 * 2
        assert connections <= int(parameters["max_connections"]) - 10, name
