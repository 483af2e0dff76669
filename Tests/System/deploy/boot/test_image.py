"""The service as a container: Docker's own client in the instance, podman behind Docker's API as the daemon.

Not tested: Docker's daemon itself, its installation by dnf, and the login at a registry that asks for one.
"""

import re
import shutil
import threading
import time

import pytest
import requests
from fleet import NEEDLE, site  # noqa: F401
from instance import HERE, Watch
from registry import NAME, Daemon, Registry
from test_boot import get, is_healthy, places, said, state

from support.waiting import until

TAG = f"{NAME}:test-0123456"


@pytest.fixture(scope="module")
def registry(site):
    if shutil.which("docker") is None:
        pytest.skip("docker, the client, is not installed")
    registry = Registry(site.engine, site.directory, site.binary)
    registry.publish(1)
    yield registry
    registry.stop()


@pytest.fixture(scope="module")
def daemon(site, registry):
    daemon = Daemon(site.engine, site.directory, registry)
    yield daemon
    daemon.stop()


@pytest.fixture(scope="module")
def instance(site, daemon):
    """After its first boot."""
    settings = site.settings(ITEMS_IMAGE=TAG, ITEMS_BINARY_URL="", ITEMS_BINARY_SHA256="", ITEMS_FILES=4096)
    # Certificates would be mounted from the machine of the daemon, which is not the instance here.
    settings["ITEMS_SETTINGS"] = "DB_SSLMODE=disable DRAIN_DELAY_MS=3000"
    watch = Watch(NEEDLE)
    instance = site.launch(
        settings,
        mounts=[
            (daemon.socket, "/run/docker.sock"),
            (shutil.which("docker"), "/usr/local/lib/docker"),
            (HERE / "client", "/usr/local/bin/docker"),
            (HERE / "docker.service", "/etc/systemd/system/docker.service"),
        ],
    )
    instance.status = instance.wait()
    instance.seconds = time.monotonic() - instance.began
    watch.stop()
    instance.watch = watch
    return instance


def calls(instance):
    return [path.read_text() for path in sorted(instance.calls.glob("*.docker"))]


def test_the_first_boot_ends_with_a_container_that_is_ready(site, instance):
    assert instance.status == "done", instance.log() + instance.out("journalctl", "--unit=items", "--no-pager")
    ready = re.search(r"items-boot: ready: after (\d+) s", instance.log())
    print(f"image: ready {ready[1]} s after the script began, {instance.seconds:.1f} s after the power was on")
    assert is_healthy(instance)
    assert site.cloud.results() == ["CONTINUE"]


def test_the_registry_s_password_comes_by_standard_input_and_does_not_stay(instance):
    given = [path.read_text().strip() for path in instance.calls.glob("*.input")]
    assert len(given) == 1 and given[0]
    assert [call for call in calls(instance) if given[0] in call] == []
    search = instance.run("grep", "-rlF", given[0], "/run", "/root", "/etc", "/var", "/tmp", check=False)
    assert search.stdout == ""


def test_the_database_s_password_is_nowhere(instance):
    assert instance.watch.found == set()
    assert [call for call in calls(instance) if NEEDLE in call] == []
    assert places(instance) == set()


def test_the_container_is_confined(instance, daemon):
    container = daemon.inspect()
    host = container["HostConfig"]
    assert host["ReadonlyRootfs"] and not container["EffectiveCaps"]
    assert "no-new-privileges" in host["SecurityOpt"]
    assert (host["Memory"], host["PidsLimit"], host["NetworkMode"]) == (512 << 20, 128, "host")
    assert container["Config"]["StopTimeout"] == 50
    assert container["Config"]["User"] == "10001:10001"
    assert NEEDLE not in str(container)
    status = (HERE / f"/proc/{container['State']['Pid']}/status").read_text()
    assert "NoNewPrivs:\t1" in status and re.search(r"CapEff:\s*0+\n", status) and re.search(r"Uid:\t10001", status)


def test_its_log_lines_go_to_the_file(instance):
    get(instance, "/health/live")
    line = '"path":"/health/live"'
    until(lambda: line in instance.out("tail", "-5", "/var/log/items/items.log"), what="the request's line")


def test_a_second_run_changes_nothing(instance, daemon):
    before = state(instance), daemon.inspect()["Id"]
    run = instance.boot(**instance.settings)
    assert run.returncode == 0, run.stdout + run.stderr
    assert (state(instance), daemon.inspect()["Id"]) == before


def test_a_container_that_dies_comes_back(instance, daemon, site):
    before = daemon.inspect()["Id"]
    site.engine.podman("kill", "items")
    until(lambda: instance.property("NRestarts") != "0", 30, what="a restart")
    until(lambda: is_healthy(instance), 60, what="the service to be ready again")
    assert daemon.inspect()["Id"] != before


def test_a_container_that_hangs_is_replaced_by_the_watchdog(instance, daemon, site):
    drop_in = "/run/systemd/system/items.service.d"
    instance.run("sh", "-c", f"mkdir -p {drop_in}; printf '[Service]\\nWatchdogSec=8\\n' >{drop_in}/watchdog.conf")
    instance.run("sh", "-c", "systemctl daemon-reload; systemctl restart items.service")
    until(lambda: is_healthy(instance), 30, what="the service to be ready")
    before = daemon.inspect()["Id"]
    site.engine.podman("pause", "items")
    until(lambda: instance.property("NRestarts") != "0", 60, what="a restart", interval=0.5)
    until(lambda: is_healthy(instance), 60, what="the service to be ready again")
    assert daemon.inspect()["Id"] != before
    instance.run("sh", "-c", f"rm -r {drop_in}; systemctl daemon-reload")


def test_another_image_under_the_same_tag_is_started(instance, daemon, registry):
    before = daemon.inspect()["Image"]
    registry.publish(2)
    run = instance.boot(**instance.settings)
    assert run.returncode == 0, run.stdout + run.stderr
    assert daemon.inspect()["Image"] != before


def test_a_stop_drains(instance):
    stop = threading.Thread(target=instance.run, args=("systemctl", "stop", "items.service"))
    began = time.monotonic()
    stop.start()
    until(lambda: get(instance, "/health").status_code == 503, what="the drain to be announced")
    answer = get(instance, "/api/items")
    stop.join(60)
    assert time.monotonic() - began >= 3
    assert (answer.status_code, answer.headers["Connection"]) == (200, "close")
    assert instance.property("Result") == "success"
    with pytest.raises(requests.ConnectionError):
        get(instance)


def test_a_reboot_comes_back_by_itself(site, instance, daemon):
    before = said(instance.log())
    instance.reboot()
    until(lambda: is_healthy(instance), 60, what="the service to be ready after the reboot")
    assert instance.wait() == "done"
    assert said(instance.log()) == before
