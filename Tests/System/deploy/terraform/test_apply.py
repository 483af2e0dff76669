"""prod as the account has it after an apply: every number read back through AWS's own interface."""

import base64
import json

import pytest

from conftest import ACCOUNT, IMAGE, REGION


@pytest.fixture(scope="module")
def balancer(account, prod):
    (one,) = account.client("elbv2").describe_load_balancers(Names=["items-prod"])["LoadBalancers"]
    return one


@pytest.fixture(scope="module")
def target_group(account, service):
    (one,) = account.client("elbv2").describe_target_groups(TargetGroupArns=[service["target_group_arn"]])["TargetGroups"]
    return one


@pytest.fixture(scope="module")
def group(account, prod):
    (one,) = account.client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=["items-prod"])[
        "AutoScalingGroups"
    ]
    return one


@pytest.fixture(scope="module")
def template(account, service):
    (one,) = account.client("ec2").describe_launch_template_versions(
        LaunchTemplateId=service["launch_template_id"], Versions=["$Latest"]
    )["LaunchTemplateVersions"]
    return one


@pytest.fixture(scope="module")
def user_data(template):
    return base64.b64decode(template["LaunchTemplateData"]["UserData"]).decode()


@pytest.fixture(scope="module")
def database(account, prod):
    (one,) = account.client("rds").describe_db_instances(DBInstanceIdentifier="items-prod-database")["DBInstances"]
    return one


@pytest.fixture(scope="module")
def alarms(account, prod):
    found = account.client("cloudwatch").describe_alarms(AlarmNamePrefix="items-prod")["MetricAlarms"]
    return {one["AlarmName"].removeprefix("items-prod-"): one for one in found}


def attributes(pairs):
    return {one["Key"]: one["Value"] for one in pairs["Attributes"]}


def test_the_load_balancer_closes_idle_connections_after_60_s_and_refuses_ambiguous_requests(account, balancer):
    found = attributes(
        account.client("elbv2").describe_load_balancer_attributes(LoadBalancerArn=balancer["LoadBalancerArn"])
    )
    assert found["idle_timeout.timeout_seconds"] == "60"
    assert found["routing.http.desync_mitigation_mode"] == "strictest"
    assert found["routing.http.drop_invalid_header_fields.enabled"] == "true"
    assert found["deletion_protection.enabled"] == "true"


def test_targets_are_asked_for_their_health_every_30_s(target_group):
    assert target_group["Port"] == 5001
    assert target_group["HealthCheckPath"] == "/health"
    assert target_group["HealthCheckIntervalSeconds"] == 30
    assert target_group["HealthCheckTimeoutSeconds"] == 5
    assert (target_group["HealthyThresholdCount"], target_group["UnhealthyThresholdCount"]) == (2, 2)
    assert target_group["Matcher"]["HttpCode"] == "200"


def test_a_target_has_45_s_to_finish_what_it_began(account, target_group):
    found = attributes(
        account.client("elbv2").describe_target_group_attributes(TargetGroupArn=target_group["TargetGroupArn"])
    )
    assert found["deregistration_delay.timeout_seconds"] == "45"


def test_http_is_redirected_and_https_has_the_certificate(account, balancer, certificate):
    listeners = account.client("elbv2").describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]
    by_port = {one["Port"]: one for one in listeners}
    assert by_port.keys() == {80, 443}
    assert by_port[80]["DefaultActions"][0]["RedirectConfig"]["StatusCode"] == "HTTP_301"
    assert by_port[443]["Certificates"][0]["CertificateArn"] == certificate
    assert by_port[443]["SslPolicy"] == "ELBSecurityPolicy-TLS13-1-2-2021-06"
    assert by_port[443]["DefaultActions"][0]["Type"] == "forward"


def test_metrics_and_database_statistics_are_hidden(account, balancer):
    elbv2 = account.client("elbv2")
    listeners = elbv2.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]
    (https,) = (one for one in listeners if one["Port"] == 443)
    rules = [one for one in elbv2.describe_rules(ListenerArn=https["ListenerArn"])["Rules"] if not one["IsDefault"]]
    assert len(rules) == 1 and rules[0]["Priority"] == "1"
    (condition,) = rules[0]["Conditions"]
    assert sorted(condition["PathPatternConfig"]["Values"]) == ["/db", "/metrics"]
    answer = rules[0]["Actions"][0]["FixedResponseConfig"]
    assert answer["StatusCode"] == "404" and json.loads(answer["MessageBody"])["status"] == 404


def test_the_launch_template_has_a_number_and_asks_for_metadata_version_2(template):
    data = template["LaunchTemplateData"]
    assert template["VersionNumber"] == 1
    assert data["InstanceType"] == "t3.small"
    assert data["MetadataOptions"]["HttpTokens"] == "required"
    assert data["MetadataOptions"]["HttpPutResponseHopLimit"] == 1
    assert data["BlockDeviceMappings"][0]["Ebs"]["Encrypted"] is True
    assert data["NetworkInterfaces"][0]["AssociatePublicIpAddress"] is False
    assert "KeyName" not in data


def test_user_data_is_the_boot_script_with_its_settings(tree, user_data, database):
    script = (tree / "../../userdata/boot.sh").read_text()
    before, after = script.split("# @settings\n")
    assert user_data.startswith(before) and user_data.endswith(after)
    lines = user_data[len(before) : len(user_data) - len(after)].splitlines()
    settings = dict(line.split("=", 1) for line in lines)
    assert settings == {
        "ITEMS_AGENT_PARAMETER": "'/items/prod/cloudwatch-agent'",
        "ITEMS_DB_HOST": f"'{database['Endpoint']['Address']}'",
        "ITEMS_DB_NAME": "'items'",
        "ITEMS_DB_PORT": "'5432'",
        "ITEMS_ENVIRONMENT": "'prod'",
        "ITEMS_GROUP": "'items-prod'",
        "ITEMS_IMAGE": f"'{IMAGE}'",
        "ITEMS_LAUNCH_HOOK": "'items-prod-launch'",
        "ITEMS_PORT": "'5001'",
        "ITEMS_REGION": f"'{REGION}'",
        "ITEMS_SECRET_ID": f"'{database['MasterUserSecret']['SecretArn']}'",
        "ITEMS_SETTINGS": "'DB_POOL_MAX=10 DRAIN_DELAY_MS=5000 HEALTH_DB_GRACE_MS=180000 LOG_LEVEL=info'",
        "ITEMS_VERSION": "'prod-0123abc-20241101120000'",
    }


def test_user_data_names_the_image_once_and_fits(user_data):
    assert [line for line in user_data.splitlines() if line.startswith("ITEMS_IMAGE=")] == [f"ITEMS_IMAGE='{IMAGE}'"]
    assert len(user_data.encode()) <= 16384


def test_the_group_keeps_2_to_10_instances_by_the_load_balancers_verdict(group, target_group):
    assert (group["MinSize"], group["DesiredCapacity"], group["MaxSize"]) == (2, 2, 10)
    assert group["HealthCheckType"] == "ELB" and group["HealthCheckGracePeriod"] == 60
    assert group["TargetGroupARNs"] == [target_group["TargetGroupArn"]]
    assert len(group["VPCZoneIdentifier"].split(",")) == 3


def test_the_group_names_a_version_by_its_number(group, service):
    assert group["LaunchTemplate"]["LaunchTemplateId"] == service["launch_template_id"]
    assert group["LaunchTemplate"]["Version"] == "1"


def test_the_launch_hook_is_the_only_one(account, prod):
    hooks = account.client("autoscaling").describe_lifecycle_hooks(AutoScalingGroupName="items-prod")["LifecycleHooks"]
    found = {
        one["LifecycleHookName"]: (one["LifecycleTransition"], one["HeartbeatTimeout"], one["DefaultResult"])
        for one in hooks
    }
    assert found == {
        "items-prod-launch": ("autoscaling:EC2_INSTANCE_LAUNCHING", 900, "ABANDON"),
    }


def test_instances_are_added_above_70_per_cent_and_one_is_removed_below_30(account, alarms):
    policies = account.client("autoscaling").describe_policies(AutoScalingGroupName="items-prod")["ScalingPolicies"]
    changes = {one["PolicyARN"]: [step["ScalingAdjustment"] for step in one["StepAdjustments"]] for one in policies}
    for way, threshold, comparison, change in (
        ("scale-out", 70, "GreaterThanThreshold", [10, 50, 100]),
        ("scale-in", 30, "LessThanThreshold", [-1]),
    ):
        alarm = alarms[way]
        assert (alarm["Threshold"], alarm["ComparisonOperator"]) == (threshold, comparison)
        assert [sorted(changes[arn]) for arn in alarm["AlarmActions"]] == [change]
        assert alarm["Dimensions"] == [{"Name": "AutoScalingGroupName", "Value": "items-prod"}]


@pytest.mark.parametrize(
    "name, metric, comparison, threshold, minutes, severity",
    [
        ("unhealthy-hosts", "UnHealthyHostCount", "GreaterThanThreshold", 0, 5, "critical"),
        ("no-healthy-hosts", "HealthyHostCount", "LessThanThreshold", 1, 2, "critical"),
        ("database-cpu", "CPUUtilization", "GreaterThanThreshold", 90, 10, "critical"),
        ("database-cpu-high", "CPUUtilization", "GreaterThanThreshold", 70, 15, "warning"),
        ("service-cpu-high", "CPUUtilization", "GreaterThanThreshold", 70, 15, "warning"),
        ("database-storage", "FreeStorageSpace", "LessThanThreshold", 10**10, 5, "warning"),
        ("errors", "ErrorCount", "GreaterThanThreshold", 10, 5, "warning"),
        ("database-unreachable", "DatabaseUnreachableCount", "GreaterThanThreshold", 0, 5, "warning"),
    ],
)
def test_the_alarm_has_its_number_and_its_topic(alarms, service, name, metric, comparison, threshold, minutes, severity):
    alarm = alarms[name]
    assert (alarm["MetricName"], alarm["ComparisonOperator"], alarm["Threshold"]) == (metric, comparison, threshold)
    assert alarm["Period"] * alarm["EvaluationPeriods"] == minutes * 60
    assert alarm["AlarmActions"] == alarm["OKActions"] == [service["topic_arns"][severity]]


def test_the_alarm_of_server_errors_adds_the_targets_and_the_load_balancers(alarms, service, balancer):
    alarm = alarms["server-errors"]
    assert (alarm["ComparisonOperator"], alarm["Threshold"], alarm["EvaluationPeriods"]) == ("GreaterThanThreshold", 50, 1)
    assert alarm["AlarmActions"] == [service["topic_arns"]["critical"]]
    metrics = {one["Id"]: one["MetricStat"] for one in alarm["Metrics"] if "MetricStat" in one}
    assert {one["Metric"]["MetricName"] for one in metrics.values()} == {
        "HTTPCode_Target_5XX_Count",
        "HTTPCode_ELB_5XX_Count",
    }
    suffix = balancer["LoadBalancerArn"].split("loadbalancer/")[1]
    for one in metrics.values():
        assert one["Period"] == 300 and one["Stat"] == "Sum"
        assert one["Metric"]["Dimensions"] == [{"Name": "LoadBalancer", "Value": suffix}]


def test_there_is_no_other_alarm(alarms):
    assert alarms.keys() == {
        *("unhealthy-hosts", "database-cpu", "database-cpu-high", "service-cpu-high", "database-storage", "errors"),
        *("server-errors", "no-healthy-hosts", "instances-missing", "database-unreachable", "scale-in", "scale-out"),
    }


def test_mail_gets_every_alarm_and_phones_the_critical_ones(account, service):
    sns = account.client("sns")
    found = {
        severity: {
            (one["Protocol"], one["Endpoint"])
            for one in sns.list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"]
        }
        for severity, arn in service["topic_arns"].items()
    }
    mail = ("email", "operator@example.com")
    assert found == {"critical": {mail, ("sms", "+491701234567")}, "warning": {mail}}


def test_every_metric_filter_of_the_repository_counts_from_zero(account, tree, service):
    filters = account.client("logs").describe_metric_filters(logGroupName=service["log_group"])["metricFilters"]
    found = {one["filterName"].removeprefix("items-prod-"): one for one in filters}
    wanted = {one["name"]: one for one in json.loads((tree / "../cloudwatch/filters.json").read_text())}
    assert found.keys() == wanted.keys() and "errors" in wanted
    for name, one in wanted.items():
        (metric,) = found[name]["metricTransformations"]
        assert found[name]["filterPattern"] == one["pattern"]
        assert (metric["metricNamespace"], metric["metricName"]) == ("Items/prod", one["metric"])
        assert float(metric["defaultValue"]) == 0


def test_every_query_of_the_repository_is_saved(account, tree, service):
    saved = account.client("logs").describe_query_definitions(queryDefinitionNamePrefix="items-prod/")["queryDefinitions"]
    files = sorted((tree / "../cloudwatch/queries").glob("*.query"))
    assert sorted(one["queryString"] for one in saved) == sorted(
        path.read_text().strip().split("\n", 1)[1] for path in files
    )
    assert all(one["logGroupNames"] == [service["log_group"]] for one in saved)


def test_the_dashboard_and_the_agents_configuration_are_filled_in(account, service, balancer):
    body = account.client("cloudwatch").get_dashboard(DashboardName=service["dashboard"])["DashboardBody"]
    assert balancer["LoadBalancerArn"].split("loadbalancer/")[1] in body and "items-prod-database" in body
    agent = account.client("ssm").get_parameter(Name="/items/prod/cloudwatch-agent")["Parameter"]["Value"]
    assert "/items/prod/service" in agent and len(agent) <= 4096
    assert json.loads(body) and json.loads(agent)


def test_the_log_is_kept_for_90_days(account, service):
    (one,) = account.client("logs").describe_log_groups(logGroupNamePrefix=service["log_group"])["logGroups"]
    assert one["retentionInDays"] == 90 and one["kmsKeyId"].startswith("arn:aws:kms:")


def test_the_database_is_postgresql_15_encrypted_with_a_standby(database):
    assert (database["Engine"], database["EngineVersion"].split(".")[0]) == ("postgres", "15")
    assert database["DBInstanceClass"] == "db.t3.medium"
    assert database["MultiAZ"] and database["StorageEncrypted"] and database["DeletionProtection"]
    assert database["BackupRetentionPeriod"] == 30
    assert not database["PubliclyAccessible"]
    assert database["CopyTagsToSnapshot"] and database["MasterUserSecret"]["KmsKeyId"].startswith("arn:aws:kms:")


def test_the_database_forces_tls_and_states_its_sessions(account, database):
    (named,) = database["DBParameterGroups"]
    name = named["DBParameterGroupName"]
    rds = account.client("rds")
    found = {}
    for page in rds.get_paginator("describe_db_parameters").paginate(DBParameterGroupName=name):
        found.update({one["ParameterName"]: one.get("ParameterValue") for one in page["Parameters"]})
    assert (found["rds.force_ssl"], found["max_connections"]) == ("1", "360")


def test_no_password_is_in_the_state_or_in_user_data(account, prod, database, user_data):
    secret = account.client("secretsmanager").get_secret_value(SecretId=database["MasterUserSecret"]["SecretArn"])
    password = json.loads(secret["SecretString"])["password"]
    assert len(password) >= 8
    state = prod.run("state", "pull")
    assert '"aws_db_instance"' in state and password not in state
    assert password not in user_data
    for resource in json.loads(state)["resources"]:
        for instance in resource["instances"]:
            assert not instance["attributes"].get("password"), resource["type"]


def test_the_state_is_in_the_bucket_in_versions_encrypted_and_locked(account, prod, bootstrap):
    bucket = bootstrap.run("output", "-raw", "state_bucket")
    assert bucket == f"items-state-{ACCOUNT}"
    s3 = account.client("s3")
    keys = [one["Key"] for one in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    assert keys == ["items/prod.tfstate"]  # the lock is gone again
    versions = s3.list_object_versions(Bucket=bucket)
    locks = [one["Key"] for one in versions.get("DeleteMarkers", [])]
    assert "items/prod.tfstate.tflock" in locks  # and was there
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    stored = s3.head_object(Bucket=bucket, Key="items/prod.tfstate")
    # The request named no encryption, so the bucket's default applies: its key.
    assert stored.get("ServerSideEncryption") != "AES256"
    (rule,) = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"
    assert all(s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values())
    policy = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])
    assert policy["Statement"][0]["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_the_workflows_log_in_through_the_accounts_provider(account, prod, bootstrap, service):
    iam = account.client("iam")
    providers = [one["Arn"] for one in iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]]
    assert providers == [f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.actions.githubusercontent.com"]
    for name, runs in (
        ("items-build", ["ref:refs/heads/main", "ref:refs/heads/develop"]),
        ("items-prod-deploy", ["environment:prod"]),
    ):
        (statement,) = iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]["Statement"]
        assert statement["Principal"] == {"Federated": providers[0]}
        subjects = [f"repo:{form}:{run}" for form in ("acme/items", "acme@*/items@*") for run in runs]
        assert statement["Condition"]["StringLike"]["token.actions.githubusercontent.com:sub"] == subjects
    assert service["deploy_role_arn"].endswith(":role/items-prod-deploy")


def test_the_budget_warns_at_80_per_cent(account, prod):
    budgets = account.client("budgets")
    budget = budgets.describe_budget(AccountId=ACCOUNT, BudgetName="items-prod")["Budget"]
    assert float(budget["BudgetLimit"]["Amount"]) == 400 and budget["TimeUnit"] == "MONTHLY"
    found = budgets.describe_notifications_for_budget(AccountId=ACCOUNT, BudgetName="items-prod")["Notifications"]
    assert {(one["NotificationType"], one["Threshold"]) for one in found} == {("ACTUAL", 80), ("FORECASTED", 100)}


def test_the_outputs_are_what_a_refresh_and_a_smoke_test_ask_for(service, target_group):
    assert service["url"] == "https://items.example.com"
    assert service["group_name"] == "items-prod"
    assert service["launch_template_id"].startswith("lt-")
    assert service["target_group_arn"] == target_group["TargetGroupArn"]
    assert service["image_parameter"] == "/items/prod/image"
    assert service["database"]["max_connections"] == 360


def test_flow_logs_watch_the_network(account, prod):
    logs = account.client("ec2").describe_flow_logs()["FlowLogs"]
    (one,) = (one for one in logs if one["LogDestination"].endswith(":log-group:/items/prod/flow"))
    assert one["TrafficType"] == "ALL"


def test_the_group_has_its_instances_in_the_load_balancer(account, target_group, group):
    health = account.client("elbv2").describe_target_health(TargetGroupArn=target_group["TargetGroupArn"])
    registered = {one["Target"]["Id"] for one in health["TargetHealthDescriptions"]}
    assert registered == {one["InstanceId"] for one in group["Instances"]} and len(registered) == 2


@pytest.fixture(scope="module")
def changed(prod, variables):
    """What a further plan with another setting of the service would do, by type and name."""
    others = [one for one in variables if not one.startswith("-var=settings=")]
    plan = prod.plan(*others, '-var=settings={LOG_LEVEL="debug"}')
    return {(one["type"], one["name"]): one["change"] for one in plan["resource_changes"] if one["mode"] == "managed"}


def test_a_changed_setting_makes_a_version_and_leaves_the_group_at_the_one_a_rollback_needs(changed):
    template = changed["aws_launch_template", "service"]
    assert template["actions"] == ["update"]
    assert "LOG_LEVEL=debug" in base64.b64decode(template["after"]["user_data"]).decode()
    group = changed["aws_autoscaling_group", "service"]
    assert group["before"]["launch_template"] == group["after"]["launch_template"]
    assert not group["after_unknown"].get("launch_template", [{}])[0].get("version")


def test_another_image_in_service_is_not_undone(account, prod, variables, template):
    """After a refresh has published a version and named its image."""
    newer = IMAGE.replace("0123abc", "4567def") + "@sha256:" + "ab" * 32  # as the workflow passes it on
    script = base64.b64decode(template["LaunchTemplateData"]["UserData"]).decode()
    script = script.replace(f"'{IMAGE}'", f"'{newer}'").replace("'prod-0123abc-", "'prod-4567def-")
    data = {**template["LaunchTemplateData"], "UserData": base64.b64encode(script.encode()).decode()}
    account.client("ec2").create_launch_template_version(
        LaunchTemplateId=template["LaunchTemplateId"], LaunchTemplateData=data
    )
    ssm = account.client("ssm")
    ssm.put_parameter(Name="/items/prod/image", Value=newer, Type="String", Overwrite=True)
    try:
        plan = prod.plan(*variables)
    finally:
        ssm.put_parameter(Name="/items/prod/image", Value=IMAGE, Type="String", Overwrite=True)
    changes = {(one["type"], one["name"]): one["change"] for one in plan["resource_changes"]}
    assert changes["aws_ssm_parameter", "image"]["actions"] == ["no-op"]
    user_data = changes["aws_launch_template", "service"]
    assert user_data["before"]["user_data"] == user_data["after"]["user_data"]
    assert newer in base64.b64decode(user_data["after"]["user_data"]).decode()
