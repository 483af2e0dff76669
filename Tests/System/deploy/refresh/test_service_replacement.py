"""The proof for ECS: a service's tasks are replaced, fail to start, and are interrupted under load; no request fails.

The tasks are release binaries behind HAProxy; deploy/refresh and orchestrator.py decide which of them run.
"""

import json
import re
import shutil

import pytest
import requests
from balancer import Balancer
from cloud import IMAGE
from fleet import INTERRUPTION_SECONDS, SIGNAL_FIRST_DRAIN_DELAY_MS, Fleet
from orchestrator import Orchestrator
from program import Refreshing, service_command, smoke
from traffic import (
    RATES,
    Clock,
    assert_all_served,
    assert_all_written,
    assert_none_failed,
    balancer,
    fleet,
    load,
)

from support.emulators import Loopback, moto, moto_server
from support.fixtures import binary, cluster, database
from support.ports import free_port
from support.project import ROOT


class Tasks:
    """The tasks of orchestrator.py as processes behind the balancer; the revision says what runs.

    A revision in `sick` ends at its start, as one does whose setting is wrong.
    """

    def __init__(self, fleet, sick=()):
        self.fleet, self.sick = fleet, set(sick)

    def launch(self, revision):
        return self.fleet.launch(revision, **({"DB_POOL_MAX": "many"} if revision in self.sick else {}))

    def enter_service(self, task):
        if task.version in self.sick:
            status = task.server.wait()
            raise ChildProcessError(f"{task.id} ended with {status}")
        self.fleet.enter_service(task)

    def abandon(self, task):
        if task.server.process.poll() is None:
            task.terminate()

    def retire(self, task):
        """ECS's order: deregistered, no further request for the delay, then SIGTERM."""
        self.fleet.retire(task)


def deploying(ecs, fleet, balancer, image, *options):
    """deploy/refresh, with the tasks and the service under its smoke test."""
    url = f"http://{{private_ip}}:{fleet.port}"
    options = ["--smoke", balancer.url, "--instance-url", url, *options]
    return Refreshing(ecs, *options, form=service_command, image=image)


@pytest.mark.parametrize("rate", RATES)
def test_a_service_is_deployed_without_a_failed_request(moto, balancer, database, fleet, load, rate):
    ecs = Orchestrator(moto, Tasks(fleet))
    try:
        running = load(rate)
        clock = Clock("deploy/refresh --service", rate)
        run = deploying(ecs, fleet, balancer, "two", "--smoke-option=--commit=2").wait()
        assert run.status == 0, run.text + run.errors
        assert run.text.count(": passed (") == 3, "two tasks, and the service"
        answers = running.stop() if clock.stop() else None
        clock.tell(answers)
        assert_none_failed(balancer, answers)
        assert_all_served(fleet, answers)
        assert_all_written(database, answers)
        assert ecs.revisions() == ["2", "2"] and ecs.image() == IMAGE.format("two")
        assert fleet.exits == [0, 0], "a task did not drain"
    finally:
        ecs.stop()


@pytest.mark.parametrize("rate", RATES)
def test_a_start_that_fails_three_times_rolls_back_without_a_failed_request(moto, balancer, database, fleet, load, rate):
    ecs = Orchestrator(moto, Tasks(fleet, sick={"2"}))
    try:
        old = {task.id for task in fleet.instances}
        running = load(rate)
        clock = Clock("circuit breaker", rate)
        run = deploying(ecs, fleet, balancer, "two").wait()
        answers = running.stop() if clock.stop() else None
        clock.tell(answers)
        assert run.status == 1, run.text + run.errors
        assert "deployment failed: tasks failed to start" in run.text and "ended with 78" in run.text
        assert_none_failed(balancer, answers)
        assert_all_written(database, answers)
        assert answers.instances.keys() == old == {task.id for task in fleet.instances}
        assert len(ecs.all[1].stopped) == 3 and ecs.images() == {1: IMAGE.format("one")}
    finally:
        ecs.stop()


@pytest.mark.parametrize("rate", RATES)
def test_a_smoke_test_that_fails_brings_the_old_tasks_back_without_a_failed_request(
    moto, balancer, database, fleet, load, rate
):
    ecs = Orchestrator(moto, Tasks(fleet))
    try:
        running = load(rate)
        clock = Clock("smoke test of a deployment fails", rate)
        run = deploying(ecs, fleet, balancer, "two", "--smoke-option=--commit=other").wait()
        answers = running.stop() if clock.stop() else None
        clock.tell(answers)
        assert run.status == 1 and "FAIL GET /metrics shows commit other" in run.text, run.text
        assert_none_failed(balancer, answers)
        assert_all_served(fleet, answers)
        assert_all_written(database, answers)
        assert ecs.revisions() == ["1", "1"] and ecs.image() == IMAGE.format("one")
    finally:
        ecs.stop()


@pytest.mark.parametrize("rate", RATES)
def test_spot_tasks_are_interrupted_without_a_failed_request(balancer, database, fleet, load, rate):
    """SIGTERM comes before anything else knows; the balancer's checks and the drain's delay do the rest."""
    fleet.environment["DRAIN_DELAY_MS"] = str(SIGNAL_FIRST_DRAIN_DELAY_MS)
    fleet.start("one", 2)
    running = load(rate)
    clock = Clock("Spot interruption of each task", rate)
    seconds = [fleet.interrupt(task, "one") for task in list(fleet.instances)]
    answers = running.stop() if clock.stop() else None
    clock.tell(answers)
    print(f"FIGURES {clock.title}: the tasks ended after {', '.join(f'{one:.1f}' for one in seconds)} s")
    assert_none_failed(balancer, answers)
    assert_all_served(fleet, answers)
    assert_all_written(database, answers)
    assert fleet.exits == [0, 0] and max(seconds) < INTERRUPTION_SECONDS / 4


PAGE = "<!doctype html><title>frontend</title>"


def rules():
    """The path patterns of Terraform's load balancer that lead to the service; everything else leads to the frontend."""
    text = (ROOT / "deploy/terraform/modules/balancer/variables.tf").read_text()
    (patterns,) = re.findall(r'variable "service_paths" \{.*?default\s+= (\[.*?\])', text, re.DOTALL)
    return [*((pattern, "targets") for pattern in json.loads(patterns)), ("/*", "frontend")]


@pytest.fixture
def frontend():
    """The container beside the service, which serves a page."""
    server = Loopback(lambda request: (200, PAGE))
    yield server
    server.stop()


@pytest.fixture
def balancer_with_rules(tmp_path, frontend):
    if not shutil.which("haproxy"):
        pytest.skip("haproxy is not installed")
    balancer = Balancer(tmp_path, rules=rules(), frontend="%s:%d" % frontend.server.server_address)
    yield balancer
    balancer.stop()


def test_path_rules_lead_to_the_service_or_to_the_frontend(balancer_with_rules, database):
    balancer = balancer_with_rules
    fleet = Fleet(balancer, free_port(), database.environment)
    try:
        fleet.start("one", 2)
        assert requests.get(balancer.url + "/api/items", timeout=5).json()["items"] == []
        assert requests.get(balancer.url + "/api/health", timeout=5).json()["status"] == "healthy"
        assert requests.get(balancer.url + "/health/ready", timeout=5).json()["status"] == "healthy"
        for path in ("/", "/index.html", "/api", "/apis/items", "/healthy", "/API/items"):
            assert requests.get(balancer.url + path, timeout=5).text == PAGE, path
        for path in ("/metrics", "/db"):
            assert requests.get(balancer.url + path, timeout=5).status_code == 404, path
        run = smoke("--api-only", balancer.url)
        assert run.status == 0, run.text
    finally:
        fleet.stop()
