"""The service behind pgbouncer: in transaction mode, and in each mode with and without prepared statements."""

import concurrent.futures
import hashlib
import time

import pytest
import requests
from network import (
    PASSWORD,
    Bouncer,
    NetworkDatabase,
    carries_statements,
    network_cluster,
    temporary_directory,
    unreachable_lines,
    wait_until_steady,
)

from support.server import items, problem
from support.waiting import until

CLIENTS = 64


@pytest.fixture(scope="module")
def cluster():
    """A cluster that logs every statement with the name of its prepared statement."""
    with network_cluster(log_statement="all") as cluster:
        yield cluster


@pytest.fixture(scope="module")
def bouncer(cluster):
    """A pooler with at most five connections per database to the server, and up to 100 clients."""
    with temporary_directory() as directory:
        bouncer = Bouncer(directory / "pgbouncer", cluster, PASSWORD)
        bouncer.start()
        try:
            yield bouncer
        finally:
            bouncer.stop()


@pytest.fixture
def database(cluster, bouncer):
    database = NetworkDatabase(cluster)
    yield database
    database.drop()


@pytest.fixture
def pooled(database, bouncer, launch):
    """Returns a factory of services that connect to the database through the pooler."""

    def start(**more):
        environment = {**database.environment, "DB_HOST": "127.0.0.1", "DB_PORT": str(bouncer.port)}
        return launch(environment, DB_PREPARED="0", **more).wait_until_healthy()

    return start


def at_once(work, count=CLIENTS):
    """Runs `work` with a session per client, CLIENTS at a time; returns the results in the clients' order."""

    def client(number):
        with requests.Session() as session:
            return work(session, number)

    with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
        return list(pool.map(client, range(count)))


def names_in(database):
    return sorted(name for (name,) in database.connect().execute("SELECT name FROM items"))


class TestClientsAtOnce:
    def test_create_each_item_once_and_find_it(self, database, pooled, cluster):
        server = pooled(WORKERS="2", DB_POOL_MAX="10")
        mark = cluster.mark()

        def work(session, number):
            created = []
            for turn in range(5):
                name = f"Item {number}, {turn}"
                answer = session.post(f"{server.url}/api/items", json={"name": name}, timeout=20)
                assert answer.status_code == 201, answer.text
                item = answer.json()
                assert item["name"] == name
                assert session.get(server.url + answer.headers["Location"], timeout=20).json() == item
                page = session.get(f"{server.url}/api/items?limit=5&order=desc", timeout=20).json()["items"]
                assert 1 <= len(page) <= 5 and page[0]["id"] >= item["id"]
                assert session.get(f"{server.url}/api/items/{10**12 + number}", timeout=20).status_code == 404
                created.append((item["id"], name))
            return created

        created = [one for answers in at_once(work) for one in answers]
        assert len(created) == 5 * CLIENTS
        stored = database.connect().execute("SELECT id, name FROM items").fetchall()
        assert sorted(created) == sorted(stored)
        transactions = database.connect().execute("SELECT count(DISTINCT xmin::text) FROM items").fetchone()[0]
        assert transactions < len(stored), "no two creates shared a transaction"
        first_lines = ["INSERT INTO items (name, description) VALUES", "WITH new AS ("]
        lines = cluster.since(mark).splitlines()
        statements = [line for line in lines if any(first in line for first in first_lines)]
        assert len(statements) >= transactions, "fewer INSERT lines than transactions"
        assert [line for line in statements if "execute <unnamed>:" not in line] == []

    def test_repeat_keyed_creates_that_happen_once(self, database, pooled):
        server = pooled()

        def work(session, number):
            # Four clients share a key and a body; each sends it twice.
            key = f"key-{number % 16}"
            headers = {"Idempotency-Key": key}
            body = {"name": f"Keyed {number % 16}", "description": "the same"}
            answers = [
                session.post(f"{server.url}/api/items", json=body, headers=headers, timeout=20) for _ in range(2)
            ]
            other = session.post(f"{server.url}/api/items", json={"name": "Another"}, headers=headers, timeout=20)
            problem(other, 422)
            assert [answer.status_code for answer in answers] == [201, 201], [answer.text for answer in answers]
            return key, {answer.json()["id"] for answer in answers}

        made = {}
        for key, identifiers in at_once(work):
            made.setdefault(key, set()).update(identifiers)
        assert len(made) == 16 and all(len(identifiers) == 1 for identifiers in made.values())
        assert names_in(database) == sorted(f"Keyed {number}" for number in range(16))

    def test_replay_a_key_that_another_transaction_commits_meanwhile(self, database, pooled):
        server = pooled()
        body = b'{"name":"Meanwhile"}'
        headers = {"Idempotency-Key": "meanwhile", "Content-Type": "application/json"}
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = %s"
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            with database.connect() as connection, connection.transaction():
                insert = "INSERT INTO idempotency_keys (key, body_hash, item_id, created_at) VALUES (%s, %s, 4711, now())"
                connection.execute(insert, ["meanwhile", hashlib.sha256(body).digest()])
                held = pool.submit(server.post, "/api/items", data=body, headers=headers)
                until(
                    lambda: database.admin.execute(waiting, [database.name]).fetchone()[0] == 1,
                    what="the create to wait for the key",
                )
            answer = held.result()
        assert answer.status_code == 201 and answer.json()["id"] == 4711, answer.text
        assert answer.headers["Idempotent-Replayed"] == "true"
        assert names_in(database) == []

    def test_that_violate_a_constraint_close_no_connection(self, database, pooled):
        server = pooled(DB_POOL_MIN="10")
        with database.connect() as connection:
            connection.execute("ALTER TABLE items ADD UNIQUE (name)")
        server.create("Taken")

        def work(session, number):
            statuses = []
            for turn in range(6):
                name = "Taken" if (number + turn) % 2 else f"Free {number} {turn}"
                headers = {"Idempotency-Key": f"{number}-{turn}"}
                answer = session.post(f"{server.url}/api/items", json={"name": name}, headers=headers, timeout=20)
                statuses.append((name == "Taken", answer.status_code))
                session.get(f"{server.url}/api/items?limit=1", timeout=20).raise_for_status()
            return statuses

        statuses = [status for client in at_once(work) for status in client]
        assert set(statuses) == {(True, 409), (False, 201)}
        assert [line for line in server.logs() if line["msg"] == "Database connection lost"] == []

    def test_share_few_connections_of_the_pooler(self, database, pooled, bouncer):
        """The service has more connections than the pooler has server connections, so they share these."""
        servers = [pooled(DB_POOL_MIN="6", DB_POOL_MAX="6") for _ in range(2)]

        def work(session, number):
            server = servers[number % 2]
            answer = session.post(f"{server.url}/api/items", json={"name": f"Item {number}"}, timeout=20)
            listed = session.get(f"{server.url}/api/items?limit=1", timeout=20)
            return answer.status_code, listed.status_code

        assert set(at_once(work, 4 * CLIENTS)) == {(201, 200)}
        assert len(names_in(database)) == 4 * CLIENTS
        with bouncer.connect("pgbouncer") as console:
            clients = [row for row in console.execute("SHOW CLIENTS").fetchall() if database.name in row]
        held = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND usename = 'items'"
        backends = database.admin.execute(held, [database.name]).fetchone()[0]
        assert len(clients) == 12 and 1 <= backends <= 5


class TestFailure:
    def test_of_one_statement_fails_no_other(self, database, pooled):
        server = pooled(WORKERS="1", DB_POOL_MIN="1", DB_POOL_MAX="1")
        database.connect().execute("ALTER TABLE items ADD CONSTRAINT refuses CHECK (name <> 'refused') NOT VALID")
        names = ["refused" if number % 5 == 0 else f"good {number}" for number in range(200)]

        def work(session, number):
            return session.post(f"{server.url}/api/items", json={"name": names[number]}, timeout=20).status_code

        statuses = at_once(work, len(names))
        assert [status == 201 for status in statuses] == [name != "refused" for name in names]
        assert names_in(database) == sorted(name for name in names if name != "refused")

    def test_to_end_in_time_is_504_and_cancelled_at_the_server(self, cluster, database, pooled):
        server = pooled(DB_STATEMENT_TIMEOUT_MS="400")
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND wait_event_type = 'Lock'"
        mark = cluster.mark()
        with database.connect() as other, other.transaction():
            # The transaction holds the lock until it ends.
            other.execute("ALTER TABLE items ADD COLUMN more text")
            began = time.monotonic()
            with concurrent.futures.ThreadPoolExecutor(1) as pool:
                answer = pool.submit(server.get, "/api/items")
                until(lambda: database.admin.execute(waiting, [database.name]).fetchone()[0], what="the lock wait")
                problem(answer.result(), 504)
            assert 0.3 < time.monotonic() - began < 2
            until(
                lambda: database.admin.execute(waiting, [database.name]).fetchone()[0] == 0,
                3,
                what="the server to cancel the statement while the lock is held",
            )
            assert server.get("/health").status_code == 200
        assert "canceling statement due to user request" in cluster.since(mark)
        assert server.get("/api/items").status_code == 200
        assert server.create("Afterwards")["id"] > 0


MODES = ["session", "transaction", "statement"]


@pytest.fixture(scope="module", params=MODES)
def bouncer_of_mode(cluster, request):
    """A pooler in each mode without support for prepared statements. It ignores unknown start-up parameters, a
    common configuration."""
    with temporary_directory() as directory:
        settings = "ignore_startup_parameters = options,extra_float_digits\nserver_reset_query = DISCARD ALL"
        size = "\ndefault_pool_size = 20" if request.param == "session" else ""
        settings += "\nmax_prepared_statements = 0" if carries_statements() else ""
        bouncer = Bouncer(directory / "pgbouncer", cluster, PASSWORD, request.param, settings + size)
        bouncer.start()
        try:
            yield request.param, bouncer
        finally:
            bouncer.stop()


def by(bouncer, database):
    return {**database.environment, "DB_HOST": "127.0.0.1", "DB_PORT": str(bouncer.port)}


def settings_of_sessions(bouncer, database):
    """Returns the settings and prepared statements that other clients of the pooler find in the server's sessions."""
    with bouncer.connect(database.name) as client:
        client.prepare_threshold = None  # this client itself must leave no prepared statement
        query = """SELECT current_setting('statement_timeout'), current_setting('plan_cache_mode'),
                   current_setting('enable_seqscan'), (SELECT count(*) FROM pg_prepared_statements)"""
        return {client.execute(query).fetchone() for _ in range(20)}


def assert_serves_all_routes(server, database):
    """Checks plain and keyed creates, lookups and pages under the load of 64 clients."""

    def work(session, number):
        for turn in range(5):
            name, key = f"Item {number}, {turn}", {"Idempotency-Key": f"{number}-{turn}"}
            plain = session.post(f"{server.url}/api/items", json={"name": name}, timeout=20)
            keyed = [
                session.post(f"{server.url}/api/items", json={"name": name}, headers=key, timeout=20) for _ in range(2)
            ]
            assert [one.status_code for one in [plain, *keyed]] == [201] * 3, [plain.text, keyed[0].text]
            assert keyed[0].json() == keyed[1].json()
            assert session.get(f"{server.url}/api/items/{plain.json()['id']}", timeout=20).json() == plain.json()
            assert session.get(f"{server.url}/api/items?limit=5", timeout=20).status_code == 200

    at_once(work)
    assert len(names_in(database)) == 2 * 5 * CLIENTS
    assert unreachable_lines(server) == []


class TestMode:
    def test_serves_with_statements_that_are_not_prepared(self, database, bouncer_of_mode, launch):
        mode, bouncer = bouncer_of_mode
        # A migration is a transaction, which statement mode rejects.
        assert items("migrate", **database.environment).returncode == 0
        server = launch(by(bouncer, database), DB_PREPARED="0", DB_POOL_MAX="10").wait_until_healthy()
        assert_serves_all_routes(server, database)
        assert settings_of_sessions(bouncer, database) == {("0", "auto", "on", 0)}

    def test_refuses_prepared_statements_and_says_what_to_set(self, database, bouncer_of_mode, launch):
        mode, bouncer = bouncer_of_mode
        assert items("migrate", **database.environment).returncode == 0
        server = launch(by(bouncer, database)).wait_until_live()
        lines = until(lambda: unreachable_lines(server), 10, what="the line about the database")
        assert "pooler" in lines[0]["error"] and "DB_PREPARED=0" in lines[0]["error"]
        assert server.get("/health").status_code == 503
        problem(server.get("/api/items"), 503)
        time.sleep(0.3)  # time for more attempts, which must leave no state in the sessions
        assert len(unreachable_lines(server)) == 1
        assert settings_of_sessions(bouncer, database) == {("0", "auto", "on", 0)}

    def test_migrates_where_it_lets_transactions_through(self, database, bouncer_of_mode, launch):
        mode, bouncer = bouncer_of_mode
        run = items("migrate", **by(bouncer, database), DB_PREPARED="0")
        if mode == "statement":
            assert run.returncode == 1 and "transaction" in run.stderr, run.stderr
            server = launch(by(bouncer, database), DB_PREPARED="0").wait_until_live()
            lines = until(lambda: unreachable_lines(server), 10, what="the line about the database")
            assert "transaction" in lines[0]["error"]
            assert items("migrate", **database.environment).returncode == 0
            wait_until_steady(server)
        else:
            assert run.returncode == 0, run.stderr
            wait_until_steady(launch(by(bouncer, database), DB_PREPARED="0").wait_until_live())


@pytest.mark.skipif(not carries_statements(), reason="pgbouncer carries prepared statements from 1.21 on")
@pytest.mark.parametrize("mode", ["transaction", "statement"])
def test_a_pooler_that_carries_prepared_statements_serves_with_them(cluster, database, launch, mode):
    assert items("migrate", **database.environment).returncode == 0
    with temporary_directory() as directory:
        bouncer = Bouncer(directory / "pgbouncer", cluster, PASSWORD, mode, "max_prepared_statements = 100")
        try:
            bouncer.start()
            assert_serves_all_routes(launch(by(bouncer, database), DB_POOL_MAX="10").wait_until_healthy(), database)
            assert {row[:3] for row in settings_of_sessions(bouncer, database)} == {("0", "auto", "on")}
        finally:
            bouncer.stop()


def test_a_start_depends_on_no_parameter_that_a_pooler_refuses(database, bouncer, launch):
    server = launch(by(bouncer, database)).wait_until_live()
    if carries_statements():
        server.wait_until_healthy()
    else:
        lines = until(lambda: unreachable_lines(server), 10, what="the line about the database")
        assert "DB_PREPARED=0" in lines[0]["error"], lines


@pytest.mark.alone
def test_without_a_pooler_the_database_server_enforces_the_limits(database, launch):
    server = launch(database.environment, DB_STATEMENT_TIMEOUT_MS="4321", WORKERS="1").wait_until_healthy()
    prepared = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND usename = 'items'"
    assert database.admin.execute(prepared, [database.name]).fetchone()[0] >= 1
    with database.connect() as other, other.transaction():
        other.execute("LOCK TABLE items")
        began = time.monotonic()
        problem(server.get("/api/items", timeout=20), 504)
        assert 4 < time.monotonic() - began < 5
