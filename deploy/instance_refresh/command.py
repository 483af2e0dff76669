"""The command line: checks everything first, then changes something."""

import argparse
import datetime
import difflib
import json
import re
import signal
import sys

from . import userdata
from .cloud import Cloud
from .failure import DONE, FAILED, INTERRUPTED, REFUSED, ROLLED_BACK, CallFailed, Failure
from .rollout import ACTIVE, Rollout
from .smoke import Smoke

EPILOG = """
At the checkpoint every new instance is asked by deploy/smoke at --instance-url (or asks itself: --run-command), then
the service at --smoke.
A failure rolls the group back. After a success the image is written to the parameter that Terraform reads.
AWS has no call that ends a checkpoint early: the refresh goes on when --checkpoint-delay is over.

Exit status:
    0  done: every instance runs the image (or did so before)
    1  rolled back: the group runs what it ran before
    2  refused or bad command line: nothing was changed
    3  timed out: a rollback was asked for and followed
    4  failed, and needs a person: the last lines say what to look at
  130  interrupted: a rollback was asked for
"""
IMAGE = re.compile(
    r"([A-Za-z0-9.-]+(:[0-9]+)?/)?[a-z0-9][a-z0-9._/-]*(?P<tag>:[A-Za-z0-9_][A-Za-z0-9._-]{0,127})?"
    r"(?P<digest>@sha256:[0-9a-f]{64})?",
    re.ASCII,
)
LABEL = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]{0,127}", re.ASCII)
RUN_COMMAND_POLL_SECONDS = 2  # a smoke test takes about one
SUSPENDED = {"Launch", "Terminate", "HealthCheck", "AddToLoadBalancer"}


class Interrupted(BaseException):
    """Not an Exception: botocore would treat it as a broken connection, and try again."""


def say(line):
    """One line of progress, with the time in UTC."""
    print(f"{datetime.datetime.now(datetime.UTC):%H:%M:%SZ}  {line}", flush=True)


def seconds(low, high):
    def read(text):
        if not text.isdigit() or not low <= int(text) <= high:
            raise argparse.ArgumentTypeError(f"{text}: {low} to {high} is possible")
        return int(text)

    return read


def address(text):
    if text == "none":
        return None
    if not re.fullmatch(r"https?://[^\s/]+(/\S*)?", text):
        raise argparse.ArgumentTypeError(f"{text}: an http or https URL, or none")
    return text


def own_address(text):
    url = address(text)
    if url is None:
        raise argparse.ArgumentTypeError("none: a URL is needed, or no value at all")
    return url


def parse(arguments):
    parser = argparse.ArgumentParser(
        prog="deploy/refresh",
        description="Replaces the instances of an Auto Scaling group by ones that run another image.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--group", required=True, help="the Auto Scaling group")
    add("--image", required=True, help="the image's full URI, with tag or digest")
    add("--version", help="its label (default: the image's tag, or its digest if it has none)")
    add(
        "--smoke", required=True, type=address, metavar="URL|none", help="the service's URL; none: no smoke test at all"
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--instance-url",
        type=address,
        default="http://{private_ip}{place}",
        metavar="URL|none",
        help="where this machine reaches one instance; has {private_ip} or {instance_id} (default: http://{private_ip} with "
        "the port and the base path of the user data)",
    )
    where.add_argument(
        "--run-command",
        type=own_address,
        nargs="?",
        const="http://127.0.0.1{place}",
        metavar="URL",
        help="every new instance asks itself there, by Run Command of Systems Manager, where this machine reaches none "
        "(default without URL: http://127.0.0.1 with the port and the base path of the user data)",
    )
    add(
        "--smoke-option",
        action="append",
        default=[],
        metavar="OPTION",
        help="for deploy/smoke of an instance, as --smoke-option=--commit=…",
    )
    add("--checkpoint", type=seconds(1, 100), default=50, metavar="PERCENT", help="default: 50; 100: none")
    add(
        "--checkpoint-delay",
        type=seconds(1, 172800),
        default=300,
        metavar="SECONDS",
        help="how long AWS waits there (default: 300)",
    )
    add(
        "--bake",
        type=seconds(0, 172800),
        default=60,
        metavar="SECONDS",
        help="how long AWS waits at the end (default: 60)",
    )
    add(
        "--warmup",
        type=seconds(0, 3600),
        default=60,
        metavar="SECONDS",
        help="from in service to counted (default: 60)",
    )
    add(
        "--timeout",
        type=seconds(1, 86400),
        default=3600,
        metavar="SECONDS",
        help="for the whole refresh (default: 3600)",
    )
    add("--poll", type=float, default=5, metavar="SECONDS", help="between two looks at AWS (default: 5)")
    add("--parameter", help="SSM parameter of the image (default: /items/<environment>/image, by the user data)")
    add("--region", help="default: as the AWS CLI's")
    add("--dry-run", action="store_true", help="say what would be done; change nothing")
    options = parser.parse_args(arguments)
    match = IMAGE.fullmatch(options.image)
    if not match or not (match["tag"] or match["digest"]):
        parser.error(f"--image {options.image}: a full URI with tag or digest is needed")
    if options.version is None:
        # In the form that Terraform makes, so that its next plan shows no difference.
        options.version = (match["tag"] or match["digest"]).rpartition(":")[2]
    if not LABEL.fullmatch(options.version):
        parser.error(f"--version {options.version}: letters, digits and ._+- are possible")
    if not 0.01 <= options.poll <= 300:
        parser.error("--poll: 0.01 to 300 is possible")
    # A wait of AWS is noticed soon after it began: the rest of it is for the smoke test.
    options.poll = min([options.poll, *(wait / 10 for wait in (options.checkpoint_delay, options.bake) if wait)])
    if options.smoke is None:
        options.instance_url = options.run_command = None
    return options


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
    refresh = start(cloud, options.group, template, number, wanted, is_ours)
    say(f"refresh {refresh} started")
    smoke = Smoke(
        options.smoke,
        instance_address(options, after),
        options.smoke_option,
        say,
        remote=cloud if options.run_command else None,
        poll=min(options.poll, RUN_COMMAND_POLL_SECONDS),
    )
    if smoke.is_wanted and smoke.instance_url is None:
        say("the new instances are not asked one by one (--instance-url none)")
    rollout = Rollout(cloud, options.group, refresh, number, smoke, options, say)
    try:
        status = rollout.run()
    except Interrupted:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if not rollout.is_rolling_back:
            rollout.roll_back("interrupted")
        say(f"interrupted; nobody follows refresh {refresh} any more")
        return INTERRUPTED
    if status == ROLLED_BACK and is_ours:
        withdraw(cloud, template, number)
    if status == DONE:
        try:
            cloud.put_parameter(parameter, options.image)
        except CallFailed as failure:
            say(f"the group runs {options.image}, but {parameter} was not written: {failure}")
            return FAILED
        say(f"{parameter} is {options.image}")
        say("done")
    return status


def main(arguments=None):
    options = parse(arguments)

    def interrupt(*_):
        raise Interrupted

    signal.signal(signal.SIGINT, interrupt)
    signal.signal(signal.SIGTERM, interrupt)
    try:
        return run(options)
    except Failure as failure:
        print(f"refresh: refused: {failure}", file=sys.stderr)
        return failure.status
    except CallFailed as failure:
        print(f"refresh: refused: {failure}", file=sys.stderr)
        return REFUSED
    except Interrupted:
        print(
            "refresh: interrupted before the refresh was seen to start; a launch template version may be left behind",
            file=sys.stderr,
        )
        return INTERRUPTED
