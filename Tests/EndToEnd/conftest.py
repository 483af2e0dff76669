"""What the end-to-end tests stand on: a real PostgreSQL, the release binary, and clients over real sockets.

ITEMS_BINARY names another binary; ITEMS_TEST_DB_HOST and ITEMS_TEST_DB_USER name a cluster that runs already.
"""

import itertools
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

import psycopg
import pytest
import requests
from ports import free_port

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = pathlib.Path(os.environ.get("ITEMS_BINARY", ROOT / ".build/release/items")).resolve()

# The shell becomes the server and keeps its number.
PASSING = 'exec 3<&0 </dev/null; export LISTEN_FDS=1 LISTEN_PID="${LISTEN_PID-$$}"; exec "$0" "$@"'
STOP_SECONDS = 30
START_SECONDS = 20


def until(condition, seconds=10.0, interval=0.02, what="the condition"):
    """Polls until the condition is true, and answers with its value; fails after the given time."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            pytest.fail(f"waited {seconds} s in vain for {what}")
        time.sleep(interval)


def problem(response, status):
    """Asserts that a response is the contract's problem+json with this status, and answers with its body."""
    assert response.status_code == status, response.text
    assert response.headers["Content-Type"].split(";")[0] == "application/problem+json"
    body = response.json()
    assert {"type", "title", "status", "detail", "instance", "request_id"} <= body.keys(), body
    assert body["status"] == status and body["title"] and body["detail"]
    assert body["request_id"] == response.headers["X-Request-Id"]
    return body


def pytest_configure():
    """SIGTERM ends the run as Ctrl-C does, so that every fixture still stops what it started."""
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))


class Cluster:
    """A private PostgreSQL cluster of scripts/cluster, or one that somebody else keeps."""

    def __init__(self, directory=None):
        self.directory = directory
        if directory is None:
            self.host = os.environ["ITEMS_TEST_DB_HOST"]
            self.user = os.environ.get("ITEMS_TEST_DB_USER", "items")
        else:
            # Root's cluster belongs to another user, who has to get there.
            os.chmod(directory, 0o711)
            line = self.script("env")
            self.host = re.search(r"DB_HOST=(\S+)", line)[1]
            self.user = re.search(r"DB_USER=(\S+)", line)[1]

    def script(self, verb, *options):
        run = subprocess.run(
            [ROOT / "scripts/cluster", verb, *options, self.directory], capture_output=True, text=True, timeout=90
        )
        assert run.returncode == 0, run.stderr
        return run.stdout

    def start(self):
        self.script("start", "--fast")

    def stop(self):
        self.script("stop")

    def remove(self):
        self.script("remove")

    def connect(self, database="postgres", user=None):
        return psycopg.connect(host=self.host, user=user or self.user, dbname=database, autocommit=True)

    def environment(self, database):
        return {"DB_HOST": self.host, "DB_USER": self.user, "DB_NAME": database}


class Database:
    """An empty database of a test's own, with a connection that watches it from outside."""

    numbers = itertools.count(1)

    def __init__(self, cluster):
        self.cluster = cluster
        self.name = f"e2e_{os.getpid()}_{next(self.numbers)}"
        self.admin = cluster.connect()
        self.admin.execute(f'CREATE DATABASE "{self.name}"')

    @property
    def environment(self):
        return self.cluster.environment(self.name)

    def connect(self):
        return self.cluster.connect(self.name)

    def service_connections(self):
        """How many connections of a service the server holds; this fixture's own are not in the database."""
        query = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND backend_type = 'client backend'"
        return self.admin.execute(query, [self.name]).fetchone()[0]

    def drop(self):
        until(self._is_dropped, 30, what=f"{self.name} to be left by autovacuum")
        self.admin.close()

    def _is_dropped(self):
        try:
            self.admin.execute(f'DROP DATABASE IF EXISTS "{self.name}" WITH (FORCE)')
        except psycopg.errors.InsufficientPrivilege:  # FORCE may not end an autovacuum worker, which goes by itself
            return False
        return True


class Server:
    """One `items serve` on a free port of 127.0.0.1, and every line it wrote."""

    binary = BINARY

    def __init__(self, environment, command="serve", group=None, listener=None, output=None, wrapper=()):
        """`listener` is passed as a service manager passes it: as descriptor 3 (sd_listen_fds(3)). With `output`, a file, the
        lines go there and are not read here."""
        self.port = listener.getsockname()[1] if listener else free_port()
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOST": "127.0.0.1",
            "PORT": str(self.port),
            "ENVIRONMENT": "test",
            "INSTANCE_ID": "i-0123456789abcdef0",
            "WORKERS": "2",
            "DRAIN_DELAY_MS": "0",
            **environment,
        }
        self.environment = {name: value for name, value in self.environment.items() if value is not None}
        self.port = int(self.environment["PORT"])
        self.url = f"http://127.0.0.1:{self.port}"
        self.lines = []
        self.awaited = False
        self.stderr = tempfile.TemporaryFile()
        arguments = [*wrapper, self.binary, command]
        if listener:
            arguments = ["/bin/sh", "-c", PASSING, *arguments]
        # It is in its group before it begins.
        if group:
            arguments = ["/bin/sh", "-c", 'read -r go && exec "$@" </dev/null', "sh", *arguments]
        self.process = subprocess.Popen(
            arguments,
            env=self.environment,
            stdin=subprocess.PIPE if group else listener or subprocess.DEVNULL,
            stdout=output or subprocess.PIPE,
            stderr=self.stderr,
        )
        if group:
            group.add(self.process.pid)
            self.process.stdin.write(b"go\n")
            self.process.stdin.close()
        self.paused = threading.Event()  # cleared: nobody reads what the server writes
        self.paused.set()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout or []:
            self.lines.append(line)
            self.paused.wait()

    def errors(self):
        self.stderr.seek(0)
        return self.stderr.read().decode(errors="replace")

    def wait_until_live(self):
        live_url = self.url + self.environment.get("BASE_PATH", "") + "/health/live"

        def live():
            assert self.process.poll() is None, f"ended with {self.process.returncode}: {self.errors()}"
            try:
                return requests.get(live_url, timeout=5).status_code == 200
            except requests.ConnectionError:
                return False

        until(live, START_SECONDS, what="the server to listen")
        return self

    def wait_until_healthy(self):
        self.wait_until_live()
        until(lambda: self.get("/health").status_code == 200, START_SECONDS, what="the server to be healthy")
        return self

    def request(self, method, path, **options):
        options.setdefault("timeout", 20)
        return requests.request(method, self.url + path, **options)

    def get(self, path, **options):
        return self.request("GET", path, **options)

    def post(self, path, **options):
        return self.request("POST", path, **options)

    def create(self, name, description=None):
        response = self.post("/api/items", json={"name": name, "description": description})
        assert response.status_code == 201, response.text
        return response.json()

    def logs(self):
        """Every line so far, parsed."""
        return [json.loads(line) for line in list(self.lines)]

    def access_logs(self, **expected):
        """The lines about requests that have these values."""
        found = [line for line in self.logs() if "response_time_ms" in line]
        return [line for line in found if all(line.get(name) == value for name, value in expected.items())]

    def wait_for_access_log(self, **expected):
        return until(lambda: self.access_logs(**expected), 5, what=f"a log line with {expected}")[0]

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, seconds=STOP_SECONDS):
        """Waits for the end, and answers with the exit status. Every line has been read then."""
        self.awaited = True
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            pytest.fail(f"did not stop within {seconds} s")
        self.reader.join(5)
        return status

    def stop(self):
        if self.awaited:
            return
        assert self.process.poll() is None, f"ended by itself with {self.process.returncode}: {self.errors()}"
        self.signal(signal.SIGTERM)
        status = self.wait()
        assert status == 0, f"exit status {status} after SIGTERM: {self.errors()}"


class Wire:
    """One TCP connection, spoken to byte by byte."""

    def __init__(self, server, timeout=10):
        self.socket = socket.create_connection(("127.0.0.1", server.port), timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data.encode() if isinstance(data, str) else data)

    def send_what_it_takes(self, data):
        """For a server that may answer and close before it has read everything."""
        try:
            self.send(data)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def half_close(self):
        self.socket.shutdown(socket.SHUT_WR)

    def _more(self):
        data = self.socket.recv(65536)
        self.buffer += data
        return bool(data)

    def _take(self, count):
        while len(self.buffer) < count:
            assert self._more(), f"the connection closed in the middle of a response: {self.buffer[:200]!r}"
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken

    def read(self, head_only=False):
        """Reads one response, framed as RFC 9112 §6.3 says."""
        while b"\r\n\r\n" not in self.buffer:
            assert self._more(), f"the connection closed before a response: {self.buffer[:200]!r}"
        head = self._take(self.buffer.index(b"\r\n\r\n") + 4)
        status_line, *fields = head[:-4].decode("latin-1").split("\r\n")
        version, status, _ = status_line.split(" ", 2)
        headers = requests.structures.CaseInsensitiveDict()
        for field in fields:
            name, value = field.split(":", 1)
            headers[name] = f"{headers[name]}, {value.strip()}" if name in headers else value.strip()
        status = int(status)
        if head_only or status < 200 or status in (204, 304):
            body = b""
        elif headers.get("Transfer-Encoding", "").lower() == "chunked":
            body = self._chunks()
        elif "Content-Length" in headers:
            body = self._take(int(headers["Content-Length"]))
        else:
            while self._more():
                pass
            body = self._take(len(self.buffer))
        return WireResponse(version, status, headers, body)

    def _chunks(self):
        body = b""
        while True:
            while b"\r\n" not in self.buffer:
                assert self._more()
            size = int(self._take(self.buffer.index(b"\r\n") + 2).split(b";")[0], 16)
            chunk = self._take(size + 2)
            if size == 0:
                return body
            body += chunk[:-2]

    def closed(self, seconds=5):
        """Whether the server closes the connection within this time without another byte."""
        self.socket.settimeout(seconds)
        try:
            return not self.buffer and self.socket.recv(65536) == b""
        except ConnectionResetError:
            return not self.buffer
        except TimeoutError:
            return False


class WireResponse:
    def __init__(self, version, status, headers, body):
        self.version, self.status_code, self.headers, self.body = version, status, headers, body

    @property
    def text(self):
        return self.body.decode()

    def json(self):
        return json.loads(self.body)


def items(*arguments, wrapper=(), **environment):
    """Runs a command of the binary to its end, as an argument of `wrapper` where one is given."""
    environment = {"PATH": os.environ["PATH"], **environment}
    return subprocess.run([*wrapper, BINARY, *arguments], env=environment, capture_output=True, text=True, timeout=30)


@pytest.fixture(scope="session", autouse=True)
def binary():
    assert os.access(BINARY, os.X_OK), f"{BINARY} is missing: make build"
    return BINARY


@pytest.fixture(scope="session")
def cluster():
    """The cluster most tests share."""
    if "ITEMS_TEST_DB_HOST" in os.environ:
        yield Cluster()
        return
    yield from _own_cluster()


@pytest.fixture(scope="module")
def own_cluster():
    """A running cluster that a test may stop, as long as it starts it again."""
    yield from _own_cluster()


def _own_cluster():
    directory = tempfile.mkdtemp(prefix="items-e2e.", dir="/tmp")
    cluster = Cluster(directory)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.remove()
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def database(cluster):
    database = Database(cluster)
    yield database
    database.drop()


@pytest.fixture(scope="module")
def module_database(cluster):
    database = Database(cluster)
    yield database
    database.drop()


@pytest.fixture
def launch():
    """Starts servers: launch(environment) returns at once. Each is stopped in the end and has to exit 0."""
    servers = []

    def launch(environment=None, listener=None, wrapper=(), **more):
        servers.append(Server({**(environment or {}), **more}, listener=listener, wrapper=wrapper))
        return servers[-1]

    yield launch
    stop_all(servers)


@pytest.fixture(scope="module")
def server(module_database):
    """A healthy server that the tests of a module share."""
    server = Server(module_database.environment)
    try:
        yield server.wait_until_healthy()
    finally:
        stop_all([server])


def stop_all(servers):
    failures = []
    for server in servers:
        try:
            server.stop()
        except BaseException as failure:  # the others have to end as well
            failures.append(failure)
        finally:
            if server.process.poll() is None:
                server.process.kill()
                server.process.wait()
            server.reader.join(5)
            server.process.stdout.close()
            server.stderr.close()
    if failures:
        raise failures[0]
