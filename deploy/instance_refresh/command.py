"""The command line: checks everything first, then changes something."""

import argparse
import re
import signal
import sys

from . import group, service
from .failure import INTERRUPTED, REFUSED, CallFailed, Failure
from .progress import Interrupted

EPILOG = """
--group: at the checkpoint every new instance is asked by deploy/smoke at --instance-url (or asks itself:
--run-command), then the service at --smoke. A failure rolls the group back.
AWS has no call that ends a checkpoint early: the refresh goes on when --checkpoint-delay is over.

--service: the deployment that this program starts is followed until it is complete, then the service is asked at
--smoke. A failure brings the revision from before back.

After a success the image is written to the parameter that Terraform reads.

Exit status:
    0  done: every instance or task runs the image (or did so before)
    1  rolled back: the group or service runs what it ran before
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
SERVICE = re.compile(r"[A-Za-z0-9_-]{1,255}/[A-Za-z0-9_-]{1,255}", re.ASCII)
# Options of only one of the two, with their defaults.
OF_GROUP = {
    "version": None,
    "run_command": None,
    "checkpoint": 50,
    "checkpoint_delay": 300,
    "bake": 60,
    "warmup": 60,
}
OF_SERVICE = {"container": None}


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


def service_name(text):
    if not SERVICE.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text}: CLUSTER/NAME is needed")
    return text


def settle(parser, options):
    """Refuses options that belong to the other kind, and sets the defaults that depend on the kind."""
    kind, foreign = ("--service", OF_GROUP) if options.service else ("--group", OF_SERVICE)
    for name in foreign:
        if getattr(options, name) is not None:
            parser.error(f"--{name.replace('_', '-')} is not for {kind}")
    for name, default in {**OF_GROUP, **OF_SERVICE}.items():
        if getattr(options, name) is None:
            setattr(options, name, default)
    if not hasattr(options, "instance_url"):
        options.instance_url = None if options.service else "http://{private_ip}{place}"


def parse(arguments):
    parser = argparse.ArgumentParser(
        prog="deploy/refresh",
        description="Replaces the instances of an Auto Scaling group, or the tasks of an ECS service, by ones that run "
        "another image.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--group", help="the Auto Scaling group")
    what.add_argument("--service", type=service_name, metavar="CLUSTER/NAME", help="the ECS service")
    add("--image", required=True, help="the image's full URI, with tag or digest")
    add("--version", help="its label (default: the image's tag, or its digest if it has none)")
    add(
        "--smoke", required=True, type=address, metavar="URL|none", help="the service's URL; none: no smoke test at all"
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--instance-url",
        type=address,
        default=argparse.SUPPRESS,
        metavar="URL|none",
        help="where this machine reaches one instance or task; has {private_ip} or {instance_id} (default for a group: "
        "http://{private_ip} with the port and the base path of the user data; for a service: none)",
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
        help="for deploy/smoke of an instance or task, as --smoke-option=--commit=…",
    )
    add(
        "--service-option",
        action="append",
        default=[],
        metavar="OPTION",
        help="for deploy/smoke of the service, as --service-option=--p95-ms=200",
    )
    add("--container", metavar="NAME", help="of a service's task (default: the one that runs an image of this repository)")
    add("--checkpoint", type=seconds(1, 100), metavar="PERCENT", help="default: 50; 100: none")
    add(
        "--checkpoint-delay",
        type=seconds(1, 172800),
        metavar="SECONDS",
        help="how long AWS waits there (default: 300)",
    )
    add(
        "--bake",
        type=seconds(0, 172800),
        metavar="SECONDS",
        help="how long AWS waits at the end (default: 60)",
    )
    add(
        "--warmup",
        type=seconds(0, 3600),
        metavar="SECONDS",
        help="from in service to counted (default: 60)",
    )
    add(
        "--timeout",
        type=seconds(1, 86400),
        default=3600,
        metavar="SECONDS",
        help="for the whole refresh or deployment (default: 3600)",
    )
    add("--poll", type=float, default=5, metavar="SECONDS", help="between two looks at AWS (default: 5)")
    add("--parameter", help="SSM parameter of the image (default: /items/<environment>/image, by the user data or the task)")
    add("--region", help="default: as the AWS CLI's")
    add("--dry-run", action="store_true", help="say what would be done; change nothing")
    options = parser.parse_args(arguments)
    settle(parser, options)
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
    if options.group:
        # A wait of AWS is noticed soon after it began: the rest of it is for the smoke test.
        options.poll = min([options.poll, *(wait / 10 for wait in (options.checkpoint_delay, options.bake) if wait)])
    if options.smoke is None:
        options.instance_url = options.run_command = None
    return options


def main(arguments=None):
    options = parse(arguments)

    def interrupt(*_):
        raise Interrupted

    signal.signal(signal.SIGINT, interrupt)
    signal.signal(signal.SIGTERM, interrupt)
    try:
        return (service if options.service else group).run(options)
    except Failure as failure:
        print(f"refresh: refused: {failure}", file=sys.stderr)
        return failure.status
    except CallFailed as failure:
        print(f"refresh: refused: {failure}", file=sys.stderr)
        return REFUSED
    except Interrupted:
        print(
            f"refresh: interrupted before the {'deployment' if options.service else 'refresh'} was seen to start; a "
            f"{'task definition' if options.service else 'launch template version'} may be left behind",
            file=sys.stderr,
        )
        return INTERRUPTED
