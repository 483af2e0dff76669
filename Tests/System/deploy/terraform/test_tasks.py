"""Tasks and pages on ECS as the account has them after an apply of the example `platform`, in dev."""

import json

import pytest

from conftest import ACCOUNT, FRONTEND_IMAGE, IMAGE, REGION


@pytest.fixture(scope="module")
def ecs(account, tasks):
    return account.client("ecs")


@pytest.fixture(scope="module")
def running(ecs):
    found = ecs.describe_services(cluster="items-dev", services=["items", "frontend"])["services"]
    return {one["serviceName"]: one for one in found}


@pytest.fixture(scope="module")
def definition(ecs, running):
    return ecs.describe_task_definition(taskDefinition=running["items"]["taskDefinition"])["taskDefinition"]


@pytest.fixture(scope="module")
def listener(account, tasks):
    elbv2 = account.client("elbv2")
    (balancer,) = elbv2.describe_load_balancers(Names=["items-dev"])["LoadBalancers"]
    found = elbv2.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]
    return next(one for one in found if one["Port"] == 443)


def test_the_task_has_the_size_of_dev(definition):
    assert (definition["cpu"], definition["memory"], definition["networkMode"]) == ("256", "512", "awsvpc")
    assert definition["requiresCompatibilities"] == ["FARGATE"]
    assert definition["runtimePlatform"] == {"cpuArchitecture": "X86_64", "operatingSystemFamily": "LINUX"}


def test_the_container_is_hardened_and_runs_the_image(definition):
    (container,) = definition["containerDefinitions"]
    assert container["image"] == IMAGE
    assert container["readonlyRootFilesystem"] and container["user"] == "10001:10001"
    assert container["linuxParameters"] == {"capabilities": {"drop": ["ALL"]}, "initProcessEnabled": True}
    assert container["stopTimeout"] == 60
    assert container["ulimits"] == [{"name": "nofile", "softLimit": 20000, "hardLimit": 20000}]
    assert container["healthCheck"]["command"] == ["CMD", "/usr/local/bin/items", "healthcheck", "--path", "/health/live"]
    assert container["portMappings"] == [{"containerPort": 3001, "hostPort": 3001, "protocol": "tcp"}]


def test_the_service_gets_its_settings_and_no_secret(account, tasks, definition):
    (container,) = definition["containerDefinitions"]
    settings = {one["name"]: one["value"] for one in container["environment"]}
    assert settings["PORT"] == "3001" and settings["ENVIRONMENT"] == "dev" and settings["DB_SSLMODE"] == "verify-full"
    assert settings["DB_SECRET_ID"] == tasks["database"]["secret_arn"] and settings["DB_HOST"] == tasks["database"]["host"]
    secret = account.client("secretsmanager").get_secret_value(SecretId=tasks["database"]["secret_arn"])["SecretString"]
    assert json.loads(secret)["password"] not in json.dumps(definition, default=str)
    assert "secrets" not in container or container["secrets"] == []


def test_lines_go_to_the_environments_group_by_prefix(account, definition, ecs, running):
    page = ecs.describe_task_definition(taskDefinition=running["frontend"]["taskDefinition"])["taskDefinition"]
    found = [one["containerDefinitions"][0]["logConfiguration"]["options"] for one in (definition, page)]
    assert [(one["awslogs-group"], one["awslogs-stream-prefix"]) for one in found] == [
        ("/ecs/items-dev", "backend"),
        ("/ecs/items-dev", "frontend"),
    ]
    (group,) = account.client("logs").describe_log_groups(logGroupNamePrefix="/ecs/items-dev")["logGroups"]
    assert group["retentionInDays"] == 7


def test_both_services_start_before_they_end(running):
    for one in running.values():
        assert one["desiredCount"] == 1
        configuration = one["deploymentConfiguration"]
        assert (configuration["minimumHealthyPercent"], configuration["maximumPercent"]) == (100, 200)
        assert configuration["deploymentCircuitBreaker"] == {"enable": True, "rollback": True}
    assert running["items"]["deploymentConfiguration"]["alarms"]["alarmNames"] == ["items-dev-error-share"]


def test_the_pages_run_their_own_image(ecs, running):
    page = ecs.describe_task_definition(taskDefinition=running["frontend"]["taskDefinition"])["taskDefinition"]
    (container,) = page["containerDefinitions"]
    assert container["image"] == FRONTEND_IMAGE and container["readonlyRootFilesystem"]
    assert container["portMappings"][0]["containerPort"] == 3000
    assert not page.get("taskRoleArn")


def test_the_load_balancer_sends_the_api_to_the_service_and_the_rest_to_the_pages(account, listener):
    elbv2 = account.client("elbv2")
    groups = {one["TargetGroupArn"]: one for one in elbv2.describe_target_groups()["TargetGroups"]}
    assert groups[listener["DefaultActions"][0]["TargetGroupArn"]]["Port"] == 3000
    rules = [one for one in elbv2.describe_rules(ListenerArn=listener["ListenerArn"])["Rules"] if not one["IsDefault"]]
    hidden, api = sorted(rules, key=lambda one: int(one["Priority"]))
    assert sorted(hidden["Conditions"][0]["PathPatternConfig"]["Values"]) == ["/db", "/metrics"]
    assert sorted(api["Conditions"][0]["PathPatternConfig"]["Values"]) == ["/api/*", "/health", "/health/*"]
    service = groups[api["Actions"][0]["TargetGroupArn"]]
    assert (service["TargetType"], service["Port"], service["HealthCheckPath"]) == ("ip", 3001, "/health")
    assert (service["HealthyThresholdCount"], service["UnhealthyThresholdCount"]) == (2, 3)


def test_scaling_aims_at_70_and_80_per_cent_and_switches_off_at_night(account, tasks):
    scaling = account.client("application-autoscaling")
    targets = scaling.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"]
    assert {one["ResourceId"]: (one["MinCapacity"], one["MaxCapacity"]) for one in targets} == {
        "service/items-dev/items": (1, 2),
        "service/items-dev/frontend": (1, 2),
    }
    policies = scaling.describe_scaling_policies(ServiceNamespace="ecs")["ScalingPolicies"]
    found = {one["PolicyName"]: one["TargetTrackingScalingPolicyConfiguration"] for one in policies}
    assert {name: one["TargetValue"] for name, one in found.items()} == {
        f"items-dev-{service}-{metric}": value for service in ("service", "frontend") for metric, value in (("cpu", 70), ("memory", 80))
    }
    assert {(one["ScaleOutCooldown"], one["ScaleInCooldown"]) for one in found.values()} == {(60, 300)}
    actions = scaling.describe_scheduled_actions(ServiceNamespace="ecs")["ScheduledActions"]
    assert {one["ScheduledActionName"]: one["ScalableTargetAction"]["MaxCapacity"] for one in actions} == {
        f"items-dev-{service}-{time}": number for service in ("service", "frontend") for time, number in (("evening", 0), ("morning", 2))
    }


def test_the_alarms_have_their_numbers(account, tasks):
    found = account.client("cloudwatch").describe_alarms(AlarmNamePrefix="items-dev")["MetricAlarms"]
    alarms = {one["AlarmName"].removeprefix("items-dev-"): one for one in found}
    assert alarms["tasks-cpu"]["Threshold"] == alarms["tasks-memory"]["Threshold"] == 80
    assert alarms["error-share"]["Threshold"] == 5
    assert alarms["database-unreachable"]["Threshold"] == 0
    assert not {"instances-missing", "service-cpu-high", "scale-in"} & alarms.keys()


def test_failed_tasks_are_reported(account, tasks):
    events = account.client("events")
    rule = events.describe_rule(Name="items-dev-task-failures")
    assert json.loads(rule["EventPattern"])["detail"]["stopCode"] == ["EssentialContainerExited", "TaskFailedToStart"]
    (target,) = events.list_targets_by_rule(Rule="items-dev-task-failures")["Targets"]
    assert target["Arn"] == tasks["topic_arns"]["warning"]


def test_the_task_reads_its_secret_and_does_nothing_else(account, definition, tasks):
    role = definition["taskRoleArn"].split("/")[-1]
    document = account.client("iam").get_role_policy(RoleName=role, PolicyName="service")["PolicyDocument"]
    assert [one["Action"] for one in document["Statement"]] == [["secretsmanager:GetSecretValue"], ["kms:Decrypt"]]
    assert document["Statement"][0]["Resource"] == [tasks["database"]["secret_arn"]]


def test_the_outputs_are_what_a_deployment_asks_for(tasks):
    assert tasks["ecs_service"] == "items-dev/items" and tasks["group_name"] is None
    assert tasks["image_parameter"] == "/items/dev/image"


def test_the_deploy_role_passes_the_tasks_roles_alone(account, definition, applying_tasks):
    assert definition["executionRoleArn"] == f"arn:aws:iam::{ACCOUNT}:role/items-dev-execution"
    document = account.client("iam").get_role_policy(RoleName="items-dev-deploy", PolicyName="service")["PolicyDocument"]
    by_sid = {one["Sid"]: one for one in document["Statement"]}
    assert by_sid["PassTheTasksRoles"]["Resource"] == [definition["executionRoleArn"], definition["taskRoleArn"]]
    assert by_sid["UpdateTheService"]["Resource"] == [f"arn:aws:ecs:{REGION}:{ACCOUNT}:service/items-dev/items"]
