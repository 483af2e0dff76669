"""An Auto Scaling group: its instances are replaced by an instance refresh."""

import difflib
import json

from . import userdata
from .cloud import Cloud
from .failure import DONE, CallFailed, Failure
from .progress import follow, hold_interruptions, record, say
from .rollout import ACTIVE, Rollout
from .smoke import Smoke

RUN_COMMAND_POLL_SECONDS = 2  # a smoke test takes about one
SUSPENDED = {"Launch", "Terminate", "HealthCheck", "AddToLoadBalancer"}


def check_group(cloud, options):
    """The group, if a refresh of it can be rolled back."""
    group = cloud.group(options.group)
    if group is None:
        raise Failure(f"there is no Auto Scaling group {options.group}")
    template = group.get("LaunchTemplate")
    if not template:
        raise Failure(
            "the group has no launch template of its own (a mixed instances policy, or a launch configuration)"
        )
    version = template.get("Version", "$Default")
    if not version.isdigit():
        raise Failure(
            f"the group names version {version} of its launch template: only a numbered one can be rolled back to"
        )
    suspended = sorted({process["ProcessName"] for process in group.get("SuspendedProcesses", [])} & SUSPENDED)
    if suspended:
        raise Failure(f"the group's process {suspended[0]} is suspended: a refresh would stand still")
    for refresh in cloud.refreshes(options.group):
        if refresh["Status"] in ACTIVE:
            raise Failure(f"refresh {refresh['InstanceRefreshId']} of the group is {refresh['Status']}")
    for instance in group["Instances"]:
        if instance["LifecycleState"] == "Standby" or instance.get("ProtectedFromScaleIn"):
            say(
                f"{instance['InstanceId']} is in standby or protected: AWS waits an hour for it, then the refresh fails"
            )
    return group


def plan(cloud, group, options):
    """The launch template, its latest version, the user data before and after, and Terraform's parameter."""
    template = group["LaunchTemplate"]["LaunchTemplateId"]
    latest = cloud.template_version(template, "$Latest")
    if latest is None:
        raise Failure(f"launch template {template} has no version")
    data = latest["LaunchTemplateData"]
    if data.get("ImageId", "").startswith("resolve:ssm:"):
        raise Failure("the launch template finds its AMI by an SSM parameter: AWS cannot roll that back")
    before, packed = userdata.decode(data.get("UserData"))
    after = userdata.with_value(before, "ITEMS_IMAGE", options.image)
    after = userdata.with_value(after, "ITEMS_VERSION", options.version)
    parameter = options.parameter or f"/items/{userdata.value(before, 'ITEMS_ENVIRONMENT')}/image"
    return template, latest["VersionNumber"], before, after, userdata.encode(after, packed), parameter


def preferences(options):
    """The refresh's preferences: launch before terminate, a checkpoint, and AWS's own rollback."""
    chosen = {
        "MinHealthyPercentage": 100,
        "MaxHealthyPercentage": 200,
        "InstanceWarmup": options.warmup,
        "AutoRollback": True,
        "SkipMatching": True,
    }
    if options.checkpoint < 100:
        chosen |= {"CheckpointPercentages": [options.checkpoint, 100], "CheckpointDelay": options.checkpoint_delay}
    if options.bake and options.smoke:
        chosen["BakeTime"] = options.bake
    return chosen


def withdraw(cloud, template, number):
    """Deletes the failed version, so that the latest one is again the one that the group runs."""
    try:
        cloud.withdraw(template, number)
        say(f"launch template version {number} is deleted")
    except CallFailed as failure:
        say(f"launch template version {number} is left behind: {failure}")


def start(cloud, group, template, number, wanted, is_ours):
    """The refresh's id. If AWS started it and its answer was lost, the next attempt finds this refresh."""
    try:
        return cloud.start_refresh(group, template, number, wanted)
    except CallFailed as failure:
        if failure.code == "InstanceRefreshInProgress" or failure.passes:
            for refresh in cloud.refreshes(group):
                desired = refresh.get("DesiredConfiguration", {}).get("LaunchTemplate", {})
                if refresh["Status"] in ACTIVE and desired.get("Version") == str(number):
                    return refresh["InstanceRefreshId"]
        if is_ours:
            withdraw(cloud, template, number)
        raise Failure(str(failure)) from None


def instance_address(options, text):
    """The address at which an instance with this user data is tested, None if it is not tested by itself."""
    url = options.run_command or options.instance_url
    return url and url.replace("{place}", userdata.place(text))


def run(options):
    cloud = Cloud(options.region)
    group = check_group(cloud, options)
    template, latest, before, after, encoded, parameter = plan(cloud, group, options)
    current = group["LaunchTemplate"]["Version"]
    wanted = preferences(options)
    count = len(group["Instances"])
    say(f"group {options.group}: {count} instances, launch template {template} version {current}, latest {latest}")
    for line in difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=0):
        if line[:1] in "+-" and line[:3] not in ("+++", "---"):
            say(f"user data: {line}")
    if options.dry_run:
        say(f"would start a refresh with {json.dumps(wanted, sort_keys=True)}")
        say(f"would write {options.image} to {parameter} after it; nothing was changed")
        return DONE
    number, is_ours = latest, False
    if before == after:
        say(f"version {latest} runs this image already")
    else:
        number = cloud.publish(template, latest, encoded, f"items {options.version}"[:255])
        is_ours = True
        say(f"launch template version {number} published")
    hold_interruptions()
    refresh = start(cloud, options.group, template, number, wanted, is_ours)
    say(f"refresh {refresh} started")
    smoke = Smoke(
        options.smoke,
        instance_address(options, after),
        options.smoke_option,
        say,
        service_options=options.service_option,
        remote=cloud if options.run_command else None,
        poll=min(options.poll, RUN_COMMAND_POLL_SECONDS),
    )
    if smoke.is_wanted and smoke.instance_url is None:
        say("the new instances are not asked one by one (--instance-url none)")
    rollout = Rollout(cloud, options.group, refresh, number, smoke, options, say)
    status = follow(rollout, f"refresh {refresh}")
    if rollout.is_back and is_ours:
        withdraw(cloud, template, number)
    return record(cloud, parameter, options.image, "group") if status == DONE else status
