"""Signals: the drain, its delay, its time limit, and the second signal."""

import json
import os
import signal
import socket
import subprocess
import tempfile
import threading
import time

import pytest
import requests
from unkind import HOST, POST_JSON, narrow

from support.client import Client
from support.project import BINARY
from support.server import items
from support.waiting import until
from support.wire import Wire


class Writer(Client):
    """Sends one create, three lists, and so on."""

    def request(self, connection):
        if self.answers % 4:
            connection.request("GET", "/api/items?limit=5")
        else:
            body = json.dumps({"name": f"{self.name} {self.answers}"})
            connection.request("POST", "/api/items", body, {"Content-Type": "application/json"})


def draining(server):
    response = server.get("/health")
    return response.status_code == 503 and response.json()["status"] == "draining"


def test_sigterm_under_load_fails_no_request(database, launch):
    server = launch(database.environment, DRAIN_DELAY_MS="1500").wait_until_healthy()
    clients = [Writer(server.port) for _ in range(12)]
    for client in clients:
        client.start()
    until(lambda: all(client.answers > 20 for client in clients))
    began = time.monotonic()
    server.signal(signal.SIGTERM)
    until(lambda: draining(server), 1)

    # New connections are served until the load balancer has deregistered the target.
    with Wire(server) as wire:
        wire.send(f"GET /api/items HTTP/1.1\r\n{HOST}\r\n")
        response = wire.read()
        assert response.status_code == 200 and response.headers["Connection"].lower() == "close"
        assert wire.closed()
    assert server.get("/health/ready").status_code == 503
    assert server.get("/health/live").status_code == 200
    until(lambda: all(client.closes > 3 for client in clients), 1, what="Connection: close on every connection")

    for client in clients:
        client.enough.set()
    for client in clients:
        client.join(10)
    assert server.wait() == 0
    assert time.monotonic() - began > 1.4, "the delay was cut short"
    assert [failure for client in clients for failure in client.failures] == []
    assert all(line["status"] < 500 for line in server.access_logs() if not line["path"].startswith("/health"))


def test_a_request_in_flight_is_finished(database, launch):
    server = launch(database.environment).wait_until_healthy()
    body = json.dumps({"name": "In flight"})
    with Wire(server) as wire:
        wire.send(f"{POST_JSON}Content-Length: {len(body)}\r\n\r\n{body[:5]}")
        until(lambda: requests.get(f"{server.url}/health/live", timeout=5).ok)
        server.signal(signal.SIGTERM)
        time.sleep(0.3)  # the point of the test: the rest arrives after the drain has begun
        wire.send(body[5:])
        response = wire.read()
        assert response.status_code == 201 and response.headers["Connection"].lower() == "close"
        assert wire.closed()
    assert server.wait() == 0


def test_an_idle_connection_does_not_hold_the_server(database, launch):
    server = launch(database.environment).wait_until_healthy()
    with Wire(server) as idle, Wire(server) as silent:
        idle.send(f"GET /health/live HTTP/1.1\r\n{HOST}\r\n")
        assert idle.read().status_code == 200
        began = time.monotonic()
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
        assert time.monotonic() - began < 5
        assert idle.closed() and silent.closed()


def test_a_client_that_never_finishes_is_closed_at_the_drain_timeout(database, launch):
    server = launch(database.environment, DRAIN_TIMEOUT_MS="700").wait_until_healthy()
    with Wire(server) as wire:
        wire.send(f"{POST_JSON}Content-Length: 10\r\n\r\n{{")
        until(lambda: server.get("/health/live").status_code == 200)
        began = time.monotonic()
        server.signal(signal.SIGTERM)
        status = server.wait()
        assert time.monotonic() - began < 4
        assert status in (0, 1)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_stops_at_once(database, launch, number):
    server = launch(database.environment, DRAIN_DELAY_MS="15000").wait_until_healthy()
    server.signal(signal.SIGTERM)
    until(lambda: draining(server), 2)
    began = time.monotonic()
    server.signal(number)
    assert server.wait() == 1
    assert time.monotonic() - began < 2


def test_sigint_skips_the_delay(database, launch):
    server = launch(database.environment, DRAIN_DELAY_MS="15000").wait_until_healthy()
    began = time.monotonic()
    server.signal(signal.SIGINT)
    assert server.wait() == 0
    assert time.monotonic() - began < 3


def test_a_signal_before_the_database_answers_ends_the_start(database, launch, tmp_path):
    server = launch({**database.environment, "DB_HOST": str(tmp_path)}).wait_until_live()
    began = time.monotonic()
    server.signal(signal.SIGTERM)
    assert server.wait() == 0
    assert time.monotonic() - began < 6


class Recorder:
    """A proxy on the database's socket that keeps the last five bytes each connection of the service sent."""

    def __init__(self, directory, database):
        self.server = f"{database.environment['DB_HOST']}/.s.PGSQL.5432"
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(f"{directory}/.s.PGSQL.5432")
        self.listener.listen()
        self.ends = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            server.connect(self.server)
            threading.Thread(target=self._pass, args=[server, client], daemon=True).start()
            threading.Thread(target=self._record, args=[client, server], daemon=True).start()

    def _record(self, client, server):
        self.ends.append(self._pass(client, server))

    def _pass(self, source, target):
        last = b""
        try:
            while data := source.recv(65536):
                last = (last + data)[-5:]
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # the peer has closed
        return last


def test_connections_to_the_database_are_ended_in_order(database, launch):
    # The kernel closes the sockets in any case, so the test checks that the service sent Terminate (PostgreSQL
    # documentation §55.7).
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:
        recorder = Recorder(directory, database)
        server = launch(database.environment, DB_HOST=directory, DB_POOL_MIN="3").wait_until_healthy()
        until(lambda: server.get("/db").json()["pool"]["open"] == 3)
        server.stop()
        until(lambda: len(recorder.ends) >= 3, what="the connections to end")
        recorder.listener.close()
    assert set(recorder.ends) == {b"X\0\0\0\4"}
    until(lambda: database.service_connections() == 0)


def test_a_full_server_with_clients_in_the_queue_ends_in_time(database, launch):
    server = launch(database.environment, MAX_CONNECTIONS="6", DRAIN_TIMEOUT_MS="1500").wait_until_healthy()
    inside = [Wire(server) for _ in range(6)]
    for wire in inside:
        wire.send(f"GET /health/live HTTP/1.1\r\n{HOST}")
    # Half a request head each, so that no connection counts as idle.
    until(lambda: any("Connection limit" in line["msg"] for line in _with_another(server)), what="the limit")
    queued = [Wire(server) for _ in range(20)]
    for wire in queued:
        wire.send(f"GET /health/live HTTP/1.1\r\n{HOST}\r\n")
    began = time.monotonic()
    server.signal(signal.SIGTERM)
    # One client completes its head meanwhile: it is answered, and so is the queued client that takes its place.
    inside[0].send("\r\n")
    assert inside[0].read().status_code == 200
    assert server.wait() == 0
    elapsed = time.monotonic() - began
    assert 1.4 < elapsed < 3.5, f"{elapsed:.1f} s"
    (cut,) = [line for line in server.logs() if line["msg"].startswith("Drain timed out")]
    assert 5 <= cut["open_connections"] <= 6
    for wire in inside + queued:
        wire.socket.close()


def _with_another(server):
    """Returns the log lines after one more client was queued for 50 ms."""
    with Wire(server):
        time.sleep(0.05)
    return server.logs()


def test_a_client_that_reads_slowly_gets_its_answer_to_the_end(database, launch):
    server = launch(database.environment, DRAIN_TIMEOUT_MS="10000").wait_until_healthy()
    for number in range(20):
        server.create(f"Large {number}", "d" * 10_000)
    client = narrow(server, window=4096)
    client.sendall(f"GET /api/items HTTP/1.1\r\n{HOST}\r\n".encode())
    server.wait_for_access_log(path="/api/items", method="GET")
    server.signal(signal.SIGTERM)
    # The kernel may hold the whole response by now. The process must stay until it has been sent: a container's network
    # ends with its process.
    received = b""
    while data := client.recv(8192):
        received += data
        if len(received) < 100_000:
            assert server.process.poll() is None, f"the process ended when its client had {len(received)} bytes"
            time.sleep(0.02)
    head, _, body = received.partition(b"\r\n\r\n")
    assert len(json.loads(body)["items"]) == 20
    began = time.monotonic()
    assert server.wait() == 0
    assert time.monotonic() - began < 3, "it waited although the client had received everything"
    assert not [line for line in server.logs() if line["msg"].startswith("Drain timed out")]
    client.close()


@pytest.mark.parametrize("pages", [1, 2, 3, 4])
def test_a_client_that_reads_everything_while_it_drains_does_not_hold_the_server(database, launch, pages):
    server = launch(database.environment, DRAIN_TIMEOUT_MS="12000").wait_until_healthy()
    for number in range(100):
        server.create(f"Large {number}", "d" * 10_000)
    client = narrow(server, window=4096)
    # One of these numbers of pages exceeds the sockets' buffers by a part of a page: the last response is being sent,
    # with no further request, when the server begins to close.
    client.sendall(f"GET /api/items?limit=100 HTTP/1.1\r\n{HOST}\r\n".encode() * pages)
    server.wait_for_access_log(path="/api/items", method="GET")
    server.signal(signal.SIGTERM)
    until(lambda: any(line["msg"].startswith("Draining: no new") for line in server.logs()), what="the drain to close")
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    began = time.monotonic()
    while client.recv(1 << 20):
        pass
    assert server.wait() == 0
    assert time.monotonic() - began < 6
    client.close()


def test_a_listener_that_cannot_be_watched_ends_the_start(database, tmp_path):
    source, library = tmp_path / "unwatched.c", tmp_path / "unwatched.so"
    source.write_text(
        "#include <errno.h>\n#include <sys/epoll.h>\n#include <sys/socket.h>\n#include <sys/syscall.h>\n"
        "#include <unistd.h>\n"
        "int epoll_ctl(int set, int operation, int number, struct epoll_event *event) {\n"
        "    int listens = 0;\n"
        "    socklen_t length = sizeof listens;\n"
        "    getsockopt(number, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length);\n"
        "    if (operation == EPOLL_CTL_ADD && listens) return errno = ENOMEM, -1;\n"
        "    return syscall(SYS_epoll_ctl, set, operation, number, event);\n"
        "}\n"
    )
    subprocess.run(["clang", "-shared", "-fPIC", "-o", library, source], check=True)
    run = items("serve", PORT="0", HOST="127.0.0.1", LD_PRELOAD=str(library), **database.environment)
    assert run.returncode == 1
    assert "epoll_ctl: Cannot allocate memory" in run.stdout + run.stderr
    assert "Serving" not in run.stdout


def test_the_exit_runs_no_destructors_of_libraries(database, launch, tmp_path):
    # exit(3) runs OPENSSL_cleanup, which crashed a thread that was just logging in to the database.
    source, library = tmp_path / "late.c", tmp_path / "late.so"
    source.write_text(
        "#include <unistd.h>\n"
        '__attribute__((destructor)) static void late(void) { (void)!write(2, "cleaned up\\n", 11); }\n'
    )
    subprocess.run(["clang", "-shared", "-fPIC", "-o", library, source], check=True)
    preload = {"LD_PRELOAD": str(library)}
    version = subprocess.run([BINARY, "--version"], env={**os.environ, **preload}, capture_output=True)
    assert version.stderr == b"cleaned up\n", "the destructor does not report a call of exit"
    server = launch(database.environment, **preload).wait_until_healthy()
    server.stop()
    assert "cleaned up" not in server.errors()
