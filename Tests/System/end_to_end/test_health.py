"""The health checks while the database is up, down, restarted, and not responding."""

import concurrent.futures
import os
import signal
import subprocess
import time

import pytest

from support.database import Database
from support.server import problem
from support.waiting import until

PATHS = ["/health", "/health/ready", "/healthz", "/api/health", "/api/v1/health"]


def status(server, path="/health"):
    response = server.get(path)
    return response.status_code, response.json()["status"]


def wait_until_steady(server):
    """Waits until twenty health checks in a row succeed: each event loop reconnects independently."""
    until(lambda: all(status(server) == (200, "healthy") for _ in range(20)), 15, what="the database to be found")


def database_lines(server):
    """Returns the service's log lines about the state of its database, without access logs."""
    return [line for line in server.logs() if "response_time_ms" not in line and "database" in line["msg"].lower()]


@pytest.fixture
def stopped_cluster(own_cluster):
    """A stopped cluster that contains a database for the test."""
    database = Database(own_cluster)
    database.admin.close()
    own_cluster.stop()
    yield own_cluster, database.environment
    own_cluster.start()


@pytest.mark.parametrize("path", PATHS)
def test_a_check_asks_the_database(server, path):
    response = server.get(path)
    assert response.status_code == 200
    body = response.json()
    assert body["status"] == "healthy" and body["checks"]["database"]["status"] == "up"
    assert 0 <= body["checks"]["database"]["latency_ms"] < 2000


@pytest.mark.parametrize(
    "change, back",
    [
        ("ALTER TABLE items RENAME TO elsewhere", "ALTER TABLE elsewhere RENAME TO items"),
        ("ALTER TABLE items RENAME COLUMN name TO title", "ALTER TABLE items RENAME COLUMN title TO name"),
        ("ALTER TABLE idempotency_keys RENAME TO elsewhere", "ALTER TABLE elsewhere RENAME TO idempotency_keys"),
        ("ALTER TABLE idempotency_keys DROP COLUMN answer", "ALTER TABLE idempotency_keys ADD COLUMN answer json"),
    ],
    ids=["the table", "a column", "the keys", "the column of a later step"],
)
@pytest.mark.parametrize("prepared", ["1", "0"])
def test_an_instance_whose_schema_is_not_there_gets_no_traffic_until_it_is(database, launch, change, back, prepared):
    # The grace period applies to an unreachable database, not to a wrong schema.
    server = launch(database.environment, DB_PREPARED=prepared, HEALTH_DB_GRACE_MS="600000").wait_until_healthy()
    database.connect().execute(change)
    until(lambda: all(status(server) == (503, "unhealthy") for _ in range(20)), 10, what="every loop to report it")
    assert server.get("/health/live").status_code == 200
    database.connect().execute(back)
    wait_until_steady(server)
    assert server.create("Again")["id"] > 0


def test_a_role_that_may_not_read_gets_no_traffic(database, launch):
    server = launch(database.environment).wait_until_healthy()
    database.connect().execute("REVOKE SELECT ON items FROM CURRENT_USER")
    until(lambda: all(status(server) == (503, "unhealthy") for _ in range(20)), 10, what="every loop to report it")
    database.connect().execute("GRANT SELECT ON items TO CURRENT_USER")
    wait_until_steady(server)


def test_a_locked_table_leaves_the_instance_healthy(database, launch):
    server = launch(database.environment).wait_until_healthy()
    with database.connect() as other, other.transaction():
        other.execute("LOCK TABLE items, idempotency_keys")
        assert [status(server) for _ in range(5)] == [(200, "healthy")] * 5


def test_further_paths_are_configured(database, launch):
    server = launch(database.environment, HEALTH_PATHS="/ping,/a/b").wait_until_healthy()
    assert status(server, "/ping") == status(server, "/a/b") == (200, "healthy")
    assert server.get("/healthz").status_code == 404


def test_many_checks_at_once_are_all_answered(server):
    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        began = time.monotonic()
        answers = list(pool.map(lambda number: status(server, PATHS[number % len(PATHS)]), range(300)))
    assert answers == [(200, "healthy")] * 300
    assert time.monotonic() - began < 10


def test_a_database_that_is_away_at_the_start_is_waited_for(stopped_cluster, launch):
    cluster, environment = stopped_cluster
    server = launch(environment).wait_until_live()
    assert status(server) == (503, "unhealthy")
    response = server.get("/api/items")
    problem(response, 503)
    assert int(response.headers["Retry-After"]) >= 0
    until(lambda: database_lines(server), 2, what="a line about the state")
    said = len(database_lines(server))
    for _ in range(50):
        assert status(server) == status(server, "/health/ready") == (503, "unhealthy")
        assert server.get("/health/live").status_code == 200
    assert len(database_lines(server)) - said <= 1, "more than one line for one change of state"

    said = len(database_lines(server))
    cluster.start()
    wait_until_steady(server)
    assert server.create("Born late")["id"] > 0
    until(lambda: len(database_lines(server)) > said, 2, what="a line about the state")
    said = len(database_lines(server))
    for _ in range(20):
        assert status(server) == (200, "healthy")
    assert len(database_lines(server)) == said


def test_a_database_that_goes_and_comes_back_is_reported_once_each(own_cluster, launch):
    server = launch(Database(own_cluster).environment).wait_until_healthy()
    said = len(database_lines(server))
    own_cluster.stop()
    try:
        until(lambda: status(server) == (503, "unhealthy"), 10)
        for _ in range(20):
            assert status(server) == (503, "unhealthy")
            problem(server.get("/api/items"), 503)
    finally:
        own_cluster.start()
    wait_until_steady(server)
    assert server.get("/api/items").status_code == 200
    lines = database_lines(server)[said:]
    assert 1 <= len(lines) <= 6, lines


def test_within_the_grace_the_service_is_degraded(own_cluster, launch):
    server = launch(Database(own_cluster).environment, HEALTH_DB_GRACE_MS="60000").wait_until_healthy()
    own_cluster.stop()
    try:
        until(lambda: status(server) == (200, "degraded"), 10)
        assert server.get("/health/live").status_code == 200
    finally:
        own_cluster.start()
    wait_until_steady(server)


def test_a_database_that_does_not_answer_is_given_up_after_two_seconds(own_cluster, launch):
    database = Database(own_cluster)
    server = launch(database.environment).wait_until_healthy()
    query = "SELECT pid FROM pg_stat_activity WHERE datname = %s"
    backends = [pid for (pid,) in database.admin.execute(query, [database.name])]
    try:
        for pid in backends:
            os.kill(pid, signal.SIGSTOP)
        began = time.monotonic()
        assert status(server) == (503, "unhealthy")
        assert 1 < time.monotonic() - began < 4
        assert server.get("/health/live", timeout=1).status_code == 200
    finally:
        for pid in backends:
            os.kill(pid, signal.SIGCONT)
    wait_until_steady(server)
    database.admin.close()


def test_the_binary_checks_the_health_of_a_container(server, binary):
    run = subprocess.run([binary, "healthcheck"], env=server.environment, capture_output=True, timeout=10)
    assert run.returncode == 0
