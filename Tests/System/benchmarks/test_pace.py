"""The paced client, against a server that delays responses."""

import shutil
import socket
import threading
import time

import pytest

from bench import pace
from bench.failure import Failure

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


@pytest.fixture(scope="module", autouse=True)
def client():
    if not shutil.which("cc"):
        pytest.skip("there is no C compiler")
    pace.build()


class OneConnection(threading.Thread):
    """Answers the requests of one client; delays the response to request number `late_at` by `delay` seconds."""

    def __init__(self, answer=ANSWER, late_at=None, delay=0.0):
        super().__init__(daemon=True)
        self.answer, self.late_at, self.delay = answer, late_at, delay
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.start()

    def run(self):
        with self.listener, self.listener.accept()[0] as client:
            number = 0
            while client.recv(4096):
                if number == self.late_at:
                    time.sleep(self.delay)
                client.sendall(self.answer)
                number += 1


def test_every_request_is_answered_at_the_rate():
    told = pace.run(OneConnection().port, rate=200, connections=1, seconds=0.5, rows=10)
    assert (told.due, told.answered, told.refused) == (100, 100, 0)
    assert told.seconds > 0.45
    assert not told.is_void


def test_every_request_due_in_a_pause_counts_as_late():
    told = pace.run(OneConnection(late_at=20, delay=0.3).port, rate=100, connections=1, seconds=0.6, rows=10)
    # One request meets the pause; those due meanwhile wait for its end, and all but those of its last 20 ms are late.
    assert told.slow >= 25
    assert told.stalls >= 1
    assert told.max_ms >= 295


def test_another_status_makes_the_run_void():
    refusing = OneConnection(answer=ANSWER.replace(b"200 OK", b"503 Service Unavailable"))
    told = pace.run(refusing.port, rate=50, connections=1, seconds=0.2, rows=10)
    assert told.refused == 10
    assert told.is_void


def test_a_server_that_closes_fails_the_run():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        closer = threading.Thread(target=lambda: listener.accept()[0].close(), daemon=True)
        closer.start()
        with pytest.raises(Failure, match="pace: "):
            pace.run(listener.getsockname()[1], rate=10, connections=1, seconds=0.2, rows=10)


def test_an_invalid_report_fails():
    with pytest.raises(Failure, match="it said nothing"):
        pace.parse("")
