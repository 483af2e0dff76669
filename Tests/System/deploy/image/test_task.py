"""The task definition that is registered is what runs: read back from the emulator, and run as ECS would."""

import concurrent.futures
import json
import time

import pytest
from clients import Clients
from deploy.terraform.workspace import Missing
from registered import DRAIN_SECONDS, NAME, register, settings
from task import Agent, Task, Unknown, options, port, variables

from conftest import BUNDLE
from support.emulators import moto_server, store
from support.waiting import until

CLIENTS = 16


@pytest.fixture(scope="module")
def definitions(moto_server, encrypted_cluster, password):
    secret = store(moto_server, {"username": "items", "password": password})
    try:
        return register(moto_server, settings(secret, "localhost", encrypted_cluster.port))
    except Missing as missing:
        pytest.skip(str(missing))


@pytest.fixture
def definition(definitions):
    """That of the service."""
    return definitions[NAME]


@pytest.fixture
def agent():
    agent = Agent()
    yield agent
    agent.stop()


@pytest.fixture
def start(engine, bundle_image, definition, agent, moto_server):
    """Starts the task; the image has the authority's certificate in the place of those of RDS."""
    tasks = []

    def start(**more):
        here = {"AWS_ENDPOINT_URL": moto_server.url, **more}
        tasks.append(Task(engine, definition, "items", bundle_image, agent, here))
        return tasks[-1]

    yield start
    for task in tasks:
        task.remove()


@pytest.fixture
def task(start):
    return start().wait_until_healthy()


def test_it_gets_ready_with_a_secret_read_by_the_credentials_of_its_endpoint(task, agent):
    assert "/v2/credentials/1" in agent.paths()
    assert task.create("Item 1")["name"] == "Item 1"
    assert task.get("/db").json()["database"] == "items"
    assert variables(task.found)["DB_SSLROOTCERT"] == BUNDLE and variables(task.found)["DB_SSLMODE"] == "verify-full"


def test_its_id_is_in_every_line_and_answer(task, agent):
    assert "/v4/1/task" in agent.paths()
    assert task.get("/").json()["instance_id"] == agent.task
    (serving,) = [line for line in task.messages() if line["msg"] == "Serving"]
    assert serving["instance_id"] == agent.task
    assert f'instance_id="{agent.task}"' in task.get("/metrics").text


def test_the_health_command_of_the_definition_succeeds_and_fails(task):
    assert task.inspect()["Config"]["Healthcheck"]["Test"] == task.found["healthCheck"]["command"]
    assert task.healthcheck() == 0
    command = task.found["healthCheck"]["command"][1:]
    done = task.engine.attempt("podman", "exec", "--env", "PORT=1", task.id, *command)
    assert done.returncode == 1, "nobody listens there"


def test_a_database_that_is_away_does_not_fail_the_health_command(start):
    """ECS stops a task whose command fails; a new one would have no database either."""
    task = start(DB_PORT="1").wait_until_live()
    assert task.get("/health/ready").status_code == 503
    assert task.healthcheck() == 0


def test_it_has_no_rights_and_writes_nowhere(task):
    status = task.status()
    user, group = task.found["user"].split(":")
    assert set(status["Uid"].split()) == {user} and set(status["Gid"].split()) == {group}
    assert [int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")] == [0] * 5
    mounts = (task.process / "mountinfo").read_text().splitlines()
    (root,) = [line.split()[5] for line in mounts if line.split()[4] == "/"]
    assert "ro" in root.split(",")


def test_its_limits_are_those_of_the_definition(task):
    limits = (task.process / "limits").read_text()
    (files,) = [line.split()[3:5] for line in limits.splitlines() if line.startswith("Max open files")]
    assert files == ["4096", "4096"], "of the 20000 what this machine allows"
    assert task.memory()["limit"] == int(task.definition["memory"]) * 1024 * 1024


def test_neither_definition_nor_environment_has_the_password(task, definition, password):
    told = [json.dumps(definition, default=str), (task.process / "environ").read_text(), task.logs()]
    assert not any(password in text for text in told)


def test_it_stops_within_its_time_and_fails_no_request(task):
    with Clients(task, CLIENTS) as clients, concurrent.futures.ThreadPoolExecutor(1) as pool:
        until(lambda: all(client.answers > 20 for client in clients.all), 20, what="the load")
        began = time.monotonic()
        stopped = pool.submit(task.stop)
        until(lambda: all(client.closes > 2 for client in clients.all), 10, what="Connection: close for everybody")
        # Until then the load balancer may send requests.
        time.sleep(DRAIN_SECONDS - 3)
        clients.stop()
        assert stopped.result() == 0, "killed after stopTimeout"
    assert time.monotonic() - began < task.found["stopTimeout"]
    assert clients.failures == []
    assert task.messages()[-1]["msg"] == "Drained"


def test_the_longest_stop_fits_into_the_stop_timeout(definition):
    """By docs/operations.md: the delay, the drain, and 5 s for cutting, statements and log lines."""
    (container,) = definition["containerDefinitions"]
    delay, drain = (int(variables(container)[name]) / 1000 for name in ("DRAIN_DELAY_MS", "DRAIN_TIMEOUT_MS"))
    assert delay == drain == DRAIN_SECONDS
    assert delay + drain + 5 < container["stopTimeout"] <= 120


def test_the_definition_of_the_frontend_can_be_run_as_well(definitions):
    (definition,) = (one for family, one in definitions.items() if family != NAME)
    (container,) = definition["containerDefinitions"]
    words = options(definition, container)
    assert {"--read-only", "--cap-drop=ALL"} <= set(words)
    assert words[words.index("--user") + 1] == "101:101"


def test_a_member_that_is_not_translated_is_refused(definition):
    (container,) = definition["containerDefinitions"]
    for member in ({"privileged": True}, {"secrets": [{"name": "A"}]}, {"linuxParameters": {"capabilities": {"add": ["X"]}}}):
        with pytest.raises(Unknown):
            options(definition, container | member)
    with pytest.raises(Unknown, match="PORT is not 9000"):
        port(container | {"portMappings": [{"containerPort": 9000}]})
