"""What the roles of prod may do, by their policies as the account has them: what is needed, and nothing beside it."""

import botocore.exceptions
import pytest

import policy
from conftest import ACCOUNT, IMAGE, REGION


def arn(service, rest):
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{rest}"


@pytest.fixture(scope="module")
def names(service):
    """The ARNs that belong to prod, and their neighbours."""
    return {
        "secret": service["database"]["secret_arn"],
        "template": arn("ec2", f"launch-template/{service['launch_template_id']}"),
        "group": arn("autoscaling", "autoScalingGroup:0b1c:autoScalingGroupName/items-prod"),
        "repository": arn("ecr", "repository/items"),
        "log": arn("logs", "log-group:/items/prod/service:log-stream:i-1"),
        "role": f"arn:aws:iam::{ACCOUNT}:role/items-prod-instance",
    }


@pytest.fixture(scope="module")
def instance(account, service):
    return account.client("iam").get_role_policy(RoleName=service["instance_role_name"], PolicyName="service")["PolicyDocument"]


@pytest.fixture(scope="module")
def deploy(account, prod):
    return account.client("iam").get_role_policy(RoleName="items-prod-deploy", PolicyName="refresh")["PolicyDocument"]


@pytest.fixture(scope="module")
def build(account, prod):
    return account.client("iam").get_role_policy(RoleName="items-build", PolicyName="push")["PolicyDocument"]


def test_a_role_has_one_policy_and_no_managed_one(account, prod):
    iam = account.client("iam")
    for role, name in (("items-prod-instance", "service"), ("items-prod-deploy", "refresh"), ("items-build", "push")):
        assert iam.list_role_policies(RoleName=role)["PolicyNames"] == [name]
        assert iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"] == []


def test_an_instance_reads_its_secret_and_no_other(instance, names):
    assert policy.allows(instance, "secretsmanager:GetSecretValue", names["secret"])
    assert not policy.allows(instance, "secretsmanager:GetSecretValue", arn("secretsmanager", "secret:rds!db-2-AbCdEf"))
    assert not policy.allows(instance, "secretsmanager:PutSecretValue", names["secret"])
    assert not policy.allows(instance, "secretsmanager:ListSecrets")


def test_an_instance_decrypts_its_secret_alone_and_only_through_secrets_manager(instance, names):
    (statement,) = (one for one in instance["Statement"] if one["Sid"] == "DecryptTheSecret")
    through = {
        "kms:ViaService": f"secretsmanager.{REGION}.amazonaws.com",
        "kms:EncryptionContext:SecretARN": names["secret"],
    }
    assert policy.allows(instance, "kms:Decrypt", statement["Resource"], through)
    assert not policy.allows(instance, "kms:Decrypt", statement["Resource"])
    another = through | {"kms:EncryptionContext:SecretARN": arn("secretsmanager", "secret:another")}
    assert not policy.allows(instance, "kms:Decrypt", statement["Resource"], another)
    assert not policy.allows(instance, "kms:Decrypt", arn("kms", "key/another"), through)


def test_an_instance_pulls_from_the_one_repository(instance, names):
    for action in ("ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:BatchCheckLayerAvailability"):
        assert policy.allows(instance, action, names["repository"])
        assert not policy.allows(instance, action, arn("ecr", "repository/another"))
    assert policy.allows(instance, "ecr:GetAuthorizationToken")
    assert not policy.allows(instance, "ecr:PutImage", names["repository"])


def test_an_instance_writes_its_log_and_its_metrics(instance, names):
    assert policy.allows(instance, "logs:PutLogEvents", names["log"])
    assert policy.allows(instance, "logs:CreateLogStream", names["log"])
    assert not policy.allows(instance, "logs:PutLogEvents", arn("logs", "log-group:/items/test/service:log-stream:i-1"))
    assert not policy.allows(instance, "logs:CreateLogGroup", arn("logs", "log-group:/items/prod/service"))
    assert policy.allows(instance, "cloudwatch:PutMetricData", context={"cloudwatch:namespace": "Items/prod"})
    assert not policy.allows(instance, "cloudwatch:PutMetricData", context={"cloudwatch:namespace": "AWS/EC2"})


def test_an_instance_reads_its_parameters_and_no_other(instance):
    for name, allowed in (("prod/image", True), ("prod/cloudwatch-agent", True), ("test/image", False), ("prod/x", False)):
        assert policy.allows(instance, "ssm:GetParameter", arn("ssm", f"parameter/items/{name}")) is allowed
    assert not policy.allows(instance, "ssm:PutParameter", arn("ssm", "parameter/items/prod/image"))


def test_an_instance_completes_actions_of_its_own_group(instance, names):
    other = arn("autoscaling", "autoScalingGroup:0b1c:autoScalingGroupName/items-test")
    for action in ("autoscaling:CompleteLifecycleAction", "autoscaling:RecordLifecycleActionHeartbeat"):
        assert policy.allows(instance, action, names["group"])
        assert not policy.allows(instance, action, other)
    assert not policy.allows(instance, "autoscaling:SetDesiredCapacity", names["group"])


def test_an_instance_can_be_reached_by_session_manager(instance):
    for action in ("ssm:UpdateInstanceInformation", "ssmmessages:OpenDataChannel", "ssmmessages:OpenControlChannel"):
        assert policy.allows(instance, action)


@pytest.mark.parametrize(
    "action", ["iam:PassRole", "sts:AssumeRole", "ec2:RunInstances", "s3:GetObject", "rds:DeleteDBInstance", "kms:Encrypt"]
)
def test_an_instance_does_nothing_else(instance, names, action):
    for resource in ("*", names["role"], names["template"], "arn:aws:s3:::items-state/items/prod.tfstate"):
        assert not policy.allows(instance, action, resource)


def test_the_deploy_role_makes_versions_and_refreshes_the_one_group(deploy, names):
    parameter = arn("ssm", "parameter/items/prod/image")
    for action, resource in (
        ("autoscaling:StartInstanceRefresh", names["group"]),
        ("autoscaling:RollbackInstanceRefresh", names["group"]),
        ("ec2:CreateLaunchTemplateVersion", names["template"]),
        ("ec2:DeleteLaunchTemplateVersions", names["template"]),
        ("ssm:PutParameter", parameter),
        ("ssm:GetParameter", parameter),
    ):
        assert policy.allows(deploy, action, resource), action
        for neighbour in ("*", resource.replace("prod", "test").replace("lt-", "lt-0")):
            assert neighbour == resource or not policy.allows(deploy, action, neighbour), (action, neighbour)
    for action in (
        "autoscaling:DescribeAutoScalingGroups",
        "autoscaling:DescribeInstanceRefreshes",
        "ec2:DescribeInstances",
        "ec2:DescribeLaunchTemplateVersions",
    ):
        assert policy.allows(deploy, action)


def test_the_deploy_role_starts_only_what_the_template_describes(deploy, names):
    started = arn("ec2", "instance/*")
    assert policy.allows(deploy, "ec2:RunInstances", started, {"ec2:LaunchTemplate": names["template"]})
    assert not policy.allows(deploy, "ec2:RunInstances", started)
    assert not policy.allows(deploy, "ec2:RunInstances", started, {"ec2:LaunchTemplate": arn("ec2", "launch-template/lt-9")})
    assert policy.allows(deploy, "iam:PassRole", names["role"], {"iam:PassedToService": "ec2.amazonaws.com"})
    assert not policy.allows(deploy, "iam:PassRole", names["role"], {"iam:PassedToService": "lambda.amazonaws.com"})
    assert not policy.allows(deploy, "iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/admin", {"iam:PassedToService": "ec2.amazonaws.com"})
    for action in ("secretsmanager:GetSecretValue", "ssm:SendCommand", "rds:DeleteDBInstance", "ec2:TerminateInstances"):
        assert not policy.allows(deploy, action)


def test_the_deploy_role_runs_shell_lines_on_instances_of_the_group_alone(deploy):
    tag = "ssm:resourceTag/aws:autoscaling:groupName"
    assert policy.allows(deploy, "ssm:SendCommand", f"arn:aws:ssm:{REGION}::document/AWS-RunShellScript")
    assert not policy.allows(deploy, "ssm:SendCommand", f"arn:aws:ssm:{REGION}::document/AWS-ApplyPatchBaseline")
    assert policy.allows(deploy, "ssm:SendCommand", arn("ec2", "instance/i-1"), {tag: "items-prod"})
    for context in ({}, {tag: "items-test"}):
        assert not policy.allows(deploy, "ssm:SendCommand", arn("ec2", "instance/i-1"), context)
    assert policy.allows(deploy, "ssm:GetCommandInvocation")


def test_the_build_role_pushes_to_the_one_repository(build, names):
    for action in ("ecr:PutImage", "ecr:UploadLayerPart", "ecr:InitiateLayerUpload", "ecr:CompleteLayerUpload"):
        assert policy.allows(build, action, names["repository"])
        assert not policy.allows(build, action, arn("ecr", "repository/another"))
    assert not policy.allows(build, "ecr:DeleteRepository", names["repository"])
    assert not policy.allows(build, "autoscaling:StartInstanceRefresh", names["group"])


@pytest.fixture
def assumed(account, service):
    """Clients with the instances' role, in an account that checks signatures and policies."""
    sts, iam = account.client("sts"), account.client("iam")
    role = iam.get_role(RoleName=service["instance_role_name"])["Role"]["Arn"]
    credentials = sts.assume_role(RoleArn=role, RoleSessionName="i-1")["Credentials"]
    account.client("secretsmanager").create_secret(Name="another", SecretString="x")
    account.client("ssm").put_parameter(Name="/items/test/image", Value="x", Type="String", Overwrite=True)
    account.enforce(0)
    yield lambda name: account.client(
        name, credentials["AccessKeyId"], credentials["SecretAccessKey"], credentials["SessionToken"]
    )
    account.enforce("inf")


def refused(call, **arguments):
    with pytest.raises(botocore.exceptions.ClientError) as failure:
        call(**arguments)
    # Services of the JSON protocol get the emulator's refusal in XML, and botocore no name from it.
    return failure.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_an_account_that_enforces_policies_lets_an_instance_do_its_work_alone(assumed, names):
    secrets, ssm, ecr, logs = assumed("secretsmanager"), assumed("ssm"), assumed("ecr"), assumed("logs")
    assert secrets.get_secret_value(SecretId=names["secret"])["SecretString"]
    assert ssm.get_parameter(Name="/items/prod/image")["Parameter"]["Value"] == IMAGE
    assert ecr.get_authorization_token()["authorizationData"]
    logs.create_log_stream(logGroupName="/items/prod/service", logStreamName="i-1")

    assert refused(secrets.get_secret_value, SecretId="another")
    assert refused(secrets.create_secret, Name="third", SecretString="x")
    assert refused(ssm.get_parameter, Name="/items/test/image")
    assert refused(ssm.put_parameter, Name="/items/prod/image", Value="x", Type="String", Overwrite=True)
    assert refused(logs.create_log_stream, logGroupName="/items/prod/flow", logStreamName="i-1")
    assert refused(ecr.create_repository, repositoryName="another")
    assert refused(assumed("autoscaling").set_desired_capacity, AutoScalingGroupName="items-prod", DesiredCapacity=10)
    assert refused(assumed("iam").list_roles)
