"""The task definitions of Terraform's module for ECS, registered with the emulator and read back from it."""

import json
import shutil

from deploy.terraform import workspace

from support.emulators import REGION

NAME, ENVIRONMENT = "items-test", "test"
IMAGE = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/{}:test-0123abc-20261121120000"
APPLY_SECONDS = 120
# The shortest that the module permits.
DRAIN_SECONDS = 15


def arn(service, rest):
    return f"arn:aws:{service}:{REGION}:123456789012:{rest}"


def settings(secret, host, port):
    """The module's required variables; those that only name what this machine does not run are made up."""
    return {
        "name": NAME,
        "environment": ENVIRONMENT,
        "image": IMAGE.format("items"),
        "port": 8000,
        "secret_id": secret,
        "database": {"host": host, "port": port, "name": "items"},
        "drain": {"delay": DRAIN_SECONDS, "timeout": DRAIN_SECONDS},
        "size": {"min": 2, "desired": 2, "max": 4},
        "service_connections": 100,
        "private_subnet_ids": ["subnet-1", "subnet-2"],
        "service_group_id": "sg-1",
        "target_group_arn": arn("elasticloadbalancing", "targetgroup/items/1"),
        "balancer_arn_suffix": "app/items/1",
        "kms_key_arn": arn("kms", "key/1"),
        "repository_arn": arn("ecr", "repository/items"),
        "log": {"group": "/items/test/service"},
        "topic_arns": {"critical": arn("sns", "critical"), "warning": arn("sns", "warning")},
        "frontend": {
            "image": IMAGE.format("frontend"),
            "repository_arn": arn("ecr", "repository/frontend"),
            "size": {"min": 1, "desired": 1, "max": 2},
        },
        "frontend_target_group_arn": arn("elasticloadbalancing", "targetgroup/frontend/1"),
    }


def register(moto, given):
    """Applies what of the module makes the task definitions, with these variables; the definitions by family."""
    directory = workspace.WORK / "task"
    shutil.rmtree(directory, ignore_errors=True)
    shutil.copytree(workspace.SOURCE / "modules/compute-ecs", directory, ignore=shutil.ignore_patterns("tests", ".terraform*"))
    terraform = workspace.Terraform(directory, moto.url)
    terraform.environment["AWS_REGION"] = REGION
    (directory / "test.tfvars.json").write_text(json.dumps(given))
    terraform.run("init", "-input=false", "-backend=false")
    targets = [f"-target=aws_ecs_task_definition.{name}" for name in ("service", "frontend")]
    terraform.run("apply", "-auto-approve", "-input=false", "-var-file=test.tfvars.json", *targets, seconds=APPLY_SECONDS)
    ecs = moto.client("ecs")
    arns = ecs.list_task_definitions()["taskDefinitionArns"]
    described = [ecs.describe_task_definition(taskDefinition=one)["taskDefinition"] for one in arns]
    return {one["family"]: one for one in described}
