"""The boot script as a text, and the units it writes, without an instance."""

import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

from instance import BOOT, render

TEXT = BOOT.read_text()
USER_DATA_LIMIT = 16384
SCRIPT_LIMIT = 15000
EXPOSURE_LIMIT = 2.0

# As long as they come.
SETTINGS = {
    "ITEMS_ENVIRONMENT": "prod",
    "ITEMS_IMAGE": "123456789012.dkr.ecr.ap-southeast-1.amazonaws.com/items@sha256:" + "0" * 64,
    "ITEMS_VERSION": "prod-0123456789abcdef0123456789abcdef01234567-20261121T120000Z",
    "ITEMS_SECRET_ID": "arn:aws:secretsmanager:ap-southeast-1:123456789012:secret:items-prod-database-AbCdEf",
    "ITEMS_DB_HOST": "items-prod.cluster-abcdefghijkl.ap-southeast-1.rds.amazonaws.com",
    "ITEMS_DB_PORT": "5432",
    "ITEMS_DB_NAME": "items",
    "ITEMS_REGION": "ap-southeast-1",
    "ITEMS_GROUP": "items-prod",
    "ITEMS_LAUNCH_HOOK": "items-prod-launch",
    "ITEMS_AGENT_PARAMETER": "/items/prod/cloudwatch-agent",
    "ITEMS_PORT": "5001",
    "ITEMS_SETTINGS": "HEALTH_DB_GRACE_MS=180000 DRAIN_DELAY_MS=5000 DB_POOL_MAX=10 DB_POOL_MIN=2 LOG_LEVEL=info",
    "ITEMS_READY_SECONDS": "300",
}


def tool(name):
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")
    return name


def units(directory, call, **variables):
    """The units that the script would write, with programs that are there wherever systemd looks for them."""
    given = "".join(f"{name}='{value}'\n" for name, value in variables.items())
    run = f"""
        source {BOOT}
        {given}
        put() {{ cat >'{directory}'/"${{1##*/}}"; }}
        {call}
    """
    subprocess.run(["bash", "-c", run], check=True, timeout=30)
    found = sorted(pathlib.Path(directory).glob("*.service"))
    for unit in found:
        unit.write_text(re.sub(r"(?m)^(ExecStart=)\S+", r"\1/bin/true", unit.read_text()))
    return found


VARIANTS = {
    "binary": ("write_unit", {}),
    "image": ("write_unit", {"image": "sha256:0"}),
}


def test_shellcheck_finds_nothing():
    run = subprocess.run([tool("shellcheck"), BOOT], capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stdout


def test_it_fits_into_user_data_with_settings():
    assert len(TEXT.encode()) < SCRIPT_LIMIT
    assert len(render(SETTINGS).encode()) < USER_DATA_LIMIT


def test_it_takes_every_setting_that_user_data_may_hold():
    assert [name for name in SETTINGS if not re.search(rf"\b{name}\b|\b{name.removeprefix('ITEMS_')}\b", TEXT)] == []


def test_it_stops_at_the_first_error_and_never_traces():
    assert "\nset -Eeuo pipefail" in TEXT
    assert not re.search(r"(?m)^\s*set\s+-\w*x|set -o xtrace|bash -\w*x", TEXT)


class TestSettingsOfItsMachine:
    """What root's home and /etc may hold has no say in what an instance fetches, and by whose credentials."""

    def run(self, directory, command):
        (directory / ".aws").mkdir()
        (directory / ".aws/credentials").write_text("[default]\naws_access_key_id = A\naws_secret_access_key = B\n")
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(directory),
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        run = ["bash", "-c", f"source {BOOT}; {command}"]
        ended = subprocess.run(run, capture_output=True, text=True, timeout=30, cwd=directory, env=environment)
        return ended.stdout.strip()

    FOUND = "import botocore.session; print(botocore.session.Session().get_credentials())"

    def test_aws_finds_no_credentials_there(self, tmp_path):
        assert self.run(tmp_path, f"'{sys.executable}' -c '{self.FOUND}'") == "None"


def test_it_has_one_marker_for_its_settings_before_it_reads_them():
    lines = TEXT.splitlines()
    assert lines.count("# @settings") == 1
    assert lines.index("# @settings") < next(n for n, line in enumerate(lines) if "ITEMS_" in line and line[0] != "#")


def test_the_agent_stops_after_the_service(tmp_path):
    """systemd stops units in the reverse order of their start."""
    for call, variables in VARIANTS.values():
        units(tmp_path, call, **variables)
        after = re.search(r"(?m)^After=(.*)$", (tmp_path / "items.service").read_text())[1].split()
        assert "amazon-cloudwatch-agent.service" in after


def test_one_line_of_the_user_data_names_the_image():
    assert len(re.findall(r"(?m)^ITEMS_IMAGE=", render(SETTINGS))) == 1


def test_each_wait_has_a_limit_that_is_declared():
    waits = re.findall(r"\b(?:try|retry) ([A-Z]+)\b", TEXT)
    declared = re.findall(r"ITEMS_([A-Z]+)_SECONDS:=\d+", TEXT)
    assert waits and set(waits) | {"BOOT"} == set(declared)


@pytest.mark.parametrize("variant", VARIANTS)
def test_systemd_finds_no_fault_with_the_units(variant, tmp_path):
    call, variables = VARIANTS[variant]
    found = units(tmp_path, call, **variables)
    run = subprocess.run([tool("systemd-analyze"), "verify", *found], capture_output=True, text=True, timeout=60)
    assert [line for line in run.stderr.splitlines() if str(tmp_path) in line] == []


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_service_is_confined(variant, tmp_path):
    call, variables = VARIANTS[variant]
    units(tmp_path, call, **variables)
    command = [tool("systemd-analyze"), "security", "--offline=true", "--no-pager", tmp_path / "items.service"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60)
    exposure = float(re.search(r"Overall exposure level for items.service: ([\d.]+)", run.stdout)[1])
    print(f"{variant}: exposure {exposure}")
    assert exposure <= EXPOSURE_LIMIT


REFUSED = {
    "no software is named": ({"ITEMS_IMAGE": ""}, "not one of ITEMS_IMAGE"),
    "two softwares are named": ({"ITEMS_BINARY_URL": "https://example.com/items"}, "not one of ITEMS_IMAGE"),
    "the checksum is missing": ({"ITEMS_IMAGE": "", "ITEMS_BINARY_URL": "s3://bucket/items"}, "ITEMS_BINARY_SHA256"),
    "the secret is not named": ({"ITEMS_SECRET_ID": ""}, "no ITEMS_SECRET_ID"),
    "the hook's group is not named": ({"ITEMS_GROUP": ""}, "no ITEMS_GROUP"),
    "a value means something to a shell": ({"ITEMS_DB_HOST": "a;id"}, "ITEMS_DB_HOST is not plain text"),
    "a value means something to systemd": ({"ITEMS_VERSION": "%n"}, "ITEMS_VERSION is not plain text"),
    "a further setting has no value": ({"ITEMS_SETTINGS": "LOG_LEVEL"}, "ITEMS_SETTINGS: LOG_LEVEL is not NAME=value"),
    "a further setting is a password": ({"ITEMS_SETTINGS": "DB_PASSWORD=x"}, "must not hold DB_PASSWORD"),
    "a further setting is a key": ({"ITEMS_SETTINGS": "AWS_SECRET_ACCESS_KEY=x"}, "must not hold AWS_SECRET_ACCESS"),
}


def check_settings(changes):
    given = {**SETTINGS, **changes, "PATH": os.environ["PATH"]}
    check = f"source {BOOT}; trap 'echo \"$reason\"' EXIT; check_settings; declare -p service"
    return subprocess.run(["bash", "-c", check], env=given, capture_output=True, text=True, timeout=30)


@pytest.mark.parametrize("case", REFUSED)
def test_settings_are_refused_when(case):
    changes, reason = REFUSED[case]
    run = check_settings(changes)
    assert run.returncode != 0 and reason in run.stdout, run.stdout + run.stderr


def test_settings_reach_the_service_and_the_further_ones_win():
    run = check_settings({"ITEMS_SETTINGS": "DRAIN_DELAY_MS=1000 DB_POOL_MAX=20"})
    assert run.returncode == 0, run.stdout + run.stderr
    for word in '[DRAIN_DELAY_MS]="1000"', '[DB_POOL_MAX]="20"', '[DB_SSLMODE]="verify-full"', '[PORT]="5001"':
        assert word in run.stdout


def test_a_silent_last_try_keeps_the_output_of_the_one_before(tmp_path):
    """A call that its limit ends prints nothing; the reason is in the output of an earlier one."""
    run = f"""
        source {BOOT}
        work='{tmp_path}' boot_end=99 tries=0 ITEMS_FETCH_SECONDS=2
        sleep() {{ :; }}
        attempt() {{ SECONDS=$((SECONDS + 1)); ((tries++)) || echo refused; return 1; }}
        retry FETCH attempt || echo "$words"
    """
    done = subprocess.run(["bash", "-c", run], check=True, capture_output=True, text=True, timeout=30)
    assert done.stdout.split() == ["refused"]
