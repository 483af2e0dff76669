"""Whatever clients do, the server stays below its cgroup's memory limit, serves the others, and frees the memory.

Each test once made the kernel kill the process.
"""

import concurrent.futures
import re
import socket
import threading
import time

import pytest
from cgroup import memory_group  # noqa: F401: a fixture
from unkind import HOST, POST_JSON, sample

from support.server import Server, stop_all
from support.waiting import until
from support.wire import Wire

MEBIBYTE = 1 << 20
RETURN_SECONDS = 30
RETURN_KIB = 5 * 1024
# The grown buffer of a connection counts against the budget until the connection is closed.
RELEASE_SECONDS = 20
# The number of bodies that fit at a time depends on their speed. A client that waits 1 s has most of
# the memory to itself.
MOST_REFUSALS = 20
PAGE = f"GET /api/items?limit=1000 HTTP/1.1\r\n{HOST}\r\n"


def anonymous_kib(server):
    """Returns 0 for a process that has ended."""
    with open(f"/proc/{server.process.pid}/status") as status:
        found = re.search(r"RssAnon:\s+(\d+) kB", status.read())
    return int(found[1]) if found else 0


class Watch:
    """Measures a server's memory during an attack, and whether its other clients are served meanwhile."""

    def __init__(self, server, group, writes=True):
        self.server, self.group, self.writes = server, group, writes
        self.item = server.create("Neighbour", "small")
        for _ in range(200):
            server.get("/api/items?limit=3")
        self.before = self.peak = anonymous_kib(server)
        self.served, self.failures, self.slowest = 0, [], 0.0
        self.ended = threading.Event()
        self.threads = [threading.Thread(target=target, daemon=True) for target in (self._measure, self._neighbour)]

    def _measure(self):
        while not self.ended.wait(0.01):
            self.peak = max(self.peak, anonymous_kib(self.server))

    def _neighbour(self):
        """Sends small requests, each on a new connection."""
        while not self.ended.wait(0.02):
            began = time.monotonic()
            try:
                statuses = [self.server.get(f"/api/items/{self.item['id']}", timeout=15).status_code]
                if self.writes:
                    small = {"name": "Neighbour", "description": "d" * 100}
                    statuses.append(self.server.post("/api/items", json=small, timeout=15).status_code - 1)
                self.served += statuses == [200] * len(statuses)
                if any(status != 200 for status in statuses):
                    self.failures.append(statuses)
            except OSError as failure:
                self.failures.append(failure)
            self.slowest = max(self.slowest, time.monotonic() - began)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, kind, *_):
        self.ended.set()
        for thread in self.threads:
            thread.join(20)
        if kind is None:
            self.check()

    def check(self):
        assert self.server.process.poll() is None, "the process has ended"
        assert self.group.kills() == 0
        errors = {line["error"] for line in self.server.logs() if "error" in line}
        assert self.failures == [], errors
        assert self.served >= 5
        began = time.monotonic()
        until(
            lambda: anonymous_kib(self.server) < self.before + RETURN_KIB,
            RETURN_SECONDS,
            0.1,
            f"{self.peak} KiB to fall to {self.before} again, not {anonymous_kib(self.server)}",
        )
        print(
            f"KiB before {self.before}, peak {self.peak}, after {anonymous_kib(self.server)} in"
            f" {time.monotonic() - began:.1f} s; neighbours served {self.served}, slowest {self.slowest:.2f} s"
        )
        until(
            lambda: used(self.server) < 64 * 1024,
            RELEASE_SECONDS,
            what=f"the last of {used(self.server)} bytes to be released",
        )


def used(server):
    return float(re.search(r"^memory_budget_used_bytes (\S+)", server.get("/metrics").text, re.MULTILINE)[1])


@pytest.fixture
def launch_within(memory_group):  # noqa: F811: the fixture
    """Returns a factory of healthy servers within a memory limit: launch_within(mebibytes, environment)."""
    servers = []

    def launch(mebibytes, environment):
        group = memory_group(mebibytes)
        servers.append(Server(environment, group=group))
        return servers[-1].wait_until_healthy(), group

    yield launch
    stop_all(servers)


def fill(database, character, count):
    with database.connect() as connection:
        connection.execute(
            "INSERT INTO items (name, description) SELECT 'Long', repeat(chr(%s), 10000) FROM generate_series(1, %s)",
            [character, count],
        )


def keyed_create(server, key):
    """Sends one keyed create with a body of 1 MiB on a new connection, and returns the response."""
    item = b'{"name": "large", "description": "' + b"d" * 10_000 + b'"'
    body = item + b" " * (MEBIBYTE - len(item) - 1) + b"}"
    with Wire(server, timeout=60) as wire:
        wire.send_what_it_takes(f"{POST_JSON}Idempotency-Key: {key}\r\nContent-Length: {len(body)}\r\n\r\n")
        wire.send_what_it_takes(body)
        return wire.read()


def created_in_the_end(server, key):
    """Repeats a keyed create as Retry-After requests until it succeeds; returns the number of refusals."""
    for refusals in range(MOST_REFUSALS):
        answer = keyed_create(server, key)
        if answer.status_code == 201:
            return refusals
        assert answer.status_code == 503
        assert answer.headers["Retry-After"] == "1"
        time.sleep(1)
    pytest.fail(f"{key} was refused {MOST_REFUSALS} times")


def together(count, action):
    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        return list(pool.map(action, range(count)))


def page(server):
    with Wire(server, timeout=60) as wire:
        wire.send(PAGE)
        return wire.read()


def test_two_long_pages_at_once(database, launch_within):
    server, group = launch_within(64, database.environment)
    fill(database, 0x1F600, 1000)
    with Watch(server, group):
        for _ in range(20):
            for answer in together(2, lambda _: page(server)):
                assert answer.status_code == 200
                assert len(answer.json()["items"]) > 20


def test_clients_with_large_keyed_creates(database, launch_within):
    server, group = launch_within(64, database.environment)
    with Watch(server, group):
        together(64, lambda client: [created_in_the_end(server, f"{client}-{turn}") for turn in range(3)])
    with database.connect() as connection:
        assert connection.execute("SELECT count(*) FROM items WHERE name = 'large'").fetchone()[0] == 64 * 3


def test_clients_that_do_not_read_pages_that_grow_sixfold(database, launch_within):
    server, group = launch_within(256, {**database.environment, "WRITE_TIMEOUT_MS": "5000"})
    fill(database, 1, 1000)
    with Watch(server, group):
        wires = [Wire(server, timeout=60) for _ in range(45)]
        for wire in wires:
            wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            wire.send(PAGE)
        time.sleep(8)
        for wire in wires:
            wire.socket.close()


def test_many_pages_that_grow_sixfold(database, launch_within):
    server, group = launch_within(256, database.environment)
    fill(database, 1, 1000)
    with Watch(server, group):
        for _ in range(6):
            for answer in together(16, lambda _: page(server)):
                assert answer.status_code == 200
                assert len(answer.body) < MEBIBYTE + 100_000


def test_large_keyed_creates_behind_a_locked_table(database, launch_within):
    patience = {"DB_POOL_TIMEOUT_MS": "40000", "DB_STATEMENT_TIMEOUT_MS": "40000", "REQUEST_TIMEOUT_MS": "90000"}
    server, group = launch_within(256, {**database.environment, **patience})

    def all_wait():
        """Returns whether all 128 creates wait, almost four times the number of bodies that fit: waiting requests
        release their bodies."""
        waiting = sample(server, "http_requests_in_flight") == 128 + 1
        return waiting and used(server) < 8 * MEBIBYTE

    with database.connect() as connection, connection.transaction():
        watch = Watch(server, group, writes=False)
        connection.execute("LOCK TABLE items IN SHARE ROW EXCLUSIVE MODE")
        with concurrent.futures.ThreadPoolExecutor(128) as pool:
            creates = [pool.submit(created_in_the_end, server, f"locked-{client}") for client in range(128)]
            until(all_wait, 30, 0.1, "all creates to wait for the table")
            watch.peak = max(watch.peak, anonymous_kib(server))
            connection.execute("COMMIT")
            connection.execute("BEGIN")
            with watch:
                for create in creates:
                    create.result()
                time.sleep(0.5)


@pytest.mark.parametrize(
    "body",
    [
        b'{"name": "\\u0061", "more": [' + b"0," * 520_000 + b"0]}",
        b'{"name": "\\u0061", "more": {"more": [' + b'{"a":[]},' * 115_000 + b"0]}}",
        b"[" + b"0," * 520_000 + b"0]",
        b'{"name": "\\u0061", "description": "' + b"\\u0061" * 170_000 + b'"}',
    ],
    ids=["numbers", "brackets", "array", "escapes"],
)
def test_bodies_that_are_expensive_to_decode(database, launch_within, body):
    server, group = launch_within(64, database.environment)

    def post(_):
        with Wire(server, timeout=60) as wire:
            wire.send_what_it_takes(f"{POST_JSON}Content-Length: {len(body)}\r\n\r\n")
            wire.send_what_it_takes(body)
            return wire.read().status_code

    with Watch(server, group):
        statuses = [status for _ in range(8) for status in together(8, post)]
    assert set(statuses) <= {201, 422, 503}
    assert 201 in statuses or 422 in statuses


def test_bodies_that_lack_their_last_byte(database, launch_within):
    server, group = launch_within(256, {**database.environment, "BODY_TIMEOUT_MS": "5000"})
    with Watch(server, group):
        wires = [Wire(server, timeout=60) for _ in range(100)]

        def send(index):
            wires[index].send_what_it_takes(f"{POST_JSON}Content-Length: {MEBIBYTE}\r\n\r\n" + "x" * (MEBIBYTE - 1))

        together(100, send)
        statuses = [wire.read().status_code for wire in wires]
        for wire in wires:
            wire.socket.close()
    assert set(statuses) <= {408, 503}
    assert 408 in statuses
