"""Commits that fail after their statements succeeded, cancelled commits, and invalidated prepared statements."""

import concurrent.futures
import contextlib
import socket
import struct
import threading
import time

import pytest

from support.database import Database
from support.ports import free_port
from support.server import problem
from support.waiting import until

ONE = {"WORKERS": "1", "DB_POOL_MIN": "1", "DB_POOL_MAX": "1"}


def together(function, arguments, pause=0.0):
    """Calls `function` for each argument concurrently, starting `pause` seconds apart; returns the results in order."""
    with concurrent.futures.ThreadPoolExecutor(len(arguments)) as pool:
        futures = []
        for argument in arguments:
            futures.append(pool.submit(function, argument))
            time.sleep(pause)
        return [future.result() for future in futures]


@pytest.fixture
def lonely(own_cluster):
    """A database whose commits wait for a standby that does not exist, after `lonely.begin()` was called."""
    database = Database(own_cluster)
    admin = own_cluster.connect(user="postgres")
    admin.execute(f'ALTER DATABASE "{database.name}" SET synchronous_commit = on')

    def wait_for(standby):
        admin.execute(f"ALTER SYSTEM SET synchronous_standby_names = '{standby}'")
        admin.execute("SELECT pg_reload_conf()")
        shown = "SELECT current_setting('synchronous_standby_names')"
        until(lambda: own_cluster.connect(user="postgres").execute(shown).fetchone()[0] == standby)

    def begin():
        wait_for("nobody")
        # The server's processes read the setting one after the other, so this waits until a commit is seen waiting.
        until(a_commit_waits, what="commits that wait")

    def a_commit_waits():
        waiting = "SELECT 1 FROM pg_stat_activity WHERE pid = %s AND wait_event = 'SyncRep'"
        with database.connect() as probe, concurrent.futures.ThreadPoolExecutor(1) as pool:
            pid = probe.info.backend_pid
            commit = pool.submit(probe.execute, "CREATE TABLE probe (); DROP TABLE probe")
            while not commit.done():
                if admin.execute(waiting, [pid]).fetchone():
                    admin.execute("SELECT pg_cancel_backend(%s)", [pid])
                    return commit.exception(5) is None
        return False

    database.begin = begin
    database.end = lambda: wait_for("")
    database.superuser = admin
    yield database
    database.end()
    database.drop()
    admin.close()


@pytest.mark.parametrize("prepared", ["1", "0"])
def test_a_write_is_not_acknowledged_without_a_standby(lonely, launch, prepared):
    limits = {"DB_STATEMENT_TIMEOUT_MS": "1000", "DB_POOL_TIMEOUT_MS": "3000", "DB_PREPARED": prepared}
    server = launch(lonely.environment, **ONE, **limits).wait_until_healthy()
    server.create("before")
    lonely.begin()
    creates = [f"without {number}" for number in range(8)]
    answers = together(lambda name: server.post("/api/items", json={"name": name}), creates, 0.3)
    assert {answer.status_code for answer in answers} <= {503, 504}
    assert 504 in {answer.status_code for answer in answers}
    # Reads need no standby.
    assert server.get("/api/items/1").status_code == 200
    # Each insert was sent at most once.
    with lonely.connect() as watch:
        twice = "SELECT name FROM items GROUP BY name HAVING count(*) > 1"
        assert watch.execute(twice).fetchall() == []


@pytest.mark.parametrize("prepared", ["1", "0"])
def test_a_commit_that_an_administrator_cancels_or_ends_is_not_acknowledged(lonely, launch, prepared):
    # PostgreSQL reports the cancelled wait by a warning only.
    lonely.superuser.execute(f'ALTER DATABASE "{lonely.name}" SET client_min_messages = error')
    server = launch(lonely.environment, **ONE, DB_PREPARED=prepared).wait_until_healthy()
    lonely.begin()
    waiting = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
    for number, verb in enumerate(["pg_cancel_backend", "pg_terminate_backend"]):
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            name = f"ended {number}"
            answer = pool.submit(server.post, "/api/items", json={"name": name})
            pid = until(lambda: lonely.superuser.execute(waiting).fetchone(), what="a commit that waits")[0]
            lonely.superuser.execute(f"SELECT {verb}(%s)", [pid])
            response = answer.result()
            assert problem(response, response.status_code)["type"] == "/problems/outcome-unknown"
            assert response.status_code in {503, 504} and "Retry-After" not in response.headers
        with lonely.connect() as watch:
            assert watch.execute("SELECT count(*) FROM items WHERE name = %s", [name]).fetchone()[0] == 1


def test_a_replay_waits_for_the_standby_like_the_first_create(lonely, launch):
    limits = {"DB_STATEMENT_TIMEOUT_MS": "500", "DB_POOL_TIMEOUT_MS": "1000"}
    server = launch(lonely.environment, WORKERS="1", **limits).wait_until_healthy()
    lonely.begin()

    def create(name):
        return server.post("/api/items", json={"name": name}, headers={"Idempotency-Key": name})

    for _ in range(3):
        response = create("once")
        assert problem(response, response.status_code)["type"] == "/problems/outcome-unknown"
        assert response.status_code in {503, 504} and response.headers["Retry-After"] == "1"
    # Two requests at once: the second waits for the row of the first one's key.
    assert {answer.status_code for answer in together(create, ["twice", "twice"])} <= {503, 504}
    with lonely.connect() as watch:
        assert watch.execute("SELECT count(*) FROM items WHERE name = 'once'").fetchone()[0] == 1
    lonely.end()
    answer = create("once")
    assert answer.status_code == 201
    assert answer.headers["Idempotent-Replayed"] == "true"


def test_a_trigger_affects_only_the_rows_that_it_drops_or_changes(database, launch):
    server = launch(database.environment, **ONE).wait_until_healthy()
    database.connect().execute(
        """
        CREATE FUNCTION choose() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF NEW.name LIKE 'dropped%' THEN RETURN NULL; END IF;
            IF NEW.name LIKE 'changed%' THEN NEW.name := 'other'; END IF;
            RETURN NEW;
        END $$;
        CREATE TRIGGER choose BEFORE INSERT ON items FOR EACH ROW EXECUTE FUNCTION choose();
        """
    )
    kinds = ["kept", "dropped", "kept", "changed", "kept"]
    names = [f"{kinds[number % 5]} {number}" for number in range(100)]
    answers = together(lambda name: server.post("/api/items", json={"name": name, "description": name}), names)
    for name, answer in zip(names, answers, strict=True):
        if name.startswith("dropped"):
            problem(answer, 422)
            continue
        assert answer.status_code == 201
        item = answer.json()
        assert item["description"] == name
        assert item["name"] == ("other" if name.startswith("changed") else name)
        assert server.get(f"/api/items/{item['id']}").json() == item
    made = database.connect().execute("SELECT count(*) FROM items").fetchone()[0]
    assert made == sum(answer.status_code == 201 for answer in answers)


def test_an_error_at_the_commit_fails_only_the_request_that_caused_it(database, launch):
    server = launch(database.environment, **ONE).wait_until_healthy()
    database.connect().execute(
        """
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF NEW.name LIKE 'refused%' THEN RAISE EXCEPTION 'no' USING ERRCODE = '40001'; END IF;
            RETURN NULL;
        END $$;
        CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON items DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW EXECUTE FUNCTION refuse();
        """
    )
    names = [f"refused {number}" if number % 5 == 0 else f"good {number}" for number in range(75)]
    answers = together(lambda name: server.post("/api/items", json={"name": name}), names)
    assert [answer.status_code for answer in answers] == [503 if number % 5 == 0 else 201 for number in range(75)]
    assert database.connect().execute("SELECT count(*) FROM items").fetchone()[0] == 60


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_change_of_the_schema_causes_503_for_a_moment_at_most(database, launch, workers):
    server = launch(database.environment, WORKERS=workers, DB_POOL_MIN="4", DB_POOL_MAX="6").wait_until_healthy()
    first = server.create("first")["id"]
    changes = ["ALTER TABLE items ALTER COLUMN name TYPE varchar(300)", "ALTER TABLE items ALTER COLUMN name TYPE text"]
    for change in changes:
        enough = threading.Event()
        seen = set()

        def client(number):
            while not enough.is_set():
                seen.add(server.get(f"/api/items/{first}").status_code)
                seen.add(server.get("/api/items?limit=3").status_code)
                seen.add(server.post("/api/items", json={"name": f"Client {number}"}).status_code)

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            clients = [pool.submit(client, number) for number in range(8)]
            time.sleep(0.2)
            database.connect().execute(change)
            time.sleep(0.5)
            settled = {server.get(f"/api/items/{first}").status_code for _ in range(40)}
            enough.set()
            for done in clients:
                done.result()
        assert settled == {200}
        assert seen <= {200, 201, 503}


class HeldCancels:
    """Forwards TCP connections to the cluster's socket, but holds cancel requests back until `release` is set."""

    CANCEL = struct.pack("!ii", 16, 80877102)

    def __init__(self, path):
        self.path, self.release, self.held, self.sockets = path, threading.Event(), 0, []
        self.listener = socket.create_server(("127.0.0.1", free_port()))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                threading.Thread(target=self._serve, args=[client], daemon=True).start()

    def _serve(self, client):
        with contextlib.suppress(OSError):
            head = client.recv(8, socket.MSG_PEEK | socket.MSG_WAITALL)
            if head == self.CANCEL:
                self.held += 1
                self.release.wait()
            server = socket.socket(socket.AF_UNIX)
            server.connect(self.path)
            self.sockets += [client, server]
            threading.Thread(target=self._copy, args=[server, client], daemon=True).start()
            self._copy(client, server)

    def _copy(self, source, target):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)

    def close(self):
        self.release.set()
        self.listener.close()
        for one in self.sockets:
            one.close()


@pytest.fixture
def held_cancels(database):
    proxy = HeldCancels(f"{database.cluster.host}/.s.PGSQL.5432")
    yield proxy
    proxy.close()


def behind(held_cancels, database, launch, pool):
    """Returns a server whose cancel requests are held back, the id of an item, and a connection to
    lock the table with."""
    network = {"DB_HOST": "127.0.0.1", "DB_PORT": str(held_cancels.port), "DB_SSLMODE": "disable", "DB_PREPARED": "0"}
    limits = {"DB_STATEMENT_TIMEOUT_MS": "400", "DB_POOL_TIMEOUT_MS": "300"}
    server = launch({**database.environment, **network}, **pool, **limits).wait_until_healthy()
    return server, server.create("first")["id"], database.connect()


def test_nothing_is_sent_while_a_cancel_request_is_on_its_way(database, launch, held_cancels):
    """A late cancel request could stop another statement. If it is not delivered, its connection is closed."""
    server, first, lock = behind(held_cancels, database, launch, ONE)
    lock.execute("BEGIN; LOCK TABLE items IN ACCESS EXCLUSIVE MODE")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        late = pool.submit(server.get, f"/api/items/{first}")
        until(lambda: held_cancels.held, what="a cancel request")
        # The statement ends by itself within the time that the server has to react to the cancel request.
        lock.execute("COMMIT")
        assert late.result().status_code == 504
    assert server.get(f"/api/items/{first}").status_code == 503
    held_cancels.release.set()
    until(lambda: server.get(f"/api/items/{first}").status_code == 200, 2, what="the connection to serve again")
    assert b"connection lost" not in b"".join(server.lines)


def test_an_undelivered_cancel_request_closes_its_connection(database, launch, held_cancels):
    server, first, lock = behind(held_cancels, database, launch, ONE)
    lock.execute("BEGIN; LOCK TABLE items IN ACCESS EXCLUSIVE MODE")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        late = pool.submit(server.get, f"/api/items/{first}")
        until(lambda: held_cancels.held, what="a cancel request")
        lock.execute("COMMIT")
        assert late.result().status_code == 504
    until(lambda: server.get(f"/api/items/{first}").status_code == 200, 8, what="another connection")
    assert not held_cancels.release.is_set()


def test_an_undelivered_cancel_request_closes_no_other_connection(database, launch, held_cancels):
    two = {"WORKERS": "1", "DB_POOL_MIN": "2", "DB_POOL_MAX": "2"}
    server, first, lock = behind(held_cancels, database, launch, two)
    until(lambda: database.service_connections() == 3, what="both connections, and the one that locks")
    lock.execute("BEGIN; LOCK TABLE items IN ACCESS EXCLUSIVE MODE")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        late = pool.submit(server.get, f"/api/items/{first}")
        until(lambda: held_cancels.held, what="a cancel request")
        lock.execute("COMMIT")
        assert late.result().status_code == 504

    def lost():
        return [line for line in server.logs() if line["msg"] == "Database connection lost"]

    until(lost, 8, what="the connection to be closed")
    until(lambda: database.service_connections() == 3, what="another one")
    assert server.get(f"/api/items/{first}").status_code == 200
    assert len(lost()) == 1 and not held_cancels.release.is_set()


def test_cancel_requests_that_never_arrive_do_not_keep_others_from_being_sent(database, launch, held_cancels):
    """A frozen server keeps each cancel request pending, and at most four are sent at once."""
    four = {"WORKERS": "1", "DB_POOL_MIN": "0", "DB_POOL_MAX": "4"}
    server, first, lock = behind(held_cancels, database, launch, four)

    def run_into_the_lock(held):
        lock.execute("BEGIN; LOCK TABLE items IN ACCESS EXCLUSIVE MODE")
        with concurrent.futures.ThreadPoolExecutor(4) as clients:
            while held_cancels.held < held:
                clients.submit(server.get, f"/api/items/{first}")
                time.sleep(0.2)
        lock.execute("COMMIT")

    run_into_the_lock(4)
    until(lambda: server.get(f"/api/items/{first}").status_code == 200, 12, what="other connections")
    run_into_the_lock(5)
