"""compose.yaml, and what belongs to it."""

import re
import shutil
import subprocess

import pytest
import yaml

from engine import ROOT


@pytest.fixture(scope="module")
def compose():
    return yaml.safe_load((ROOT / "compose.yaml").read_text())


@pytest.fixture(scope="module")
def services(compose):
    return compose["services"]


def test_the_file_is_valid():
    check = shutil.which("check-jsonschema")
    if not check:
        pytest.skip("check-jsonschema is not installed")
    command = [check, "--builtin-schema", "vendor.compose-spec", ROOT / "compose.yaml"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_image_is_pinned_and_the_database_is_of_its_version(services):
    images = {name: service["image"] for name, service in services.items() if "build" not in service}
    assert all(re.search(r":v?\d", image) for image in images.values()), images
    assert images["database"].startswith("docker.io/library/postgres:15")


def test_every_service_has_a_health_check(services):
    for name, service in services.items():
        assert service["healthcheck"]["test"][0] == "CMD", f"{name} needs a shell for its check"


def test_the_service_starts_after_the_database_is_healthy(services):
    assert services["items"]["depends_on"] == {"database": {"condition": "service_healthy"}}


def test_the_password_stands_in_no_environment(compose, services):
    assert compose["secrets"] == {"db-password": {"file": ".data/compose/db-password"}}
    for name in ("items", "database"):
        assert services[name]["secrets"] == ["db-password"]
        values = {key: value for key, value in services[name]["environment"].items() if "PASSWORD" in key}
        assert all(value.startswith("/run/secrets/") for value in values.values()), values
    ignored = subprocess.run(["git", "check-ignore", "--quiet", ".data/compose/db-password"], cwd=ROOT)
    assert ignored.returncode == 0, "git would take the password"


def test_the_service_has_no_rights_and_nothing_to_write_to(services):
    items = services["items"]
    assert items["read_only"] and items["cap_drop"] == ["ALL"] and items["security_opt"] == ["no-new-privileges:true"]
    assert items["mem_limit"] == "64m"


def test_nothing_is_reached_from_another_machine(services):
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert ports and all(port.startswith("127.0.0.1:") for port in ports)


def test_it_waits_for_the_longest_stop(services):
    assert int(services["items"]["stop_grace_period"].removesuffix("s")) > 30


def test_prometheus_takes_its_configuration_and_scrapes_the_service(services):
    file = ROOT / "deploy/prometheus/prometheus.yml"
    assert f"./{file.relative_to(ROOT)}:/etc/prometheus/prometheus.yml:ro" in services["prometheus"]["volumes"]
    targets = [group["targets"] for job in yaml.safe_load(file.read_text())["scrape_configs"] for group in job["static_configs"]]
    assert ["items:5001"] in targets
    if not shutil.which("promtool"):
        pytest.skip("promtool is not installed")
    done = subprocess.run(["promtool", "check", "config", file], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stdout + done.stderr
