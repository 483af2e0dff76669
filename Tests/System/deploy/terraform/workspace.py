"""Terraform with its provider from this machine's disk, on a copy of the configuration: nothing is written to the tree."""

import functools
import json
import os
import pathlib
import platform
import shutil
import subprocess

from support.project import ROOT

WORK = ROOT / ".build/terraform"
SOURCE = ROOT / "deploy/terraform"

MODULES = sorted(path.parent.name for path in SOURCE.glob("modules/*/versions.tf"))
ENVIRONMENTS = ["dev", "test", "prod"]
EXAMPLES = sorted(path.parent.name for path in SOURCE.glob("examples/*/versions.tf"))
ROOTS = ["bootstrap"] + [f"environments/{name}" for name in ENVIRONMENTS]

PROVIDER = "registry.terraform.io/hashicorp/aws"
COMMAND_SECONDS = 180
APPLY_SECONDS = 420


class Missing(Exception):
    """A tool that the tests need is not on this machine."""


@functools.cache
def executable():
    found = shutil.which("terraform")
    if not found:
        raise Missing("terraform is not installed")
    return found


def mirrors():
    """Directories that may hold providers: those Terraform itself looks into, then two levels below the root."""
    home = pathlib.Path.home()
    yield from (home / ".terraform.d/plugins", home / ".local/share/terraform/plugins")
    yield from (pathlib.Path("/usr/local/share/terraform/plugins"), pathlib.Path("/usr/share/terraform/plugins"))
    for pattern in ("*", "*/*"):
        try:
            yield from sorted(path for path in pathlib.Path("/").glob(pattern) if path.is_dir())
        except OSError:  # a directory that went away meanwhile
            continue


@functools.cache
def configuration_file():
    """Terraform's own configuration: the environment's, or one that finds the provider on disk."""
    given = os.environ.get("TF_CLI_CONFIG_FILE")
    if given and pathlib.Path(given).is_file():
        return given
    for mirror in mirrors():
        try:
            if not (mirror / PROVIDER).is_dir():
                continue
        except OSError:  # not ours to look into
            continue
        WORK.mkdir(parents=True, exist_ok=True)
        path = WORK / "terraform.rc"
        path.write_text(
            f'provider_installation {{\n  filesystem_mirror {{\n    path = "{mirror}"\n  }}\n}}\ndisable_checkpoint = true\n'
        )
        return str(path)
    raise Missing("Terraform's AWS provider is not on this machine: no filesystem mirror holds hashicorp/aws")


class Terraform:
    """Runs commands in one directory of the copy, with a data directory of its own and, if given, an endpoint."""

    def __init__(self, directory, endpoint=None, data=None):
        self.directory = pathlib.Path(directory)
        self.data = WORK / "data" / (data or self.directory.relative_to(WORK))
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": os.environ.get("HOME", "/"),
            "TF_CLI_CONFIG_FILE": configuration_file(),
            "TF_DATA_DIR": str(self.data),
            "TF_IN_AUTOMATION": "1",
            "CHECKPOINT_DISABLE": "1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1",
            # What the emulator does not know is answered with 500, and would be asked for again for minutes.
            "AWS_MAX_ATTEMPTS": "3",
        }
        if endpoint:
            self.environment["AWS_ENDPOINT_URL"] = endpoint

    def start(self, command, *arguments, output=subprocess.PIPE):
        """A process that runs the command."""
        self.data.mkdir(parents=True, exist_ok=True)
        arguments = [executable(), command, *arguments] + ([] if command in ("output", "fmt") else ["-no-color"])
        if command == "show":  # wants its options before the file
            arguments = [executable(), "show", "-no-color", *arguments[2:-1]]
        return subprocess.Popen(
            arguments,
            cwd=self.directory,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT if command != "show" else subprocess.PIPE,
            text=True,
        )

    def run(self, command, *arguments, seconds=COMMAND_SECONDS, status=0):
        """What the command says; fails when it ends with another status or takes longer."""
        process = self.start(command, *arguments)
        try:
            said, complained = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.terminate()
            said, complained = process.communicate(timeout=30)
            raise AssertionError(f"terraform {command} took longer than {seconds} s:\n{said[-3000:]}") from None
        assert process.returncode == status, f"terraform {command}: {process.returncode}\n{said[-6000:]}{complained or ''}"
        return said

    def background(self, command, *arguments):
        """The same, begun now; what is returned waits for it and fails as run does."""
        log = self.data / f"{command}.log"
        self.data.mkdir(parents=True, exist_ok=True)
        with open(log, "w") as output:
            process = self.start(command, *arguments, output=output)

        def finish(seconds):
            try:
                process.wait(seconds)
            except subprocess.TimeoutExpired:
                process.terminate()
                process.wait(60)
            said = log.read_text()
            assert process.returncode == 0, f"terraform {command}: {process.returncode}\n{said[-6000:]}"
            return said

        return finish

    def plan(self, *arguments):
        """The plan as Terraform shows it to programs."""
        path = self.data / "plan"
        self.run("plan", "-input=false", f"-out={path}", *arguments)
        return json.loads(self.run("show", "-json", str(path)))


# The content of a root's terraform.tfvars: the variables without a default.
SETTINGS = {"region": '"us-east-1"', "github": '"acme/items"', "emails": "[]", "certificate_arn": "null", "domain": "null"}


def fill(root, *names):
    """Writes the terraform.tfvars of a copied root, with all settings or the named ones, in Terraform's format."""
    settings = {name: value for name, value in SETTINGS.items() if not names or name in names}
    width = max(map(len, settings))
    (root / "terraform.tfvars").write_text("".join(f"{name:{width}} = {value}\n" for name, value in settings.items()))


def copy():
    """A fresh copy of what Terraform reads, with stand-ins for what another part of the repository has yet to bring."""
    executable(), configuration_file()
    target = WORK / "tree"
    shutil.rmtree(target, ignore_errors=True)
    ignore = shutil.ignore_patterns(".terraform", "*.tfstate*", "*.tfvars")
    shutil.copytree(SOURCE, target / "deploy/terraform", ignore=ignore)
    if platform.machine() != "x86_64":  # the only platform whose provider the lock files name
        for lock in target.rglob(".terraform.lock.hcl"):
            lock.unlink()
    (target / "userdata").mkdir()
    scripts = [ROOT / "userdata/boot.sh", SOURCE / "modules/compute-ec2/tests/scripts/boot.sh"]
    shutil.copy(next(path for path in scripts if path.is_file()), target / "userdata/boot.sh")
    cloudwatch = [ROOT / "deploy/cloudwatch", SOURCE / "modules/monitoring/tests/cloudwatch"]
    shutil.copytree(next(path for path in cloudwatch if path.is_dir()), target / "deploy/cloudwatch")
    return target / "deploy/terraform"
