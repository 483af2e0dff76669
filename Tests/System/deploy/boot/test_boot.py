"""Instances from their first boot on: real cloud-init and systemd, the service with its database, and AWS by moto."""

import re
import threading
import time

import pytest
import requests
from cloud import INSTANCE, ZONE
from fleet import GROUP, HOOK, NEEDLE, NEXT_PASSWORD, PARAMETER, forms, site  # noqa: F401
from instance import Watch

from support.waiting import until

EXPOSURE_LIMIT = 2.0
READY_LIMIT_SECONDS = 60

INSTALLED = (
    "/etc/items /etc/systemd/system /etc/logrotate.d /usr/local/bin/items /usr/local/libexec /var/lib/items-boot"
)


def get(instance, path="/", **options):
    return requests.get(instance.url + path, timeout=5, **options)


def is_healthy(instance):
    try:
        return get(instance, "/health/ready").status_code == 200
    except requests.ConnectionError:
        return False


def said(text):
    """The boot script's lines in a log."""
    return re.findall(r"(?m)^\S+Z items-boot: .*$", text)


def state(instance):
    """All that a second run might change: files with their times, and since when the service runs."""
    listing = f"find {INSTALLED} -type f | sort"
    files = instance.out("sh", "-c", f"{listing} | xargs stat -c '%n %a %y'; {listing} | xargs sha256sum")
    return files, [instance.property(name) for name in ("MainPID", "ActiveEnterTimestampMonotonic", "NRestarts")]


def places(instance):
    """The files and logs of an instance in which the password stands, in any of its forms."""
    words = [word for form in forms() for word in ("-e", form)]
    search = instance.run(
        "grep", "-rlaFs", "--exclude-dir=proc", "--exclude-dir=sys", *words, "/", check=False, timeout=60
    )
    found = set(search.stdout.split())
    journal = instance.out("journalctl", "--output=export", "--no-pager")
    found |= {"the journal" for form in forms() if form in journal}
    listing = "cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '"
    processes = instance.out("sh", "-c", listing, check=False)
    found |= {"a process" for form in forms() if form in processes}
    return found


class Booted:
    """An instance after its first boot, watched from before it began."""

    def __init__(self, site, **settings):
        site.cloud.forget()
        self.watch = Watch(NEEDLE)
        self.instance = site.launch(site.settings(**settings))
        self.status = self.instance.wait()
        self.seconds = time.monotonic() - self.instance.began
        self.watch.stop()
        self.log = self.instance.log()
        self.answers = site.cloud.answers()


@pytest.fixture(scope="module")
def booted(site):
    booted = Booted(site)
    yield booted
    booted.instance.remove()


# The order counts from here on: a boot, a second run, a stop, a reboot.


def test_the_first_boot_ends_with_a_service_that_is_ready(booted):
    assert booted.status == "done", booted.log
    ready = re.search(r"items-boot: ready: after (\d+) s", booted.log)
    assert ready, booted.log
    print(f"ready {ready[1]} s after the script began, {booted.seconds:.1f} s after the power was on")
    assert booted.seconds < READY_LIMIT_SECONDS
    root = get(booted.instance).json()
    assert (root["instance_id"], root["environment"]) == (INSTANCE, "test")


def test_the_launch_hook_is_completed_once_with_continue(booted):
    assert [answer["LifecycleActionResult"] for answer in booted.answers] == ["CONTINUE"]
    answer = booted.answers[0]
    assert (answer["AutoScalingGroupName"], answer["LifecycleHookName"]) == (GROUP, HOOK)
    assert answer["InstanceId"] == INSTANCE


def test_each_step_is_a_line_with_its_time(booted):
    lines = said(booted.log)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ items-boot: identity: (\S+) in (\S+)", lines[0])
    assert lines[0].endswith(f"{INSTANCE} in {ZONE}")
    assert [line.split(": ")[1] for line in lines] == ["identity", "binary", "service", "ready", "hook"]


def test_the_service_works_with_the_database(booted):
    created = requests.post(booted.instance.url + "/api/items", json={"name": "first"}, timeout=5)
    assert created.status_code == 201


def test_no_process_had_the_password_while_the_instance_booted(booted):
    assert booted.watch.looks > 20
    assert booted.watch.found == set()


def test_no_call_of_the_command_line_had_the_password(booted):
    calls = [path.read_text() for path in booted.instance.calls.iterdir()]
    assert any("complete-lifecycle-action" in call for call in calls)
    assert not any("get-secret-value" in call for call in calls)
    assert [call.splitlines()[0] for call in calls if NEEDLE in call] == []


def test_the_password_is_nowhere_on_the_instance(booted):
    assert places(booted.instance) == set()


def test_the_search_for_the_password_finds_it_where_it_is(booted):
    files = ["/etc/found", "/var/log/found"]
    for path in files:
        booted.instance.run("sh", "-c", f"printf %s '{NEEDLE}' >{path}")
    booted.instance.run("systemd-cat", "echo", NEEDLE)
    try:
        assert places(booted.instance) >= {*files, "the journal"}
    finally:
        booted.instance.run("rm", *files)
        booted.instance.run("journalctl", "--rotate", "--vacuum-time=1s")


def test_the_running_service_is_confined(booted):
    report = booted.instance.out("systemd-analyze", "security", "--no-pager", "items.service", check=False)
    exposure = float(re.search(r"Overall exposure level for items.service: ([\d.]+)", report)[1])
    print(f"exposure {exposure}")
    assert exposure <= EXPOSURE_LIMIT
    pid = booted.instance.property("MainPID")
    status = booted.instance.out("cat", f"/proc/{pid}/status")
    assert re.search(r"CapEff:\s*0+\n", status) and re.search(r"CapBnd:\s*0+\n", status)
    assert "NoNewPrivs:\t1" in status and "Seccomp:\t2" in status
    assert not re.search(r"Uid:\t0\t", status)


def test_the_agent_is_given_the_parameter(booted):
    calls = booted.instance.out("cat", "/var/log/agent.calls")
    assert calls == f"-a fetch-config -m ec2 -s -c ssm:{PARAMETER}\n"


def test_the_certificates_are_where_the_service_looks_for_them(booted):
    variables = booted.instance.out("cat", "/etc/items/items.env").splitlines()
    path = "/etc/items/certificates/rds.pem"
    assert f"DB_SSLROOTCERT={path}" in variables
    assert booted.instance.out("stat", "-c", "%a", path) == "644\n"
    booted.instance.run("cmp", path, "/etc/ssl/certs/ca-certificates.crt")


def test_log_lines_go_to_the_file_before_and_after_it_was_rotated(booted):
    instance = booted.instance

    def count():
        return int(instance.out("grep", "-c", '"path":"/health/live"', "/var/log/items/items.log", check=False))

    before = count()
    get(instance, "/health/live")
    until(lambda: count() == before + 1, what="the request's line")
    assert instance.property("ActiveState", "logrotate.timer") == "active"
    instance.run("logrotate", "--force", "/etc/logrotate.d/items")
    assert instance.run("test", "-s", "/var/log/items/items.log.1.gz", check=False).returncode == 0
    get(instance, "/health/live")
    until(lambda: count() == 1, what="the line of a request after the rotation")


def test_a_second_run_changes_nothing(booted, site):
    before = state(booted.instance)
    site.cloud.forget()
    calls = booted.instance.out("cat", "/var/log/agent.calls")
    run = booted.instance.boot(**booted.instance.settings)
    assert run.returncode == 0, run.stdout + run.stderr
    assert state(booted.instance) == before
    assert booted.instance.out("cat", "/var/log/agent.calls") == calls
    assert site.cloud.answers() == []


def test_a_second_run_with_another_setting_starts_the_service_anew(booted):
    before = booted.instance.property("MainPID")
    words = booted.instance.settings["ITEMS_SETTINGS"] + " LOG_LEVEL=warning"
    run = booted.instance.boot(**{**booted.instance.settings, "ITEMS_SETTINGS": words})
    assert run.returncode == 0, run.stdout + run.stderr
    assert booted.instance.property("MainPID") != before
    assert is_healthy(booted.instance)


def test_a_second_run_that_fails_leaves_a_completed_launch_alone(booted, site):
    site.cloud.forget()
    run = booted.instance.boot(**{**booted.instance.settings, "ITEMS_SECRET_ID": "unknown", "ITEMS_SECRET_SECONDS": 2})
    assert run.returncode != 0
    assert "secret: failed" in run.stdout and "no launch waits" in run.stdout
    assert site.cloud.answers() == []
    assert is_healthy(booted.instance)


def test_a_service_that_dies_comes_back(booted):
    before = booted.instance.property("MainPID")
    booted.instance.run("kill", "-9", before)
    until(lambda: booted.instance.property("MainPID") not in (before, "0"), 30, what="another process")
    until(lambda: is_healthy(booted.instance), 30, what="the service to be ready again")


def test_a_changed_password_reaches_the_service(booted, site):
    site.rotate(NEXT_PASSWORD)
    site.database.terminate()
    url = booted.instance.url + "/api/items"
    until(lambda: requests.post(url, json={"name": "second"}, timeout=9).ok, 30, what="a write")


def test_a_stop_drains(booted):
    instance = booted.instance
    answers = []
    stop = threading.Thread(target=instance.run, args=("systemctl", "stop", "items.service"))
    began = time.monotonic()
    stop.start()
    until(lambda: get(instance, "/health").status_code == 503, what="the drain to be announced")
    answers.append(get(instance, "/api/items"))
    stop.join(60)
    assert time.monotonic() - began >= 3
    assert [(answer.status_code, answer.headers["Connection"]) for answer in answers] == [(200, "close")]
    assert instance.property("Result") == "success"
    assert instance.property("ExecMainStatus") == "0"


def test_a_reboot_comes_back_by_itself(booted, site):
    site.cloud.forget()
    before = said(booted.instance.log())
    booted.instance.reboot()
    until(lambda: is_healthy(booted.instance), 60, what="the service to be ready after the reboot")
    assert booted.instance.wait() == "done"
    assert said(booted.instance.log()) == before
    assert site.cloud.answers() == []
