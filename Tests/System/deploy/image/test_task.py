"""The task definition that is registered is what runs: read back from the emulator, and run as ECS would."""

import concurrent.futures
import json
import time

import pytest
from clients import Clients
from task import Agent, Task, Unknown, options, port, variables

from conftest import BUNDLE
from support.emulators import moto, moto_server, store
from support.waiting import until

# In the shape in which Terraform's module registers it.
DEFINITION = {
    "family": "items-test",
    "networkMode": "awsvpc",
    "requiresCompatibilities": ["FARGATE"],
    "cpu": "512",
    "memory": "1024",
    "runtimePlatform": {"cpuArchitecture": "X86_64", "operatingSystemFamily": "LINUX"},
    "containerDefinitions": [
        {
            "name": "items",
            "image": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/items:test-one",
            "essential": True,
            "user": "10001:10001",
            "readonlyRootFilesystem": True,
            "portMappings": [{"containerPort": 8000, "hostPort": 8000, "protocol": "tcp"}],
            "environment": [
                {"name": "PORT", "value": "8000"},
                {"name": "ENVIRONMENT", "value": "test"},
                {"name": "DB_HOST", "value": "items-test.cluster.eu-west-1.rds.amazonaws.com"},
                {"name": "DB_NAME", "value": "items"},
                {"name": "DB_SECRET_ID", "value": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:rds!db-1-AbCdEf"},
                {"name": "DRAIN_DELAY_MS", "value": "5000"},
                {"name": "HEALTH_DB_GRACE_MS", "value": "180000"},
            ],
            "healthCheck": {
                "command": ["CMD", "/usr/local/bin/items", "healthcheck", "--path", "/health/live"],
                "interval": 10,
                "timeout": 5,
                "retries": 3,
                "startPeriod": 30,
            },
            "stopTimeout": 60,
            "ulimits": [{"name": "nofile", "softLimit": 20000, "hardLimit": 20000}],
            "linuxParameters": {"capabilities": {"drop": ["ALL"]}},
            "logConfiguration": {
                "logDriver": "awslogs",
                "options": {"awslogs-group": "/items/test/service", "awslogs-region": "eu-west-1", "mode": "non-blocking"},
            },
        }
    ],
}
CLIENTS = 16


@pytest.fixture
def definition(moto):
    """As the emulator has it."""
    ecs = moto.client("ecs")
    arn = ecs.register_task_definition(**DEFINITION)["taskDefinition"]["taskDefinitionArn"]
    return ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"]


@pytest.fixture
def agent():
    agent = Agent()
    yield agent
    agent.stop()


@pytest.fixture
def start(engine, bundle_image, definition, agent, moto, encrypted_cluster, password):
    """Starts the task; the image has the authority's certificate in the place of those of RDS."""
    secret = store(moto, {"username": "items", "password": password})
    here = {
        "AWS_ENDPOINT_URL": moto.url,
        "DB_HOST": "localhost",
        "DB_PORT": str(encrypted_cluster.port),
        "DB_SECRET_ID": secret,
    }
    tasks = []

    def start(**more):
        tasks.append(Task(engine, definition, "items", bundle_image, agent, {**here, **more}))
        return tasks[-1]

    yield start
    for task in tasks:
        task.remove()


@pytest.fixture
def task(start):
    return start().wait_until_healthy()


def test_it_gets_ready_with_the_secret_that_its_role_may_read(task, agent):
    assert "/v2/credentials/1" in agent.paths()
    assert task.create("Item 1")["name"] == "Item 1"
    assert task.get("/db").json()["database"] == "items"
    assert task.inspect()["Config"]["Env"].count(f"DB_SSLROOTCERT={BUNDLE}") == 1


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
        clients.stop()
        assert stopped.result() == 0, "killed after stopTimeout"
    assert time.monotonic() - began < task.found["stopTimeout"]
    assert clients.failures == []
    assert task.messages()[-1]["msg"] == "Drained"


def longest_stop(environment):
    """Seconds, by docs/operations.md: the delay, the drain, and 5 s for cutting, statements and log lines."""
    delay, drain = (int(environment.get(name, default)) for name, default in (("DRAIN_DELAY_MS", 5000), ("DRAIN_TIMEOUT_MS", 20000)))
    return (delay + drain) / 1000 + 5


def test_the_longest_stop_fits_into_the_stop_timeout(definition):
    for container in definition["containerDefinitions"]:
        assert longest_stop(variables(container)) < container["stopTimeout"] <= 120


def test_a_member_that_is_not_translated_is_refused(definition):
    (container,) = definition["containerDefinitions"]
    for member in ({"privileged": True}, {"secrets": [{"name": "A"}]}, {"linuxParameters": {"capabilities": {"add": ["X"]}}}):
        with pytest.raises(Unknown):
            options(definition, container | member)
    with pytest.raises(Unknown, match="PORT is not 9000"):
        port(container | {"portMappings": [{"containerPort": 9000}]})
