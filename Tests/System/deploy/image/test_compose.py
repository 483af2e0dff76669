"""compose.yaml, and what belongs to it."""

import importlib.util
import re
import secrets
import shutil
import subprocess
import sys

import pytest
import requests
import yaml
from engine import Missing
from neighbours import make_postgresql, make_prometheus

from support.ports import free_port
from support.project import ROOT
from support.waiting import until

UP_SECONDS = 120
HEALTHY_SECONDS = 30
SCRAPED_SECONDS = 40


@pytest.fixture(scope="module")
def compose():
    return yaml.safe_load((ROOT / "compose.yaml").read_text())


@pytest.fixture(scope="module")
def services(compose):
    return compose["services"]


def test_the_file_is_valid():
    if importlib.util.find_spec("check_jsonschema"):
        check = [sys.executable, "-m", "check_jsonschema"]
    elif shutil.which("check-jsonschema"):
        check = ["check-jsonschema"]
    else:
        pytest.skip("check-jsonschema is not installed")
    command = [*check, "--builtin-schema", "vendor.compose-spec", ROOT / "compose.yaml"]
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


def test_the_password_is_in_no_environment(compose, services):
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
    for name in [file.name, *yaml.safe_load(file.read_text())["rule_files"]]:
        assert (file.parent / name).is_file()
        assert f"./deploy/prometheus/{name}:/etc/prometheus/{name}:ro" in services["prometheus"]["volumes"]
    jobs = yaml.safe_load(file.read_text())["scrape_configs"]
    assert ["items:5001"] in [group["targets"] for job in jobs for group in job["static_configs"]]
    if not shutil.which("promtool"):
        pytest.skip("promtool is not installed")
    done = subprocess.run(["promtool", "check", "config", file], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stdout + done.stderr


class Stack:
    """What compose.yaml describes, run by podman-compose from a directory that holds what a checkout has for it."""

    def __init__(self, engine, directory):
        self.engine, self.directory = engine, directory
        self.password = secrets.token_hex(24)
        ports = {name: free_port() for name in ("ITEMS_PORT", "PROMETHEUS_PORT")}
        self.variables = {name: str(port) for name, port in ports.items()}
        self.items, self.prometheus = (f"http://127.0.0.1:{port}" for port in ports.values())
        shutil.copy(ROOT / "compose.yaml", directory)
        configuration = directory / "deploy/prometheus/prometheus.yml"
        configuration.parent.mkdir(parents=True)
        text = (ROOT / "deploy/prometheus/prometheus.yml").read_text()
        # Scraped more often, so that the test need not wait for it.
        configuration.write_text(re.sub(r"(scrape_interval|scrape_timeout): \d+s", r"\1: 1s", text))
        shutil.copy(ROOT / "deploy/prometheus/alerts.yml", configuration.parent)
        secret = directory / ".data/compose/db-password"
        secret.parent.mkdir(parents=True)
        secret.write_text(self.password)
        secret.chmod(0o444)

    def compose(self, *words):
        done = self.engine.attempt(
            *["podman-compose", "--project-name", "items", *words],
            settings="bridge.conf",
            seconds=UP_SECONDS,
            cwd=self.directory,
            more=self.variables,
        )
        assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]

    def create(self, name):
        response = requests.post(f"{self.items}/api/items", json={"name": name}, timeout=10)
        return response.json() if response.status_code == 201 else None

    def healthy(self):
        try:
            return requests.get(f"{self.items}/health", timeout=5).status_code == 200
        except requests.ConnectionError:
            return False

    def wait_until_healthy(self):
        until(self.healthy, HEALTHY_SECONDS, what="the service to find its database", interval=0.2)

    def health_of_targets(self):
        """What Prometheus says of the targets it has scraped."""
        try:
            data = requests.get(f"{self.prometheus}/api/v1/targets", timeout=5).json()["data"]
        except requests.ConnectionError:
            return {}
        return {target["labels"]["job"]: target["health"] for target in data["activeTargets"]}


@pytest.fixture(scope="module")
def stack(engine, bases, image, services, tmp_path_factory):
    if not shutil.which("podman-compose"):
        pytest.skip("podman-compose is not installed")
    try:
        make_postgresql(engine, bases.debian, services["database"]["image"])
        make_prometheus(engine, bases.debian, services["prometheus"]["image"])
    except Missing as missing:
        pytest.skip(str(missing))
    engine.podman("tag", image, services["items"]["image"])
    stack = Stack(engine, tmp_path_factory.mktemp("compose"))
    try:
        stack.compose("up", "--detach", "--no-build")
        stack.wait_until_healthy()
        yield stack
    finally:
        stack.compose("down", "--volumes")
        engine.podman("untag", image, services["items"]["image"])


class TestStack:
    def test_serves_items_at_the_published_port(self, stack):
        item = stack.create("Item 1")
        assert requests.get(f"{stack.items}/api/items/{item['id']}", timeout=5).json() == item

    def test_is_scraped_by_prometheus(self, stack):
        up = {"items": "up", "prometheus": "up"}
        until(lambda: stack.health_of_targets() == up, SCRAPED_SECONDS, what="both targets to be scraped", interval=0.5)

    def test_has_its_alerts(self, stack):
        groups = requests.get(f"{stack.prometheus}/api/v1/rules", timeout=5).json()["data"]["groups"]
        described = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yml").read_text())["groups"]
        names = [rule["alert"] for group in described for rule in group["rules"]]
        assert names and [rule["name"] for group in groups for rule in group["rules"]] == names

    def test_shows_the_password_in_no_container(self, stack):
        engine = stack.engine
        names = engine.podman("ps", "--format", "{{.Names}}").split()
        assert len(names) == 3
        assert not [name for name in names if stack.password in engine.podman("inspect", name)]
        assert not [name for name in names if stack.password in engine.attempt("podman", "logs", name).stdout]

    def test_keeps_the_items_when_it_is_taken_down_and_up(self, stack):
        item = stack.create("Kept")
        stack.compose("down")
        stack.compose("up", "--detach", "--no-build")
        stack.wait_until_healthy()
        assert requests.get(f"{stack.items}/api/items/{item['id']}", timeout=5).json() == item
