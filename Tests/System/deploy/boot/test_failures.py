"""Each step that fails gives the launch up in time, and a line names the step and the reason."""

import hashlib
import re
import threading
import time

import pytest
from cloud import INSTANCE
from fleet import GROUP, HOOK, NEEDLE, site  # noqa: F401
from instance import HERE

from support.ports import free_port
from support.waiting import until

RESET = """
systemctl stop items.service amazon-cloudwatch-agent.service 2>/dev/null
rm -rf /etc/items /var/lib/items-boot /var/log/items /usr/local/bin/items /usr/local/libexec/items /run/items
rm -rf /etc/systemd/system/items* /etc/systemd/system/multi-user.target.wants/items*
systemctl daemon-reload
systemctl reset-failed
true
"""
SLACK_SECONDS = 15  # beyond the limit that a failing step has
NOTHING = "http://127.0.0.1:1"


@pytest.fixture(scope="module")
def idle(site):
    """An instance whose boot script is run by hand."""
    instance = site.launch(
        user_data="#!/bin/sh\n",
        mounts=[
            (HERE / "docker", "/usr/local/lib/docker/docker"),
            (HERE / "docker.service", "/etc/systemd/system/docker.service"),
        ],
    )
    assert instance.wait() == "done"
    return instance


@pytest.fixture
def instance(idle, site):
    idle.run("sh", "-c", RESET)
    site.cloud.forget()
    yield idle
    site.cloud.metadata_fails = False


def boot(site, instance, seconds, **settings):
    """A run that has to fail within `seconds`; answers with what it said last."""
    settings = site.settings(ITEMS_PORT=free_port(), **settings)
    settings["ITEMS_SETTINGS"] += " DRAIN_DELAY_MS=0"
    began = time.monotonic()
    run = instance.boot(**settings)
    assert time.monotonic() - began < seconds + SLACK_SECONDS
    assert run.returncode != 0, run.stdout + run.stderr
    failures = [line for line in run.stdout.splitlines() if ": failed: " in line]
    assert len(failures) == 1, run.stdout + run.stderr
    line = failures[0].split(" items-boot: ", 1)[1]
    assert instance.out("journalctl", "--identifier=items-boot", "--output=cat", "--lines=1").strip() == line.strip()
    assert NEEDLE not in run.stdout + run.stderr
    return line


UNPULLABLE = {"ITEMS_BINARY_URL": "", "ITEMS_BINARY_SHA256": "", "ITEMS_IMAGE": "127.0.0.1:1/items:1"}
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
NO_SUM = hashlib.sha256(b"another").hexdigest()

CASES = {
    "a password is among the settings": (
        "settings",
        "ITEMS_SETTINGS must not hold DB_PASSWORD",
        0,
        {"ITEMS_SETTINGS": f"DB_PASSWORD={NEEDLE}"},
    ),
    "the binary cannot be fetched": (
        "binary",
        "ITEMS_FETCH_SECONDS are over: curl: (7)",
        2,
        {"ITEMS_BINARY_URL": "https://127.0.0.1:1/items", "ITEMS_FETCH_SECONDS": 2},
    ),
    "the binary is another": ("binary", "the SHA-256 of", 0, {"ITEMS_BINARY_SHA256": NO_SUM}),
    "the certificates cannot be fetched": (
        "certificates",
        "ITEMS_FETCH_SECONDS are over: curl: (37)",
        2,
        {"ITEMS_SETTINGS": "", "ITEMS_CERTIFICATES_URL": "file:///nothing", "ITEMS_FETCH_SECONDS": 2},
    ),
    "Docker is missing": ("docker", "there is no docker", 0, UNPULLABLE),
    "the image cannot be pulled": (
        "image",
        "ITEMS_FETCH_SECONDS are over: Error response from daemon",
        2,
        {**UNPULLABLE, "ITEMS_FETCH_SECONDS": 2, "PATH": f"/usr/local/lib/docker:{PATH}"},
    ),
    "the secret is unknown": (
        "secret",
        "ITEMS_SECRET_SECONDS are over:",
        2,
        {"ITEMS_SECRET_ID": "items-test-unknown", "ITEMS_SECRET_SECONDS": 2},
    ),
    "the agent's parameter is missing": (
        "agent",
        "An error occurred (ParameterNotFound)",
        6,
        {"ITEMS_AGENT_PARAMETER": "/items/test/unknown", "ITEMS_FETCH_SECONDS": 6},
    ),
    "the service refuses its settings": (
        "ready",
        "LOG_LEVEL must be one of",
        0,
        {"ITEMS_SETTINGS": "DB_SSLMODE=disable LOG_LEVEL=loud"},
    ),
    "the database is away": (
        "ready",
        'ITEMS_READY_SECONDS are over: {"status":"unhealthy"',
        3,
        {"ITEMS_DB_PORT": 1, "ITEMS_READY_SECONDS": 3},
    ),
    "the whole takes too long": (
        "ready",
        "ITEMS_BOOT_SECONDS are over",
        8,
        {"ITEMS_DB_PORT": 1, "ITEMS_BOOT_SECONDS": 8},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_launch_is_given_up_when(case, site, instance):
    step, reason, seconds, settings = CASES[case]
    line = boot(site, instance, seconds, **settings)
    assert line.startswith(f"{step}: failed: ") and reason in line, line
    assert line.endswith("; the launch got ABANDON"), line
    answers = site.cloud.answers()
    assert [answer["LifecycleActionResult"] for answer in answers] == ["ABANDON"]
    assert (answers[0]["AutoScalingGroupName"], answers[0]["LifecycleHookName"]) == (GROUP, HOOK)
    assert answers[0]["InstanceId"] == INSTANCE
    if case == "the binary is another":
        assert instance.run("test", "-e", "/usr/local/bin/items", check=False).returncode != 0


def test_a_binary_that_cannot_run_is_reported(site, instance):
    text = "#!/bin/sh\necho no such library >&2\nexit 127\n"
    instance.run("sh", "-c", "cat >/tmp/text <<'E'\n" + text + "E\n")
    checksum = hashlib.sha256(text.encode()).hexdigest()
    line = boot(site, instance, 0, ITEMS_BINARY_URL="file:///tmp/text", ITEMS_BINARY_SHA256=checksum)
    assert line.startswith("binary: failed: it does not run here: no such library")


def test_an_instance_without_metadata_lets_the_launch_time_out(site, instance):
    site.cloud.metadata_fails = True
    line = boot(site, instance, 4, ITEMS_IDENTITY_SECONDS=2, ITEMS_HOOK_SECONDS=2, AWS_METADATA_SERVICE_NUM_ATTEMPTS=1)
    assert line.startswith("identity: failed: ITEMS_IDENTITY_SECONDS are over: curl: (22)"), line
    assert "the launch has to time out" in line
    assert site.cloud.answers() == []


def test_metadata_that_comes_too_late_still_gives_the_launch_up(site, instance):
    site.cloud.metadata_fails = True
    recovery = threading.Timer(3.5, setattr, (site.cloud, "metadata_fails", False))
    recovery.start()
    line = boot(site, instance, 22, ITEMS_IDENTITY_SECONDS=2, ITEMS_HOOK_SECONDS=20, ITEMS_REGION="eu-west-1")
    recovery.join()
    assert line.startswith("identity: failed:") and line.endswith("; the launch got ABANDON")
    assert [answer["InstanceId"] for answer in site.cloud.answers()] == [INSTANCE]


def test_metadata_that_comes_late_is_waited_for(site, instance):
    site.cloud.metadata_fails = True
    recovery = threading.Timer(2, setattr, (site.cloud, "metadata_fails", False))
    recovery.start()
    run = instance.boot(**site.settings(ITEMS_PORT=free_port()))
    recovery.join()
    assert run.returncode == 0, run.stdout + run.stderr
    assert site.cloud.results() == ["CONTINUE"]


def test_a_hook_that_cannot_be_completed_is_a_failure(site, instance):
    unreachable = {"AWS_ENDPOINT_URL_AUTO_SCALING": NOTHING, "AWS_MAX_ATTEMPTS": 1}
    line = boot(site, instance, 20, ITEMS_HOOK_SECONDS=10, **unreachable)
    assert line.startswith("hook: failed: ITEMS_HOOK_SECONDS are over: ") and "Could not connect" in line, line
    assert "the launch has to time out" in line


def test_a_run_beside_another_does_nothing(site, instance):
    instance.run("systemd-run", "--quiet", "--unit=holder", "flock", "/run/items-boot.lock", "sleep", "infinity")
    is_held = ["flock", "--nonblock", "/run/items-boot.lock", "true"]
    until(lambda: instance.run(*is_held, check=False).returncode != 0, what="the other run to begin")
    run = instance.boot(**site.settings())
    instance.run("systemctl", "stop", "holder.service")
    assert run.returncode != 0 and "start: another run is at work" in run.stdout
    assert site.cloud.answers() == []


def test_cloud_init_reports_a_boot_that_failed(site):
    site.cloud.forget()
    failed = site.launch(site.settings(ITEMS_SECRET_ID="items-test-unknown", ITEMS_SECRET_SECONDS=2))
    assert failed.wait() == "error"
    log = failed.log()
    assert len(re.findall(r"(?m)^\S+Z items-boot: secret: failed: .*; the launch got ABANDON$", log)) == 1, log
    assert site.cloud.results() == ["ABANDON"]
