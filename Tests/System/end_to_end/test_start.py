"""The time before the database is reachable: responses meanwhile, and how soon a signal ends the process."""

import contextlib
import os
import signal
import socket
import subprocess
import threading
import time

import pytest
import requests

from support.emulators import INSTANCE, imds, loopback  # noqa: F401, a fixture
from support.project import BINARY
from support.server import Server, problem
from support.waiting import until

# A drain without clients ends as soon as the process handles the signal, but the machine may be busy.
PROMPT_SECONDS = 4

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="unshare(1) needs root for a process namespace")


class SilentServer:
    """Accepts connections and never sends anything."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.socket.getsockname()[1]
        self.clients = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                self.clients.append(self.socket.accept()[0])

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        for client in self.clients:
            client.close()


@pytest.fixture
def silent():
    server = SilentServer()
    yield server
    server.close()


def stopped(server, number=signal.SIGTERM, status=0):
    """Sends a signal, checks the exit status, and returns the seconds until the process ended."""
    began = time.monotonic()
    server.signal(number)
    assert server.wait() == status
    return time.monotonic() - began


@pytest.fixture
def silent_database(silent):
    return {"DB_HOST": "127.0.0.1", "DB_PORT": str(silent.port), "DB_CONNECT_TIMEOUT_MS": "15000"}


class FirstConnection(SilentServer):
    """Forwards the first connection to PostgreSQL's Unix domain socket, and never sends anything on later ones."""

    def __init__(self, address):
        self.address = address
        super().__init__()

    def _accept(self):
        with contextlib.suppress(OSError):
            self.clients.append(self.socket.accept()[0])
            self.clients.append(socket.socket(socket.AF_UNIX))
            self.clients[1].connect(self.address)
            for source, target in [self.clients, self.clients[::-1]]:
                threading.Thread(target=self._carry, args=(source, target), daemon=True).start()
        super()._accept()

    @staticmethod
    def _carry(source, target):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)


@pytest.fixture
def first_connection(database):
    """A database that answers one event loop and is silent to the other."""
    server = FirstConnection(f"{database.environment['DB_HOST']}/.s.PGSQL.5432")
    yield {
        **database.environment,
        "DB_HOST": "127.0.0.1",
        "DB_PORT": str(server.port),
        "DB_SSLMODE": "disable",
        "DB_POOL_MIN": "2",
        "DB_POOL_TIMEOUT_MS": "100",
        "DB_CONNECT_TIMEOUT_MS": "15000",
    }
    server.close()


@pytest.fixture
def silent_resolver(tmp_path):
    """A preloaded library whose getaddrinfo does not return for 60 s."""
    source, library = tmp_path / "silent.c", tmp_path / "silent.so"
    source.write_text("#include <unistd.h>\nint getaddrinfo() { sleep(60); return -2; }\n")
    subprocess.run(["clang", "-shared", "-fPIC", "-o", library, source], check=True)
    return {"DB_HOST": "database.test", "LD_PRELOAD": str(library)}


@pytest.fixture
def held_lock(database):
    """The migration lock, held as by another instance that is migrating."""
    with database.connect() as other:
        other.execute("SELECT pg_advisory_lock(x'6974656D73'::bigint)")
        yield database.environment


@pytest.fixture
def slow_step(database):
    """Makes the first migration take a minute. The superuser's connection does not count as a service connection."""
    with database.cluster.connect(database.name, user="postgres") as admin:
        admin.execute(
            "CREATE FUNCTION wait() RETURNS event_trigger LANGUAGE plpgsql AS "
            "$$ BEGIN IF tg_tag = 'ALTER TABLE' THEN PERFORM pg_sleep(60); END IF; END $$"
        )
        admin.execute("CREATE EVENT TRIGGER wait ON ddl_command_start EXECUTE FUNCTION wait()")
        yield database.environment


@pytest.fixture
def launch_migration():
    migrations = []

    def launch_migration(environment):
        migrations.append(Server(environment, command="migrate"))
        return migrations[-1]

    yield launch_migration
    for migration in migrations:
        if migration.process.poll() is None:
            migration.process.kill()
            migration.process.wait()
        migration.process.stdout.close()
        migration.stderr.close()


def is_sleeping(database):
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND wait_event = 'PgSleep'"
    return database.admin.execute(query, [database.name]).fetchone()[0] == 1


def waits_for_lock(database):
    query = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    return database.admin.execute(query).fetchone()[0]


class TestBeforeTheDatabaseIsThere:
    @pytest.mark.parametrize("situation", ["silent_database", "silent_resolver", "held_lock", "slow_step"])
    def test_live_answers_ready_does_not_and_a_signal_ends_it(self, situation, launch, request):
        server = launch(request.getfixturevalue(situation), WORKERS="3", DRAIN_DELAY_MS="15000")
        server.wait_until_live()
        assert server.get("/health", timeout=3).status_code == 503
        assert server.get("/health/ready", timeout=3).status_code == 503
        assert "Serving" not in [line["msg"] for line in server.logs()]
        assert stopped(server) < PROMPT_SECONDS
        assert "Drained" in [line["msg"] for line in server.logs()]

    def test_an_item_is_answered_503_when_its_wait_is_over(self, silent_database, launch):
        server = launch(silent_database, DB_POOL_TIMEOUT_MS="300").wait_until_live()
        response = server.get("/api/items/1", timeout=2)
        problem(response, 503)
        assert response.headers["Retry-After"] == "1"
        assert stopped(server) < PROMPT_SECONDS

    def test_a_second_signal_ends_it_at_once(self, silent_database, launch):
        server = launch(silent_database).wait_until_live()
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            # The drain waits for this request, which never ends.
            client.sendall(b"POST /api/items HTTP/1.1\r\nHost: items.test\r\nContent-Length: 9\r\n")
            until(lambda: server.get("/health/live").ok)
            server.signal(signal.SIGTERM)
            until(lambda: any("Draining" in line["msg"] for line in server.logs()), 3)
            assert stopped(server, signal.SIGINT, status=1) < 1

    def test_a_migration_that_is_stopped_is_undone_at_the_server(self, slow_step, database, launch):
        server = launch(slow_step).wait_until_live()
        until(lambda: is_sleeping(database))
        stopped(server)
        until(lambda: database.service_connections() == 0, 2, what="the server to cancel the migration")
        with database.connect() as connection:
            made = connection.execute("SELECT to_regclass('items'), to_regclass('items_migrations')").fetchone()
        assert made == (None, None)

    @pytest.mark.parametrize("prepared", ["1", "0"])
    def test_after_a_stop_no_session_waits_for_the_lock_of_the_migrations(
        self, held_lock, database, launch, prepared
    ):
        server = launch(held_lock, WORKERS="4", DB_PREPARED=prepared).wait_until_live()
        until(lambda: waits_for_lock(database) == 1)
        # Further sessions would appear within milliseconds.
        for _ in range(50):
            assert waits_for_lock(database) == 1
            time.sleep(0.01)
        stopped(server)
        until(lambda: waits_for_lock(database) == 0, 2, what="the server to cancel the wait")


def test_systemd_is_asked_for_time_and_notified_when_ready(database, launch, tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager, database.connect() as other:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(10)
        other.execute("SELECT pg_advisory_lock(x'6974656D73'::bigint)")
        server = launch(database.environment, NOTIFY_SOCKET=str(tmp_path / "notify"))
        assert manager.recv(100) == b"EXTEND_TIMEOUT_USEC=30000000"
        until(lambda: waits_for_lock(database) == 1)
        manager.settimeout(0.5)
        with pytest.raises(TimeoutError):
            manager.recv(100)
        other.execute("SELECT pg_advisory_unlock(x'6974656D73'::bigint)")
        manager.settimeout(10)
        assert manager.recv(100) == b"READY=1"
        server.signal(signal.SIGTERM)
        assert manager.recv(100) == b"STOPPING=1"
        server.wait()


def test_the_drain_delay_applies_after_a_successful_health_check_during_the_start(first_connection, launch):
    server = launch(first_connection, DRAIN_DELAY_MS="15000").wait_until_healthy()
    assert "Serving" not in [line["msg"] for line in server.logs()]
    server.signal(signal.SIGTERM)
    drain = until(lambda: [line["msg"] for line in server.logs() if line["msg"].startswith("Drain")])
    assert drain == ["Draining: health checks fail, requests are still served"]
    assert server.get("/health").json()["status"] == "draining"
    stopped(server, status=1)


@contextlib.contextmanager
def notified(address):
    """Yields a service manager's socket, which receives the notifications."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(address)
        manager.settimeout(10)
        yield manager


def words(manager):
    """Returns the notifications that have arrived and were not read yet."""
    told = []
    manager.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            told.append(manager.recv(100))
    return told


@pytest.mark.parametrize("situation", ["silent_database", "held_lock"])
def test_a_service_that_is_stopped_before_it_serves_never_says_that_it_does(situation, launch, request, tmp_path):
    address = str(tmp_path / "notify")
    with notified(address) as manager:
        server = launch(request.getfixturevalue(situation), NOTIFY_SOCKET=address).wait_until_live()
        stopped(server)
        told = words(manager)
    assert b"STOPPING=1" in told and b"READY=1" not in told
    assert "Serving" not in [line["msg"] for line in server.logs()]


def test_systemd_hears_that_the_service_is_alive_twice_within_its_limit(database, launch, tmp_path):
    limit = 6.0
    address = str(tmp_path / "notify")
    with notified(address) as manager:
        launch(database.environment, NOTIFY_SOCKET=address, WATCHDOG_USEC=str(int(limit * 1e6)))
        until(lambda: manager.recv(100) == b"READY=1", what="the start to be over")
        moments = [time.monotonic()]
        while len(moments) < 4:
            assert manager.recv(100) == b"WATCHDOG=1"
            moments.append(time.monotonic())
    assert max(after - before for before, after in zip(moments, moments[1:])) < limit / 2


def test_systemd_is_notified_through_an_abstract_socket(database, launch):
    name = f"items-e2e-{os.getpid()}"
    with notified(f"\0{name}") as manager:
        launch(database.environment, NOTIFY_SOCKET=f"@{name}")
        until(lambda: manager.recv(100) == b"READY=1", what="the start to be over")


def test_systemd_is_asked_for_more_time_before_the_last_extension_ends(held_lock, launch, tmp_path):
    address = str(tmp_path / "notify")
    with notified(address) as manager:
        launch(held_lock, NOTIFY_SOCKET=address)
        manager.settimeout(20)
        asked = []
        for _ in range(2):
            assert manager.recv(100) == b"EXTEND_TIMEOUT_USEC=30000000"
            asked.append(time.monotonic())
    # Two of the notifications may be lost.
    assert asked[1] - asked[0] < 30 / 2


class TestMigrate:
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_a_signal_rolls_the_migration_back(self, slow_step, database, launch_migration, number):
        migration = launch_migration(slow_step)
        until(lambda: is_sleeping(database))
        assert stopped(migration, number, status=1) < PROMPT_SECONDS
        assert "stopped by a signal" in migration.errors()
        until(lambda: database.service_connections() == 0, 2, what="the server to cancel the migration")

    def test_a_signal_ends_it_while_a_name_is_resolved(self, silent_resolver, launch_migration):
        migration = launch_migration(silent_resolver)
        time.sleep(0.5)  # the point of the test: the name is being resolved
        assert migration.process.poll() is None
        assert stopped(migration, status=1) < PROMPT_SECONDS
        assert "stopped by a signal" in migration.errors()

    def test_a_second_signal_ends_it_at_once(self, silent_resolver, launch_migration):
        migration = launch_migration(silent_resolver)
        time.sleep(0.5)  # the point of the test: the name is being resolved
        migration.signal(signal.SIGTERM)
        time.sleep(0.2)  # two pending signals of one number would be delivered as one
        assert stopped(migration, status=1) < 1


def test_a_signal_ends_a_health_check_that_waits(silent):
    check = subprocess.Popen(
        [BINARY, "healthcheck"], env={"PATH": os.environ["PATH"], "HOST": "127.0.0.1", "PORT": str(silent.port)}
    )
    try:
        until(lambda: silent.clients, what="a connection")
        check.terminate()
        assert check.wait(1) == -signal.SIGTERM
    finally:
        check.kill()
        check.wait()


class TestInstanceMetadata:
    def test_is_asked_while_the_service_serves(self, silent, database, launch):
        endpoint = f"http://127.0.0.1:{silent.port}"
        server = launch(database.environment, INSTANCE_ID=None, AWS_EC2_METADATA_SERVICE_ENDPOINT=endpoint)
        until(lambda: silent.clients, what="a connection")
        assert requests.get(server.url + "/health/live", timeout=0.5).ok
        server.wait_until_healthy()
        assert server.get("/").json()["instance_id"] == socket.gethostname()

    def test_is_asked_while_the_database_is_opened(self, loopback, database, launch):  # noqa: F811
        sessions = []

        def answer(_):
            end = time.monotonic() + 0.4
            while not database.service_connections() and time.monotonic() < end:
                time.sleep(0.01)
            sessions.append(database.service_connections())
            return 404, ""

        launch(database.environment, INSTANCE_ID=None, AWS_EC2_METADATA_SERVICE_ENDPOINT=loopback(answer).url)
        until(lambda: any(sessions), what="the database to be opened before the instance is named")

    def test_names_the_process_everywhere(self, loopback, database, launch):  # noqa: F811
        server = launch(
            database.environment, INSTANCE_ID=None, AWS_EC2_METADATA_SERVICE_ENDPOINT=loopback(imds).url
        )
        serving = until(lambda: [line for line in server.logs() if line["msg"] == "Serving"])[0]
        assert serving["instance_id"] == INSTANCE
        assert server.get("/").json()["instance_id"] == INSTANCE
        assert f'service_info{{environment="test",instance_id="{INSTANCE}"}} 1' in server.get("/metrics").text
        server.get("/health/live", headers={"X-Request-Id": "mine"})
        assert server.wait_for_access_log(request_id="mine")["instance_id"] == INSTANCE

    @needs_root
    def test_a_signal_to_the_first_process_of_a_container_is_heard(self, silent, database):
        environment = {
            **database.environment,
            "PATH": os.environ["PATH"],
            "HOST": "127.0.0.1",
            "PORT": "0",
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": f"http://127.0.0.1:{silent.port}",
        }
        outer = subprocess.Popen(
            ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", BINARY, "serve"],
            env=environment,
            stdout=subprocess.DEVNULL,
        )
        try:
            until(lambda: silent.clients, what="a connection")
            children = f"/proc/{outer.pid}/task/{outer.pid}/children"
            with open(children, encoding="ascii") as file:
                inner = int(file.read().split()[0])
            began = time.monotonic()
            os.kill(inner, signal.SIGTERM)
            assert outer.wait(20) == 0
            assert time.monotonic() - began < PROMPT_SECONDS
        finally:
            if outer.poll() is None:
                outer.kill()
                outer.wait()


def test_sighup_does_not_end_the_service(database, launch):
    server = launch(database.environment).wait_until_healthy()
    server.signal(signal.SIGHUP)
    with pytest.raises(subprocess.TimeoutExpired):
        server.process.wait(0.5)
    assert server.get("/health").status_code == 200
