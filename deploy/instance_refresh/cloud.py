"""The calls to AWS. botocore limits and repeats each one; a call that still fails is a CallFailed with one line."""

import os
import uuid

import boto3
import botocore.config
import botocore.exceptions

from .failure import CallFailed, explain

CONNECT_SECONDS, READ_SECONDS, ATTEMPTS = 5, 20, 5
DELIVERY_SECONDS = 30  # Run Command takes no shorter wait for an agent
COMMENT_LIMIT = 100


class Cloud:
    def __init__(self, region=None):
        # boto3 itself reads only AWS_DEFAULT_REGION.
        self.region = region or os.environ.get("AWS_REGION") or None
        self.config = botocore.config.Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"mode": "standard", "max_attempts": ATTEMPTS},
            user_agent_extra="items-refresh",
        )
        self.clients = {}

    def client(self, service):
        if service not in self.clients:
            self.clients[service] = boto3.client(service, region_name=self.region, config=self.config)
        return self.clients[service]

    def members(self, service, operation):
        """The names of what an operation accepts."""
        return set(self.client(service).meta.service_model.operation_model(operation).input_shape.members)

    def call(self, service, operation, /, **arguments):
        try:
            return getattr(self.client(service), operation)(**arguments)
        except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
            raise explain(f"{service} {operation}", error) from None

    def group(self, name):
        """The group as AWS describes it, None if there is none."""
        groups = self.call("autoscaling", "describe_auto_scaling_groups", AutoScalingGroupNames=[name])
        return next(iter(groups["AutoScalingGroups"]), None)

    def refreshes(self, group, *ids):
        """The newest refreshes, or those with these ids."""
        options = {"InstanceRefreshIds": list(ids)} if ids else {}
        answer = self.call("autoscaling", "describe_instance_refreshes", AutoScalingGroupName=group, **options)
        return answer["InstanceRefreshes"]

    def start_refresh(self, group, template, number, preferences):
        answer = self.call(
            "autoscaling",
            "start_instance_refresh",
            AutoScalingGroupName=group,
            Strategy="Rolling",
            DesiredConfiguration={"LaunchTemplate": {"LaunchTemplateId": template, "Version": str(number)}},
            Preferences=preferences,
        )
        return answer["InstanceRefreshId"]

    def roll_back(self, group):
        self.call("autoscaling", "rollback_instance_refresh", AutoScalingGroupName=group)

    def template_version(self, template, version):
        answer = self.call(
            "ec2", "describe_launch_template_versions", LaunchTemplateId=template, Versions=[str(version)]
        )
        return next(iter(answer["LaunchTemplateVersions"]), None)

    def publish(self, template, source, user_data, description):
        """The number of a new version that differs from `source` only in its user data."""
        answer = self.call(
            "ec2",
            "create_launch_template_version",
            ClientToken=str(uuid.uuid4()),  # an answer that is lost makes no second version
            LaunchTemplateId=template,
            SourceVersion=str(source),
            VersionDescription=description,
            LaunchTemplateData={"UserData": user_data},
        )
        return answer["LaunchTemplateVersion"]["VersionNumber"]

    def withdraw(self, template, number):
        answer = self.call("ec2", "delete_launch_template_versions", LaunchTemplateId=template, Versions=[str(number)])
        refused = answer.get("UnsuccessfullyDeletedLaunchTemplateVersions")
        if refused:
            reason = refused[0].get("ResponseError", {}).get("Message", "no reason given")
            raise CallFailed("ec2 delete_launch_template_versions", "", reason, False)

    def private_addresses(self, ids):
        """By instance id; instances without an address are missing."""
        addresses = {}
        arguments = {"InstanceIds": list(ids)}
        for reservation in self.call("ec2", "describe_instances", **arguments)["Reservations"]:
            for instance in reservation["Instances"]:
                if instance.get("PrivateIpAddress"):
                    addresses[instance["InstanceId"]] = instance["PrivateIpAddress"]
        return addresses

    def put_parameter(self, name, value):
        self.call("ssm", "put_parameter", Name=name, Value=value, Type="String", Overwrite=True)

    def send_command(self, instance, lines, seconds, comment):
        """Has the instance run shell lines as root, for at most this long; returns the id of the command."""
        answer = self.call(
            "ssm",
            "send_command",
            InstanceIds=[instance],
            DocumentName="AWS-RunShellScript",
            TimeoutSeconds=max(DELIVERY_SECONDS, seconds),
            Comment=comment[:COMMENT_LIMIT],
            Parameters={"commands": lines, "executionTimeout": [str(seconds)]},
        )
        return answer["Command"]["CommandId"]

    def command_invocation(self, command, instance):
        return self.call("ssm", "get_command_invocation", CommandId=command, InstanceId=instance)
