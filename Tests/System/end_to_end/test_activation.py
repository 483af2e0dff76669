"""Socket activation (sd_listen_fds(3)): the listening socket of a service manager stays open while
the service restarts."""

import signal
import socket
import threading
import time

import pytest
import requests

from support.ports import free_port
from support.waiting import until


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listener:
        yield listener


class Client(threading.Thread):
    """Sends requests on a new connection each, until `enough` is set; every status but 200 is a failure."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.url, self.enough = f"http://127.0.0.1:{port}/api/items?limit=1", threading.Event()
        self.answers, self.slowest, self.failures = 0, 0.0, []

    def run(self):
        while not self.enough.is_set():
            began = time.monotonic()
            try:
                response = requests.get(self.url, headers={"Connection": "close"}, timeout=20)
                if response.status_code != 200:
                    self.failures.append(response.status_code)
            except requests.RequestException as failure:
                self.failures.append(failure)
            self.answers += 1
            self.slowest = max(self.slowest, time.monotonic() - began)


def test_a_restart_behind_a_passed_socket_loses_no_request(database, launch, listener):
    first = launch(database.environment, listener=listener).wait_until_healthy()
    clients = [Client(first.port) for _ in range(8)]
    for client in clients:
        client.start()
    until(lambda: all(client.answers > 20 for client in clients))
    first.signal(signal.SIGTERM)
    assert first.wait() == 0
    # No process accepts: connections wait in the socket's queue.
    before = [client.answers for client in clients]
    time.sleep(0.5)
    assert [client.answers for client in clients] == before
    second = launch(database.environment, listener=listener)
    until(lambda: all(client.answers > count + 20 for client, count in zip(clients, before)), 20, what="the answers")
    for client in clients:
        client.enough.set()
    for client in clients:
        client.join(20)
    assert [failure for client in clients for failure in client.failures] == []
    assert all(client.slowest > 0.5 for client in clients), "a client did not wait for the restart"
    served = {server.process.pid: len(server.access_logs(status=200)) for server in (first, second)}
    assert all(served.values()), served


def test_a_socket_that_was_passed_to_another_process_is_not_taken(database, launch, listener):
    port = free_port()
    server = launch(database.environment, listener=listener, LISTEN_PID="1", PORT=str(port)).wait_until_healthy()
    assert server.port == port
    with pytest.raises(requests.exceptions.Timeout):
        requests.get(f"http://127.0.0.1:{listener.getsockname()[1]}/health/live", timeout=0.5)


def test_the_port_is_not_bound_beside_a_passed_socket(database, launch, listener):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = launch(database.environment, listener=listener, PORT=str(taken.getsockname()[1]))
        server.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.wait_until_healthy()
        taken.settimeout(0.1)
        with pytest.raises(TimeoutError):
            taken.accept()
