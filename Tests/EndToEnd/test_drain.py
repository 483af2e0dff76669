"""What a signal does: the drain, its delay, its limit, and the second signal."""

import http.client
import json
import os
import signal
import subprocess
import threading
import time

import pytest
import requests

from conftest import BINARY, Wire, until

HOST = "Host: items.test\r\n"
POST = f"POST /api/items HTTP/1.1\r\n{HOST}Content-Type: application/json\r\n"


class Client(threading.Thread):
    """Sends requests over kept-alive connections until told to stop; every answer but 200 or 201 is a failure."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.server, self.enough = server, threading.Event()
        self.answers, self.closes, self.failures = 0, 0, []

    def run(self):
        connection = None
        while not self.enough.is_set():
            try:
                connection = connection or http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=10)
                if self.answers % 4:
                    connection.request("GET", "/api/items?limit=5")
                else:
                    body = json.dumps({"name": f"{self.name} {self.answers}"})
                    connection.request("POST", "/api/items", body, {"Content-Type": "application/json"})
                response = connection.getresponse()
                response.read()
                if response.status not in (200, 201):
                    self.failures.append(response.status)
                self.answers += 1
                if response.will_close:
                    self.closes += 1
                    connection.close()
                    connection = None
            except OSError as failure:
                self.failures.append(failure)
                connection = None
            except http.client.HTTPException as failure:
                self.failures.append(failure)
                connection = None


def draining(server):
    response = server.get("/health")
    return response.status_code == 503 and response.json()["status"] == "draining"


def test_sigterm_under_load_fails_no_request(database, launch):
    server = launch(database.environment, DRAIN_DELAY_MS="1500").wait_until_healthy()
    clients = [Client(server) for _ in range(12)]
    for client in clients:
        client.start()
    until(lambda: all(client.answers > 20 for client in clients))
    began = time.monotonic()
    server.signal(signal.SIGTERM)
    until(lambda: draining(server), 1)

    # New connections are served while the balancer has not taken the target out.
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
        wire.send(f"{POST}Content-Length: {len(body)}\r\n\r\n{body[:5]}")
        until(lambda: requests.get(f"{server.url}/health/live", timeout=5).ok)
        server.signal(signal.SIGTERM)
        time.sleep(0.3)  # the subject: the rest comes after the drain has begun
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


def test_a_client_that_never_finishes_is_given_the_limit(database, launch):
    server = launch(database.environment, DRAIN_TIMEOUT_MS="700").wait_until_healthy()
    with Wire(server) as wire:
        wire.send(f"{POST}Content-Length: 10\r\n\r\n{{")
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


def test_connections_to_the_database_end_with_the_server(database, launch):
    server = launch(database.environment).wait_until_healthy()
    until(lambda: database.service_connections() >= 2)
    server.stop()
    until(lambda: database.service_connections() == 0)


def test_the_end_leaves_libraries_to_the_threads_that_use_them(database, launch, tmp_path):
    # exit(3) runs OPENSSL_cleanup, which crashed a thread that was just logging in to the database.
    source, library = tmp_path / "late.c", tmp_path / "late.so"
    source.write_text(
        "#include <unistd.h>\n"
        '__attribute__((destructor)) static void late(void) { (void)!write(2, "cleaned up\\n", 11); }\n'
    )
    subprocess.run(["clang", "-shared", "-fPIC", "-o", library, source], check=True)
    preload = {"LD_PRELOAD": str(library)}
    version = subprocess.run([BINARY, "--version"], env={**os.environ, **preload}, capture_output=True)
    assert version.stderr == b"cleaned up\n", "whoever calls exit is told on"
    server = launch(database.environment, **preload).wait_until_healthy()
    server.stop()
    assert "cleaned up" not in server.errors()
