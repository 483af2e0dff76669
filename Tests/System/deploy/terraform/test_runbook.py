"""The restore runbook of the document, run on the emulated account: afterwards the instances can read their secret."""

import base64
import os
import pathlib
import re
import subprocess
import sys

import pytest

import policy
import workspace
from conftest import REGION

HERE = pathlib.Path(__file__).resolve().parent
RUNBOOK_SECONDS = 600
# The last apply is only planned: the emulator can neither change a budget nor report the growth of an existing group.
TERRAFORM = r"""#!/usr/bin/env bash
set -Eeuo pipefail
[[ $1 == -chdir=deploy/terraform/environments/prod ]]
shift
options=()
command=$1
shift
case "$command $*" in
    apply\ -target=*) options=(-auto-approve -input=false -no-color) ;;
    apply*) command=plan options=(-input=false -no-color) ;;
    import*) options=(-input=false -no-color) ;;
esac
cd {directory}
exec {terraform} "$command" "${{options[@]}}" "$@"
"""


def script():
    """The commands below "On RDS"."""
    section = (workspace.ROOT / "docs/deploy.md").read_text().split("\n### On RDS\n")[1]
    return re.search(r"```sh\n(.*?)```", section, re.DOTALL)[1]


@pytest.fixture(scope="module")
def recovered(account, prod, service, variables, tmp_path_factory):
    """prod after the runbook; returns the runbook's output."""
    folder = tmp_path_factory.mktemp("runbook")
    programs = folder / "programs"
    programs.mkdir()
    (folder / "deploy").mkdir()
    files = {
        programs / "aws": f'#!/bin/sh\nexec {sys.executable} {HERE / "command_line.py"} "$@"\n',
        programs / "terraform": TERRAFORM.format(directory=prod.directory, terraform=workspace.executable()),
        folder / "deploy/smoke": "#!/bin/sh\necho smoke $1\n",
    }
    for path, text in files.items():
        path.write_text(text)
        path.chmod(0o755)
    lines = [one.removeprefix("-var=").split("=", 1) for one in variables]
    values = {name: text if text[0] in "[{" else f'"{text}"' for name, text in lines if name != "image"}
    (prod.directory / "terraform.tfvars").write_text("".join(f"{name} = {text}\n" for name, text in values.items()))
    environment = prod.environment | {"PATH": f"{programs}:{os.environ['PATH']}", "AWS_DEFAULT_REGION": REGION}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script()],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=RUNBOOK_SECONDS,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def database(account, recovered):
    (one,) = account.client("rds").describe_db_instances(DBInstanceIdentifier="items-prod-database")["DBInstances"]
    return one


@pytest.fixture(scope="module")
def group(account, recovered):
    autoscaling = account.client("autoscaling")
    (one,) = autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=["items-prod"])["AutoScalingGroups"]
    return one


def test_the_service_has_a_new_database_with_a_new_secret(database, service):
    assert database["MasterUserSecret"]["SecretArn"] != service["database"]["secret_arn"]


def test_the_group_starts_instances_with_the_new_secret(account, group, database):
    version = group["LaunchTemplate"]["Version"]
    assert version.isdigit()  # a rollback needs a number
    (template,) = account.client("ec2").describe_launch_template_versions(
        LaunchTemplateId=group["LaunchTemplate"]["LaunchTemplateId"], Versions=[version]
    )["LaunchTemplateVersions"]
    text = base64.b64decode(template["LaunchTemplateData"]["UserData"]).decode()
    assert f"ITEMS_SECRET_ID='{database['MasterUserSecret']['SecretArn']}'" in text


def test_the_role_may_read_that_secret(account, service, database):
    role = account.client("iam").get_role_policy(RoleName=service["instance_role_name"], PolicyName="service")
    assert policy.allows(role["PolicyDocument"], "secretsmanager:GetSecretValue", database["MasterUserSecret"]["SecretArn"])


def test_the_last_apply_starts_instances_and_keeps_the_version(recovered):
    group = r"module\.environment\.module\.compute\[0\]\.aws_autoscaling_group\.service"
    (change,) = re.findall(rf"# {group} will be.*?\n    }}\n", recovered, re.DOTALL)
    assert re.search(r"min_size\s+= 0 -> 2", change)
    assert not re.search(r"[~+-] version", change)


def test_the_group_scales_again(account, group):
    assert not group["SuspendedProcesses"]
    policies = account.client("autoscaling").describe_policies(AutoScalingGroupName="items-prod")["ScalingPolicies"]
    assert len(policies) == 2


def test_the_restored_database_can_be_destroyed(prod, recovered):
    """An imported database would have no name for its final snapshot."""
    state = prod.run("state", "show", "module.environment.module.database.aws_db_instance.main")
    assert re.search(r'final_snapshot_identifier\s+= "items-prod-database-final-\d{14}"', state)


def test_it_ends_with_a_smoke_test(recovered):
    assert recovered.endswith("smoke https://items.example.com\n")
