"""Floods of clients or requests: their cost is bounded, and other clients are served meanwhile."""

import contextlib
import datetime
import re
import resource
import signal
import socket
import threading
import time

import pytest
import requests
from unkind import (
    HOST,
    LIVE,
    POST_JSON,
    Drip,
    Flood,
    descriptors,
    narrow,
    private_kib,
    reset,
    sample,
    slowest_answer,
    until_alone,
)

from support.database import Database
from support.server import items
from support.waiting import until
from support.wire import Wire

CROWD = 10_000
CROWD_KIB = 100 * 1024
IP_BIND_ADDRESS_NO_PORT = 24  # defined by Linux, but not by the socket module
SPARE_DESCRIPTORS = 300  # used by the server itself and by the test itself
NO_DESCRIPTOR = "No descriptor is left: accepting pauses"
LIMIT_REACHED = "Connection limit reached: idle connections are given up, or clients wait"


@pytest.fixture
def crowd():
    """Returns the number of connections that the descriptor limit allows, at most CROWD."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        yield min(CROWD, hard - SPARE_DESCRIPTORS)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def connections(server, count):
    """Opens connections from eight addresses: the ports of one may not suffice."""
    opened = []
    try:
        for number in range(count):
            client = socket.socket()
            opened.append(client)
            client.settimeout(10)
            # Without the option, bind chooses a port that is then in use on every other address as well.
            client.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
            client.bind((f"127.0.0.{2 + number % 8}", 0))
            client.connect(("127.0.0.1", server.port))
        return opened
    except BaseException:
        close(opened)
        raise


def close(clients):
    """Closes with RST, so that thousands of ports do not stay in TIME_WAIT."""
    for client in clients:
        reset(client)


def seconds_between(line, later):
    began, ended = (datetime.datetime.fromisoformat(one["timestamp"]) for one in (line, later))
    return (ended - began).total_seconds()


def told(server, message):
    return [line for line in server.logs() if line["msg"] == message]


@pytest.mark.alone
class TestIdleConnections:
    def test_use_little_memory_and_do_not_delay_others(self, database, launch, crowd):
        server = launch(database.environment, MAX_CONNECTIONS="20000", ACCESS_LOG="0").wait_until_healthy()
        before = private_kib(server)
        clients = connections(server, crowd)
        try:
            for client in clients:
                client.sendall(LIVE.encode())
            for client in clients:
                assert client.recv(4096).startswith(b"HTTP/1.1 200 ")
            assert sample(server, "http_connections_open") == crowd + 1
            cost = private_kib(server) - before
            slowest = slowest_answer(server, 1)
        finally:
            close(clients)
        assert cost < CROWD_KIB * crowd / CROWD, f"{cost} KiB for {crowd}"
        assert slowest < 0.25, f"a request took {slowest:.3f} s among {crowd} idle connections"
        until_alone(server)
        if crowd < CROWD:
            pytest.skip(f"held with {crowd} connections only: RLIMIT_NOFILE allows no more here")


@pytest.mark.alone
class TestAWaveOfRequests:
    def test_is_answered_to_the_last_one(self, database, launch, crowd):
        server = launch(database.environment, MAX_CONNECTIONS="20000", ACCESS_LOG="0", WORKERS="1").wait_until_healthy()
        request = f"GET /api/items/{server.create('Wave')['id']} HTTP/1.1\r\n{HOST}\r\n".encode()
        clients = connections(server, crowd)
        try:
            for _ in range(3):
                for client in clients:
                    client.sendall(request)
                answers = {client.recv(4096)[:13] for client in clients}
                # Requests above the limit of callers waiting for the database are refused.
                assert answers <= {b"HTTP/1.1 200 ", b"HTTP/1.1 503 "}
            assert sample(server, "http_requests_in_flight") == 1
        finally:
            close(clients)


class TestTheConnectionLimit:
    @pytest.mark.parametrize("workers", ["1", "2"])
    def test_gives_up_the_connections_that_are_idle_longest(self, database, launch, workers):
        server = launch(database.environment, MAX_CONNECTIONS="30", WORKERS=workers).wait_until_healthy()
        begun = Wire(server)
        begun.send(LIVE[:-2])
        busy, idle = Wire(server), []
        try:
            for _ in range(100):
                idle.append(Wire(server))
                for wire in (idle[-1], busy):
                    wire.send(LIVE)
                    assert wire.read().status_code == 200
            began = time.monotonic()
            assert server.get("/health", timeout=5).status_code == 200
            assert time.monotonic() - began < 3, "the health check waited for a place"
            begun.send(LIVE[-2:])
            assert begun.read().status_code == 200, "a connection with a request in flight was closed"
            assert idle[0].closed(1) and not idle[-1].closed(0.1)
        finally:
            close([wire.socket for wire in [begun, busy, *idle]])
        assert {line["limit"] for line in told(server, LIMIT_REACHED)} == {30}

    def test_lets_further_clients_wait_until_a_place_is_free(self, database, launch):
        server = launch(database.environment, MAX_CONNECTIONS="8", WORKERS="1").wait_until_healthy()
        inside = [Wire(server) for _ in range(8)]
        outside = []
        try:
            for wire in inside:
                wire.send(LIVE[:-2])
            outside += [Wire(server) for _ in range(5)]
            for number, wire in enumerate(outside):
                wire.send(f"GET /outside/{number} HTTP/1.1\r\n{HOST}Connection: close\r\n\r\n")
            until(lambda: told(server, LIMIT_REACHED), what="the line about the limit")
            inside[0].send(LIVE[-2:])
            assert inside[0].read().status_code == 200, "an accepted connection was not served"
            inside[0].send(LIVE[:-2])
            assert server.access_logs(route="unmatched") == [], "a queued client was accepted"
            inside.pop().socket.close()
            for wire in outside:
                assert wire.read().status_code == 404
                wire.socket.close()
        finally:
            for wire in inside + outside:
                wire.socket.close()
        assert server.get("/health").status_code == 200
        assert [(line["level"], line["limit"]) for line in told(server, LIMIT_REACHED)] == [("WARNING", 8)]

    def test_is_logged_once_while_clients_come_and_go(self, database, launch):
        server = launch(database.environment, MAX_CONNECTIONS="8", WORKERS="1").wait_until_healthy()
        come_and_go(server, standing=12, seconds=2)
        assert server.get("/health").status_code == 200
        assert len(told(server, LIMIT_REACHED)) == 1


def come_and_go(server, standing, seconds):
    """Opens and closes connections so that `standing` of them are open at any time."""
    clients, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        clients.append(socket.create_connection(("127.0.0.1", server.port), timeout=5))
        if len(clients) > standing:
            clients.pop(0).close()
        time.sleep(0.005)
    close(clients)


class TestAServerWithoutDescriptors:
    WORKERS = 2

    @pytest.fixture
    def server(self, database, launch):
        """A server that can open ten more descriptors."""
        server = launch(
            database.environment, WORKERS=str(self.WORKERS), DB_POOL_MIN="4", DB_POOL_MAX="4", DRAIN_TIMEOUT_MS="3000"
        ).wait_until_healthy()
        until(lambda: server.get("/db").json()["pool"]["open"] == 4, what="the pool to be complete")
        until_alone(server)
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (descriptors(server) + 10, hard))
        return server

    def serves_again(self, server):
        def is_healthy():
            try:
                return server.get("/health").json()["status"] == "healthy"
            except requests.ConnectionError:
                return False  # closed with the others

        # Each loop has an accept queue of its own, and a client may be assigned to any of them.
        until(lambda: all(is_healthy() for _ in range(10)), what="the server to accept again")
        until_alone(server)
        assert 1 <= len(told(server, NO_DESCRIPTOR)) <= self.WORKERS, "at most one line per event loop"
        assert server.errors() == ""

    def test_survives_a_flood_of_clients(self, server):
        before = descriptors(server)
        with Wire(server) as inside:
            inside.send(LIVE)
            assert inside.read().status_code == 200
            clients = connections(server, 100)
            try:
                until(lambda: told(server, NO_DESCRIPTOR), what="the line about descriptors")
                for path in ("/health", "/api/items"):
                    inside.send(f"GET {path} HTTP/1.1\r\n{HOST}\r\n")
                    assert inside.read().status_code == 200, "an accepted connection was not served"
                assert server.process.poll() is None
            finally:
                close(clients)
        self.serves_again(server)
        until(lambda: descriptors(server) <= before, what="every descriptor to be closed")

    def test_does_not_fill_the_log_when_clients_come_and_go(self, server):
        come_and_go(server, standing=40, seconds=2)
        self.serves_again(server)

    def test_closes_idle_connections_for_new_clients_and_counts_each_once(self, server):
        idle = connections(server, 8)
        try:
            time.sleep(1.2)  # the point of the test: idle connections keep their places for 1 s
            with contextlib.ExitStack() as stack:
                for _ in range(6):
                    client = stack.enter_context(Wire(server))
                    client.send(LIVE)
                    assert client.read().status_code == 200
        finally:
            close(idle)
        self.serves_again(server)
        server.stop()
        assert not told(server, "Drain timed out: connections are cut"), "the drain timed out without a connection"


def limited(command):
    """Returns the wrapper that runs a program after a shell command."""
    return ["/bin/sh", "-c", f'{command} && exec "$@"', "sh"]


class TestALowLimitOfDescriptors:
    def test_is_raised_to_the_hard_one(self, database, launch):
        server = launch(database.environment, wrapper=limited("ulimit -S -n 64")).wait_until_healthy()
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        assert sample(server, "process_max_fds") == hard
        assert not [line for line in server.logs() if "MAX_CONNECTIONS" in line["msg"]]

    def test_lowers_the_connection_limit_and_says_so(self, database, launch):
        server = launch(database.environment, wrapper=limited("ulimit -n 200")).wait_until_healthy()
        (warning,) = [line for line in server.logs() if "MAX_CONNECTIONS is lowered" in line["msg"]]
        assert warning["level"] == "WARNING"
        lowered, limit, kept = map(int, re.search(r"to (\d+): (\d+) .* (\d+) are kept", warning["msg"]).groups())
        assert limit == 200 and lowered + kept == limit
        clients = connections(server, 300)
        try:
            for client in clients:
                client.sendall(LIVE.encode())
            until(lambda: told(server, LIMIT_REACHED), what="the limit to be reached")
            assert told(server, LIMIT_REACHED)[0]["limit"] == lowered
            assert server.get("/health", timeout=15).status_code == 200
        finally:
            close(clients)
        assert told(server, NO_DESCRIPTOR) == []

    def test_reserves_descriptors_for_the_database(self, own_cluster, launch):
        server = launch(Database(own_cluster).environment, wrapper=limited("ulimit -n 64")).wait_until_healthy()
        clients = connections(server, 120)
        try:
            for client in clients:
                client.sendall(LIVE.encode())
            own_cluster.stop()
            try:
                time.sleep(3)  # the point of the test: clients take the descriptors that the pool had
            finally:
                own_cluster.start()
            until(lambda: server.get("/health", timeout=20).status_code == 200, 30, what="the database to be back")
            assert told(server, NO_DESCRIPTOR) == []
        finally:
            close(clients)

    def test_that_is_too_low_ends_the_start(self, database):
        run = items("serve", wrapper=limited("ulimit -n 30"), PORT="0", HOST="127.0.0.1", **database.environment)
        assert run.returncode == 1
        assert re.search(r"30 descriptors may be open \(RLIMIT_NOFILE\), and at least \d+ are needed", run.stdout)


@pytest.mark.alone
class TestPipelinedRequests:
    @pytest.fixture
    def server(self, database, launch):
        server = launch(database.environment, WORKERS="1", ACCESS_LOG="0").wait_until_healthy()
        server.create("Large", "d" * 10_000)
        return server

    def test_wait_in_the_client_until_it_reads(self, server):
        count, before = 5000, private_kib(server)
        client = narrow(server)
        requests = "".join(
            f"GET /api/items HTTP/1.1\r\n{HOST}X-Request-Id: flood-{number}\r\n\r\n" for number in range(count)
        )
        sender = threading.Thread(target=client.sendall, args=[requests.encode()], daemon=True)
        client.settimeout(60)
        sender.start()
        try:
            assert slowest_answer(server, 1) < 0.5
            cost = private_kib(server) - before
            assert cost < 8 * 1024, f"{cost} KiB for responses that are not read; all of them are 50 MB"
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            wire = object.__new__(Wire)
            wire.socket, wire.buffer = client, b""
            for number in range(count):
                response = wire.read()
                assert response.status_code == 200 and response.headers["X-Request-Id"] == f"flood-{number}"
            sender.join(5)
        finally:
            reset(client)
        until_alone(server)

    @pytest.mark.parametrize("path", ["/health/live", "/metrics", "/api/items", "/nowhere"])
    def test_of_a_client_that_reads_at_full_speed_do_not_delay_others(self, server, path):
        with Flood(server, f"GET {path} HTTP/1.1\r\n{HOST}\r\n") as flood:
            until(lambda: flood.received > 1 << 20, what="the flood to be served")
            slowest = slowest_answer(server, 1.5)
            received = flood.received
            until(lambda: flood.received > received, what="the flood to be served meanwhile")
        assert slowest < 0.5, f"another client waited {slowest:.3f} s"
        until_alone(server)

    def test_that_are_split_across_packets_take_no_memory(self, server):
        request = f"GET /health/live HTTP/1.1\r\n{HOST}X-Padding: {'x' * 7000}\r\n\r\n".encode()
        before = private_kib(server)
        with Wire(server) as wire:
            wire.send(request[:1])
            for _ in range(4000):
                wire.send(request[1:] + request[:1])
                assert wire.read().status_code == 200
            cost = private_kib(server) - before
        assert cost < 8 * 1024, f"{cost} KiB after 28 MB of requests"


class TestAPauseOfTheMachine:
    def test_loses_no_request_that_came_in_time(self, database, launch):
        timeouts = {name: "3000" for name in ("KEEPALIVE_TIMEOUT_MS", "HEADER_TIMEOUT_MS", "BODY_TIMEOUT_MS")}
        server = launch(database.environment, **timeouts).wait_until_healthy()
        idle, begun = [Wire(server) for _ in range(20)], [Wire(server) for _ in range(20)]
        body = '{"name":"Paused"}'
        for wire in idle:
            wire.send(LIVE)
            assert wire.read().status_code == 200
        for wire in begun:
            wire.send(f"{POST_JSON}Content-Length: {len(body)}\r\n\r\n{body[:5]}")
        server.signal(signal.SIGSTOP)
        try:
            for wire in idle:
                wire.send(LIVE)
            for wire in begun:
                wire.send(body[5:])
            time.sleep(3.5)  # the point of the test: every deadline passes
        finally:
            server.signal(signal.SIGCONT)
        assert [wire.read().status_code for wire in idle] == [200] * 20
        assert [wire.read().status_code for wire in begun] == [201] * 20
        for wire in idle + begun:
            wire.socket.close()


class TestADrain:
    @pytest.mark.alone
    def test_ends_in_time_whatever_clients_hold(self, database, launch):
        server = launch(database.environment, DRAIN_TIMEOUT_MS="1000").wait_until_healthy()
        for number in range(20):
            server.create(f"Large {number}", "d" * 10_000)
        silent, head, body, refused = (Wire(server) for _ in range(4))
        deaf = narrow(server)
        head.send("GET /")
        body.send(f"{POST_JSON}Content-Length: 100000\r\n\r\n{{")
        refused.send("nonsense\r\n\r\n")
        deaf.sendall(f"GET /api/items HTTP/1.1\r\n{HOST}\r\n".encode() * 100)
        with Flood(server, LIVE) as flood, Drip(head), Drip(body), Drip(refused):
            until(lambda: flood.received > 1 << 20, what="the flood to be served")
            server.signal(signal.SIGTERM)
            assert server.wait() == 0
        close([silent.socket, head.socket, body.socket, refused.socket, deaf])
        (closing,) = told(server, "Draining: no new connections, requests in flight finish")
        (cut,) = told(server, "Drain timed out: connections are cut")
        (drained,) = told(server, "Drained")
        # At least the one within the head, the one within the body and the one that does not read.
        assert 3 <= cut["open_connections"] <= 6
        assert 0.95 < seconds_between(closing, cut) < 2
        assert seconds_between(cut, drained) < 0.5, "a connection was not closed at the time limit"
        assert server.errors() == ""

    def test_serves_clients_that_waited_for_a_place(self, database, launch):
        server = launch(database.environment, MAX_CONNECTIONS="4", WORKERS="1").wait_until_healthy()
        idle = [Wire(server) for _ in range(4)]
        for wire in idle:
            wire.send(LIVE)
            assert wire.read().status_code == 200
        waiting = [Wire(server) for _ in range(6)]
        for wire in waiting:
            wire.send(LIVE)
        server.signal(signal.SIGTERM)
        for wire in waiting:
            response = wire.read()
            assert response.status_code == 200 and response.headers["Connection"] == "close"
            wire.socket.close()
        assert server.wait() == 0
        close([wire.socket for wire in idle])
