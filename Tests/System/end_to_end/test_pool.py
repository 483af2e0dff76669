"""The limits on connections to the database, as the database counts them."""

import concurrent.futures
import threading
import time

import pytest
import requests

from support.server import problem
from support.waiting import until


class Watch(threading.Thread):
    """Samples the number of the service's connections and keeps the maximum."""

    def __init__(self, database):
        super().__init__(daemon=True)
        self.database, self.enough, self.most = database, threading.Event(), 0

    def run(self):
        while not self.enough.wait(0.005):
            self.most = max(self.most, self.database.service_connections())

    def end(self):
        self.enough.set()
        self.join()
        return self.most


def load(server, seconds, clients=32):
    """Reads and writes with many clients at once, and returns the set of all statuses."""
    end = time.monotonic() + seconds

    def client(number):
        seen = set()
        with requests.Session() as session:
            while time.monotonic() < end:
                seen.add(session.get(f"{server.url}/api/items?limit=3", timeout=20).status_code)
                seen.add(
                    session.post(f"{server.url}/api/items", json={"name": f"Client {number}"}, timeout=20).status_code
                )
        return seen

    with concurrent.futures.ThreadPoolExecutor(clients) as pool:
        return set().union(*pool.map(client, range(clients)))


@pytest.mark.parametrize("workers", [1, 2, 4, 12])
@pytest.mark.parametrize("least, most", [(2, 10), (1, 3)])
def test_connections_stay_within_the_bounds(database, launch, workers, least, most):
    environment = {"WORKERS": str(workers), "DB_POOL_MIN": str(least), "DB_POOL_MAX": str(most), "ACCESS_LOG": "0"}
    server = launch(database.environment, **environment).wait_until_healthy()
    until(lambda: database.service_connections() >= least, 5, what="the minimum at idle")
    watch = Watch(database)
    watch.start()
    seen = load(server, 1.2)
    assert least <= watch.end() <= most
    assert seen == {200, 201}
    pool = server.get("/db").json()["pool"]
    assert (pool["min"], pool["max"], pool["waiting"]) == (least, most, 0)
    assert least <= pool["open"] <= most


def test_a_wait_for_a_connection_is_bounded(database, launch):
    timeouts = {"DB_POOL_MIN": "1", "DB_POOL_MAX": "1", "DB_POOL_TIMEOUT_MS": "300", "DB_STATEMENT_TIMEOUT_MS": "1500"}
    server = launch(database.environment, WORKERS="1", **timeouts).wait_until_healthy()
    with database.connect() as other, other.transaction():
        other.execute("LOCK TABLE items IN ACCESS EXCLUSIVE MODE")
        began = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(20) as pool:
            answers = list(pool.map(lambda _: server.get("/api/items"), range(20)))
        assert time.monotonic() - began < 8
        assert {answer.status_code for answer in answers} <= {503, 504}
        refused = [answer for answer in answers if answer.status_code == 503]
        for answer in refused:
            problem(answer, 503)
            assert int(answer.headers["Retry-After"]) >= 0
        assert server.get("/health/live", timeout=1).status_code == 200
    until(lambda: server.get("/api/items").status_code == 200, 5)


def test_connections_that_the_database_ends_are_replaced(database, launch):
    server = launch(database.environment).wait_until_healthy()
    for _ in range(3):
        until(lambda: database.service_connections() >= 2)
        ended = [row[0] for row in database.admin.execute(
            "SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [database.name]
        )]
        # Until it has ended, a backend may still accept a write, whose outcome would be unknown.
        remaining = "SELECT count(*) FROM pg_stat_activity WHERE pid = ANY(%s)"
        until(lambda: database.admin.execute(remaining, [ended]).fetchone()[0] == 0)
        until(lambda: server.get("/api/items").status_code == 200, 5)
        assert server.create("After the end")["id"] > 0
    until(lambda: server.get("/health").status_code == 200, 5)


def test_a_statement_that_fails_fails_no_other(database, launch):
    """Statements of several requests share a round trip; a failed one must not affect the others."""
    server = launch(database.environment, WORKERS="1", DB_POOL_MIN="1", DB_POOL_MAX="1").wait_until_healthy()
    database.connect().execute("ALTER TABLE items ADD CONSTRAINT refuses CHECK (name <> 'refused') NOT VALID")
    names = ["refused" if number % 5 == 0 else f"good {number}" for number in range(200)]
    with concurrent.futures.ThreadPoolExecutor(40) as pool:
        answers = list(pool.map(lambda name: server.post("/api/items", json={"name": name}).status_code, names))
    assert [answer == 201 for answer in answers] == [name != "refused" for name in names]
    page = server.get("/api/items?limit=1000").json()["items"]
    assert sorted(item["name"] for item in page if item["name"].startswith("good")) == sorted(
        n for n in names if n != "refused"
    )


def test_statements_need_not_be_prepared(database, launch):
    server = launch(database.environment, DB_PREPARED="0").wait_until_healthy()
    assert load(server, 0.5, 8) == {200, 201}
