"""AWS as `deploy/refresh` sees it: an Auto Scaling group and its instance refreshes, on top of moto.

moto knows launch templates and parameters but no instance refresh, so the calls about the group are answered here, by
the query protocol, and all others go on to moto. What an instance is, its `Machines` decide: nothing at all, or a
process behind the balancer. Run Command is moto's too, but moto runs nothing: what an instance is told is run here.
"""

import base64
import contextlib
import json
import os
import re
import signal
import subprocess
import threading
import time
import uuid

from front import Fault, Front

from support.waiting import until

GROUP, ENVIRONMENT, REGION = "items-test", "test", "eu-west-1"
IMAGE = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/items:test-{}"
USER_DATA = """#!/usr/bin/env bash
ITEMS_ENVIRONMENT='test'
ITEMS_IMAGE='{image}'
ITEMS_VERSION='{version}'
# what follows only mentions $ITEMS_IMAGE
echo "ITEMS_IMAGE=$ITEMS_IMAGE"
"""
ACTIVE = {"Pending", "InProgress", "Baking", "Cancelling", "RollbackInProgress"}
HEALTHY_SECONDS = 30
OUTPUT_LIMIT, ERROR_LIMIT = 24000, 8000  # of what AWS keeps of a command's outputs
COMMAND_LIMIT = 65536


class Stop(Exception):
    """The refresh has to roll back, or to end."""


class Machine:
    def __init__(self, number, version):
        self.id, self.version, self.address = f"i-{number:017x}", version, f"10.0.10.{number}"


class Machines:
    """Instances that are nothing but a name; `sick` versions never become healthy."""

    def __init__(self):
        self.count = 0
        self.sick = set()

    def launch(self, version):
        self.count += 1
        return Machine(self.count, version)

    def enter_service(self, machine):
        """Returns when it is in service; raises when it does not get there."""
        if machine.version in self.sick:
            raise TimeoutError(f"{machine.id} failed its health checks")

    def abandon(self, machine):
        pass

    def retire(self, machine):
        pass


class Invocation:
    """What one instance was told by AWS-RunShellScript, run by this machine's shell as its agent would run it."""

    def __init__(self, values):
        self.values = values
        (seconds,) = values["Parameters"]["executionTimeout"]
        self.seconds = int(seconds)
        self.state = {"Status": "Pending", "StatusDetails": "Pending", "ResponseCode": -1}
        self.process = subprocess.Popen(
            ["sh", "-c", "\n".join(values["Parameters"]["commands"])],
            env={"PATH": os.environ["PATH"]},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        self.state = {"Status": "InProgress", "StatusDetails": "InProgress", "ResponseCode": -1}
        try:
            text, errors = self.process.communicate(timeout=self.seconds)
            code = self.process.returncode
            status = details = "Failed" if code else "Success"
        except subprocess.TimeoutExpired:
            self.stop()
            text, errors = self.process.communicate()
            status, details, code = "TimedOut", "ExecutionTimedOut", 137
        self.state = {
            "Status": status,
            "StatusDetails": details,
            "ResponseCode": code,
            "StandardOutputContent": text.decode(errors="replace")[:OUTPUT_LIMIT],
            "StandardErrorContent": errors.decode(errors="replace")[:ERROR_LIMIT],
        }

    def stop(self):
        if self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)


class Refresh:
    """One instance refresh, run by a thread of its own as the documentation of Auto Scaling says."""

    def __init__(self, cloud, desired, preferences):
        self.cloud, self.desired, self.preferences = cloud, desired, preferences
        self.id = str(uuid.uuid4())
        self.status, self.reason, self.rollback_reason = "Pending", "", ""
        self.percentage = 0
        self.rollback_wanted = threading.Event()
        self.replaced = []
        self.source = cloud.version
        self.todo = [
            machine for machine in cloud.machines if machine.version != desired or not preferences["SkipMatching"]
        ]
        self.total = len(self.todo)
        self.thread = threading.Thread(target=self._run, daemon=True)

    def describe(self):
        described = {
            "InstanceRefreshId": self.id,
            "AutoScalingGroupName": GROUP,
            "Status": self.status,
            "PercentageComplete": self.percentage,
            "InstancesToUpdate": len(self.todo),
            "StartTime": "2026-11-21T12:00:00Z",
        }
        if self.reason:
            described["StatusReason"] = self.reason
        if self.desired:
            described["DesiredConfiguration"] = {"LaunchTemplate": self.cloud.template(self.desired)}
        if self.rollback_reason:
            described["RollbackDetails"] = {"RollbackReason": self.rollback_reason}
        return described

    def _pause(self, seconds):
        if self.rollback_wanted.wait(seconds):
            raise Stop

    def _run(self):
        try:
            self._pause(self.cloud.step)
            self.status = "InProgress"
            checkpoints = self.preferences["CheckpointPercentages"] or [100]
            for percentage in checkpoints:
                while self.todo and self.percentage < percentage:
                    self._replace(self.todo[0], self.desired)
                    self.todo.pop(0)
                    self.percentage = 100 - 100 * len(self.todo) // self.total
                if self.todo:
                    self.reason = f"Waiting at the checkpoint of {percentage} percent."
                    self._pause(self.preferences["CheckpointDelay"])
                    self.reason = ""
            self.percentage = 100
            if self.preferences["BakeTime"] and self.total:
                self.status = "Baking"
                self._pause(self.preferences["BakeTime"])
            self.cloud.version = self.desired or self.cloud.version
            self.status = "Successful"
        except Stop:
            self._roll_back("Rollback was requested.")
        except Exception as failure:
            self.reason = str(failure)
            if self.preferences["AutoRollback"]:
                self._roll_back(f"Automatic rollback: {failure}")
            else:
                self.status = "Failed"

    def _replace(self, old, version):
        """Launch before terminate."""
        new = self.cloud.hardware.launch(version)
        with self.cloud.lock:
            self.cloud.machines.append(new)
            self.cloud.pending.add(new.id)
        try:
            self.cloud.hardware.enter_service(new)
        except Exception:
            with self.cloud.lock:
                self.cloud.machines.remove(new)
            self.cloud.hardware.abandon(new)
            raise
        self.cloud.pending.discard(new.id)
        self.replaced.append(new)
        self._wait_without_rollback(self.cloud.step)
        self.cloud.hardware.retire(old)
        with self.cloud.lock:
            self.cloud.machines.remove(old)

    def _wait_without_rollback(self, seconds):
        time.sleep(seconds)

    def _roll_back(self, reason):
        self.rollback_reason = reason
        self.status = "RollbackInProgress"
        if self.cloud.rollback_hangs:
            return
        try:
            for machine in list(self.replaced):
                self._replace(machine, self.source)
                self.percentage = max(0, self.percentage - 100 // self.total)
            self.percentage = 0
            self.status = "RollbackSuccessful"
        except Exception as failure:
            self.reason, self.status = str(failure), "RollbackFailed"


class Cloud(Front):
    through = frozenset({"SendCommand", "GetCommandInvocation"})

    def __init__(self, moto, hardware, count=2, step=0.02):
        super().__init__(moto)
        self.hardware, self.step = hardware, step
        self.pending = set()
        self.deleted = []
        self.refreshes = []
        self.invocations = {}  # by command id
        self.rollback_hangs = False
        self.template_choice = None  # another version than the number, as $Latest
        self.extra = {}  # further members of the group's description
        user_data = USER_DATA.format(image=IMAGE.format("one"), version="one")
        self.template_id = moto.client("ec2").create_launch_template(
            LaunchTemplateName=f"items-{uuid.uuid4()}",
            LaunchTemplateData={
                "InstanceType": "t3.micro",
                "ImageId": "ami-0123456789abcdef0",
                "UserData": self._encode(user_data),
            },
        )["LaunchTemplate"]["LaunchTemplateId"]
        self.parameter = f"/items/{ENVIRONMENT}/image"
        moto.client("ssm").put_parameter(Name=self.parameter, Value=IMAGE.format("one"), Type="String", Overwrite=True)
        self.version = "1"
        self.machines = []
        for _ in range(count):
            machine = hardware.launch("1")
            hardware.enter_service(machine)
            self.machines.append(machine)
        self.serve()

    @staticmethod
    def _encode(text):
        return base64.b64encode(text.encode()).decode()

    def publish(self, user_data):
        """A further version of the launch template, as Terraform makes them."""
        data = {"UserData": self._encode(user_data)}
        self.moto.client("ec2").create_launch_template_version(
            LaunchTemplateId=self.template_id, SourceVersion="1", LaunchTemplateData=data
        )

    def user_data(self, number):
        answer = self.moto.client("ec2").describe_launch_template_versions(
            LaunchTemplateId=self.template_id, Versions=[str(number)]
        )
        return base64.b64decode(answer["LaunchTemplateVersions"][0]["LaunchTemplateData"]["UserData"]).decode()

    def published(self):
        """The numbers of all versions."""
        versions = self.moto.client("ec2").describe_launch_template_versions(LaunchTemplateId=self.template_id)
        return sorted(version["VersionNumber"] for version in versions["LaunchTemplateVersions"])

    def image(self):
        return self.moto.client("ssm").get_parameter(Name=self.parameter)["Parameter"]["Value"]

    def versions(self):
        with self.lock:
            return sorted(machine.version for machine in self.machines)

    def template(self, number):
        return {"LaunchTemplateId": self.template_id, "LaunchTemplateName": "items", "Version": str(number)}

    def state(self):
        """What a dry run must leave as it is."""
        return self.published(), self.image(), self.version, self.versions(), len(self.refreshes)

    def stop(self):
        for refresh in self.refreshes:
            refresh.rollback_wanted.set()
            refresh.thread.join(60)
        for invocation in self.invocations.values():
            invocation.stop()
            invocation.thread.join(10)
        super().stop()

    def wait_for(self, status, seconds=30):
        until(
            lambda: self.refreshes and self.refreshes[-1].status == status, seconds, what=f"a refresh that is {status}"
        )

    # The calls.

    def _DescribeAutoScalingGroups(self, values):
        if values.get("AutoScalingGroupNames.member.1") != GROUP:
            return {"AutoScalingGroups": []}
        group = {
            "AutoScalingGroupName": GROUP,
            "MinSize": 1,
            "MaxSize": 4,
            "DesiredCapacity": len(self.machines),
            "DefaultCooldown": 300,
            "AvailabilityZones": ["eu-west-1a"],
            "HealthCheckType": "ELB",
            "CreatedTime": "2026-11-21T12:00:00Z",
            "LaunchTemplate": self.template(self.template_choice or self.version),
            "Instances": [
                {
                    "InstanceId": machine.id,
                    "AvailabilityZone": "eu-west-1a",
                    "LifecycleState": "Pending" if machine.id in self.pending else "InService",
                    "HealthStatus": "Healthy",
                    "ProtectedFromScaleIn": "false",
                    "LaunchTemplate": self.template(machine.version),
                }
                for machine in self.machines
            ],
        }
        group |= self.extra
        return {"AutoScalingGroups": [{name: value for name, value in group.items() if value is not None}]}

    def _DescribeInstanceRefreshes(self, values):
        wanted = values.get("InstanceRefreshIds.member.1")
        found = [refresh for refresh in reversed(self.refreshes) if wanted in (None, refresh.id)]
        return {"InstanceRefreshes": [refresh.describe() for refresh in found]}

    def _StartInstanceRefresh(self, values):
        preferences = {name: values.get(f"Preferences.{name}") == "true" for name in ("AutoRollback", "SkipMatching")}
        preferences["BakeTime"] = float(values.get("Preferences.BakeTime", 0))
        preferences["CheckpointDelay"] = float(values.get("Preferences.CheckpointDelay", 3600))
        checkpoints = [int(text) for name, text in values.items() if ".CheckpointPercentages." in name]
        preferences["CheckpointPercentages"] = checkpoints
        version = values.get("DesiredConfiguration.LaunchTemplate.Version")
        low = int(values.get("Preferences.MinHealthyPercentage", 90))
        high = int(values.get("Preferences.MaxHealthyPercentage", 100))
        if any(refresh.status in ACTIVE for refresh in self.refreshes):
            raise Fault("InstanceRefreshInProgress", "An Instance Refresh is already in progress")
        if preferences["AutoRollback"] and (version is None or not version.isdigit() or self.template_choice):
            raise Fault("ValidationError", "AutoRollback needs a desired configuration with a numbered version")
        if high - low > 100 or high < 100:
            raise Fault("ValidationError", "MinHealthyPercentage and MaxHealthyPercentage do not fit")
        if checkpoints != sorted(set(checkpoints)):
            raise Fault("ValidationError", "CheckpointPercentages must ascend")
        if version and int(version) not in self.published():
            raise Fault("ValidationError", "There is no such launch template version")
        refresh = Refresh(self, version, preferences)
        self.refreshes.append(refresh)
        refresh.thread.start()
        return {"InstanceRefreshId": refresh.id}

    def _RollbackInstanceRefresh(self, values):
        active = [refresh for refresh in self.refreshes if refresh.status in ("Pending", "InProgress", "Baking")]
        if not active:
            raise Fault("ActiveInstanceRefreshNotFound", "No in progress or pending Instance Refresh found")
        if active[0].desired is None or self.template_choice:
            raise Fault("IrreversibleInstanceRefresh", "The refresh has no configuration to go back to")
        active[0].rollback_wanted.set()
        return {"InstanceRefreshId": active[0].id}

    def _DescribeInstances(self, values):
        ids = {value for name, value in values.items() if name.startswith("InstanceId.")}
        found = [machine for machine in self.machines if machine.id in ids]
        rows = [{"instanceId": machine.id, "privateIpAddress": machine.address} for machine in found]
        return {"reservationSet": [{"reservationId": "r-1", "instancesSet": rows}]}

    def _SendCommand(self, values, answer):
        (instance,) = values["InstanceIds"]
        if instance not in {machine.id for machine in self.machines}:
            raise Fault("InvalidInstanceId", f"Instances [[{instance}]] not in a valid state for account")
        if values["DocumentName"] != "AWS-RunShellScript" or set(values["Parameters"]) - DOCUMENT_PARAMETERS:
            raise Fault("InvalidParameters", "The document has no such parameter")
        if not all(isinstance(value, str) for words in values["Parameters"].values() for value in words):
            raise Fault("InvalidParameters", "Every parameter is a list of strings")
        if not re.fullmatch("[1-9][0-9]{0,4}", values["Parameters"]["executionTimeout"][0]):
            raise Fault("InvalidParameters", "executionTimeout does not match the document's pattern")
        if "{{" in str(values["Parameters"]) or len(json.dumps(values)) > COMMAND_LIMIT:
            raise Fault("MaxDocumentSizeExceeded", "The command is too long, or would be replaced in part")
        self.invocations[answer["Command"]["CommandId"]] = Invocation(values)
        return answer

    def _GetCommandInvocation(self, values, answer):
        return answer | self.invocations[values["CommandId"]].state

    def _DeleteLaunchTemplateVersions(self, values):
        self.deleted.append(int(values["LaunchTemplateVersion.1"]))
        return {"successfullyDeletedLaunchTemplateVersionSet": []}


DOCUMENT_PARAMETERS = {"commands", "executionTimeout", "workingDirectory"}
