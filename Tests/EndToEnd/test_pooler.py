"""The service behind a transaction pooler, pgbouncer, with statements that are not prepared."""

import concurrent.futures
import time

import pytest
import requests

from conftest import problem, until
from network import PASSWORD, Bouncer, NetworkDatabase, network_cluster, temporary_directory

CLIENTS = 64


@pytest.fixture(scope="module")
def cluster():
    """Logs every statement, with the name it was prepared under."""
    with network_cluster(log_statement="all") as cluster:
        yield cluster


@pytest.fixture(scope="module")
def bouncer(cluster):
    """At most five connections of a database to the server, and any number of clients."""
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
    """Starts services that reach the database through the pooler."""

    def start(**more):
        environment = {**database.environment, "DB_HOST": "127.0.0.1", "DB_PORT": str(bouncer.port)}
        return launch(environment, DB_PREPARED="0", **more).wait_until_healthy()

    return start


def at_once(work, count=CLIENTS):
    """Each client's own answers, in the clients' order; every client has a connection that it keeps."""

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
        assert transactions < len(stored), "some shared a transaction"
        statements = [line for line in cluster.since(mark).splitlines() if "INSERT INTO items" in line]
        assert len(statements) >= transactions, "inserts that ran as one are one line"
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

    def test_share_few_connections_of_the_pooler(self, database, pooled, bouncer):
        """More connections to it than it has to the server: the service's change places."""
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
            # Holds the lock that it needs until the transaction ends.
            other.execute("ALTER TABLE items ADD COLUMN more text")
            began = time.monotonic()
            with concurrent.futures.ThreadPoolExecutor(1) as pool:
                answer = pool.submit(server.get, "/api/items")
                until(lambda: database.admin.execute(waiting, [database.name]).fetchone()[0], what="it to wait")
                problem(answer.result(), 504)
            assert 0.3 < time.monotonic() - began < 2
            until(
                lambda: database.admin.execute(waiting, [database.name]).fetchone()[0] == 0,
                3,
                what="the server to stop it while the lock is held",
            )
            assert server.get("/health").status_code == 200
        assert "canceling statement due to user request" in cluster.since(mark)
        assert server.get("/api/items").status_code == 200
        assert server.create("Afterwards")["id"] > 0
