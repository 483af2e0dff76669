"""The schema is created once, by whichever server or command connects first."""

import concurrent.futures
import time

import pytest

from support.server import items
from support.waiting import until

QUERY = "SELECT count(*) FROM information_schema.columns WHERE table_schema = 'public' AND table_name = 'items'"


def columns(database):
    with database.connect() as connection:
        return connection.execute(QUERY).fetchone()[0]


def test_ten_servers_at_once_on_an_empty_database_all_come_up(database, launch):
    environment = {"WORKERS": "1", "DB_POOL_MAX": "3", "ACCESS_LOG": "0"}
    servers = [launch(database.environment, **environment) for _ in range(10)]
    for server in servers:
        server.wait_until_healthy()
    ids = [server.create(f"Server {number}")["id"] for number, server in enumerate(servers)]
    assert len(set(ids)) == 10
    assert all(len(server.get("/api/items?limit=1000").json()["items"]) >= 10 for server in servers)


def test_the_command_migrates_and_may_be_repeated(database):
    for _ in range(2):
        run = items("migrate", **database.environment)
        assert run.returncode == 0, run.stdout + run.stderr
        assert columns(database) >= 5


def test_a_server_may_leave_the_migrations_to_the_command(database, launch):
    server = launch(database.environment, MIGRATE_ON_START="0").wait_until_live()
    assert columns(database) == 0
    assert items("migrate", **database.environment).returncode == 0
    # Each event loop finds the tables independently.
    until(lambda: all(server.get("/api/items").status_code == 200 for _ in range(20)), 10)
    assert server.create("After the migration")["id"] > 0


def test_the_command_fails_without_a_database(database, tmp_path):
    run = items("migrate", **{**database.environment, "DB_HOST": str(tmp_path), "DB_CONNECT_TIMEOUT_MS": "500"})
    assert run.returncode not in (0, 78) and run.stdout + run.stderr


def test_data_outlive_a_restart(database, launch):
    first = launch(database.environment).wait_until_healthy()
    item = first.create("Kept")
    first.stop()
    second = launch(database.environment).wait_until_healthy()
    assert second.get(f"/api/items/{item['id']}").json() == item


def test_the_table_of_the_former_service_is_served(database, launch):
    with database.connect() as connection:
        connection.execute("CREATE TABLE items (id serial PRIMARY KEY, name varchar(255) NOT NULL, description text)")
        connection.execute("INSERT INTO items (name, description) VALUES ('Item 1', 'First item'), ('Item 2', NULL)")
    server = launch(database.environment).wait_until_healthy()
    listed = server.get("/api/items").json()["items"]
    assert [(item["id"], item["name"], item["description"]) for item in listed] == [
        (1, "Item 1", "First item"),
        (2, "Item 2", None),
    ]
    assert server.get("/api/items/2").json() == listed[1]
    assert server.create("Item 3")["id"] == 3
    keyed = server.post("/api/items", json={"name": "Item 4"}, headers={"Idempotency-Key": "legacy"})
    assert keyed.status_code == 201 and keyed.json()["id"] == 4


@pytest.mark.parametrize(
    "record",
    [
        "CREATE TABLE schema_migrations (version bigint PRIMARY KEY, dirty boolean NOT NULL);"
        "INSERT INTO schema_migrations VALUES (20240101120000, false)",
        "CREATE TABLE schema_migrations (version varchar PRIMARY KEY); INSERT INTO schema_migrations VALUES ('20240101120000')",
    ],
    ids=["golang-migrate", "Rails"],
)
def test_another_programs_record_of_migrations_is_ignored(database, launch, record):
    with database.connect() as connection:
        connection.execute(record)
        before = connection.execute("SELECT * FROM schema_migrations").fetchall()
        run = items("migrate", **database.environment)
        assert run.returncode == 0 and run.stdout.startswith("Applied: items,"), run.stdout + run.stderr
        assert connection.execute("SELECT * FROM schema_migrations").fetchall() == before
    server = launch(database.environment).wait_until_healthy()
    assert server.create("Beside another program")["id"] == 1


def test_a_step_that_takes_longer_than_a_statement_may_succeeds(database):
    with database.connect() as connection, concurrent.futures.ThreadPoolExecutor(1) as pool:
        connection.execute("CREATE TABLE items (id serial PRIMARY KEY, name text NOT NULL, description text)")
        # This also holds where the database has a statement_timeout for every new session.
        connection.execute(f"ALTER DATABASE \"{database.name}\" SET statement_timeout = '200ms'")
        with connection.transaction():
            connection.execute("LOCK TABLE items")
            run = pool.submit(items, "migrate", **database.environment, DB_STATEMENT_TIMEOUT_MS="200")
            # Longer than the statement timeout and the wait for its response: 0.2 s and 1 s.
            time.sleep(2)
            assert not run.done()
        assert run.result().returncode == 0, run.result().stderr
    assert columns(database) == 5


def test_a_table_that_is_read_for_long_keeps_no_other_reader_waiting(database):
    with database.connect() as reader, database.connect() as other, concurrent.futures.ThreadPoolExecutor(1) as pool:
        reader.execute("CREATE TABLE items (id serial PRIMARY KEY, name text NOT NULL, description text)")
        with reader.transaction():
            reader.execute("SELECT FROM items")
            run = pool.submit(items, "migrate", **database.environment)
            slowest = 0
            for _ in range(40):
                began = time.monotonic()
                other.execute("SELECT FROM items")
                slowest = max(slowest, time.monotonic() - began)
                time.sleep(0.1)  # the point of the test: readers arrive continuously
            assert not run.done() and 0.5 < slowest < 2.5
        assert run.result().returncode == 0, run.result().stderr
    assert columns(database) == 5


def remove_schema(database):
    """Drops the schema as a drill does, and ends the sessions that used it."""
    with database.connect() as connection:
        connection.execute("DROP TABLE items, idempotency_keys, items_migrations, schema_migrations")
    end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
    database.admin.execute(end, [database.name])


def wait_until_steady(server):
    """Waits until twenty requests in a row succeed: each event loop recovers independently."""
    until(lambda: all(server.get("/api/items").status_code == 200 for _ in range(20)), 15, what="items to be served")


@pytest.mark.parametrize("prepared", ["1", "0"])
def test_a_schema_that_is_removed_is_made_again_without_a_restart(database, launch, prepared):
    server = launch(database.environment, DB_PREPARED=prepared).wait_until_healthy()
    server.create("Lost in the drill")
    for _ in range(2):
        remove_schema(database)
        wait_until_steady(server)
        assert server.get("/api/items").json()["items"] == []
        keyed = server.post("/api/items", json={"name": "New"}, headers={"Idempotency-Key": "a"})
        assert keyed.status_code == 201 and columns(database) >= 5
        assert server.get("/health").status_code == 200


@pytest.mark.parametrize("prepared", ["1", "0"])
def test_a_schema_that_is_removed_is_waited_for_when_another_makes_it(database, launch, prepared):
    assert items("migrate", **database.environment).returncode == 0
    server = launch(database.environment, DB_PREPARED=prepared, MIGRATE_ON_START="0").wait_until_healthy()
    remove_schema(database)
    until(lambda: server.get("/health").status_code == 503, what="the health check to fail")
    assert columns(database) == 0
    assert items("migrate", **database.environment).returncode == 0
    wait_until_steady(server)
    assert server.create("After the restore")["id"] == 1
