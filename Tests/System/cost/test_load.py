"""The load: the same bytes in every run, sent while the server is stopped; every response must be successful."""

import contextlib
import re
import socketserver
import threading

import pytest

from lockstep import BadAnswer, Lockstep
from record import Load
from support.project import ROOT
from workload import CHANGED_ROWS, DELETED_ROWS, ROWS, WORKLOADS

GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


class Standing:
    """A server that answers requests only while it is not stopped, and counts the stops."""

    def __init__(self, answer):
        self.answer, self.goes_on, self.stops = answer, threading.Event(), 0
        standing = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                while self.rfile.readline():
                    while self.rfile.readline() != b"\r\n":
                        pass
                    standing.goes_on.wait(10)
                    self.wfile.write(standing.answer)
                    if standing.answer != GOOD:
                        return

        self.listener = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self.listener.daemon_threads = True
        self.port = self.listener.server_address[1]

    def __enter__(self):
        threading.Thread(target=self.listener.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.listener.shutdown()
        self.listener.server_close()

    @contextlib.contextmanager
    def stopped(self):
        self.stops += 1
        self.goes_on.clear()
        yield
        self.goes_on.set()


def test_a_round_is_one_request_of_each_connection_in_one_stop():
    numbers = []

    def request(number):
        numbers.append(number)
        return WORKLOADS["root"](number)

    with Standing(GOOD) as server, Lockstep(server, 3) as clients:
        assert clients.play(request, 2) == 6
        assert clients.play(request, 1) == 3
    assert server.stops == 3
    assert numbers == list(range(9))


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_an_answer_that_cannot_have_content_needs_no_length(status):
    with Standing(f"HTTP/1.1 {status}\r\n\r\n".encode()) as server, Lockstep(server, 1) as clients:
        assert clients.play(WORKLOADS["root"], 1) == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{",
        b"",
    ],
    ids=["not 2xx", "no length", "cut short", "none"],
)
def test_a_bad_answer_ends_the_run(answer):
    with Standing(answer) as server, Lockstep(server, 1) as clients, pytest.raises(BadAnswer):
        clients.play(WORKLOADS["root"], 1)


def test_requests_of_a_workload_have_one_length_but_for_the_digits_of_an_id():
    for name, request in WORKLOADS.items():
        lengths = {len(request(number)) for number in range(1000)}
        assert len(lengths) <= (4 if name in ("item", "balanced", "conditional") else 1), name


def test_every_row_is_requested_once_before_any_repeats():
    assert len({WORKLOADS["item"](number) for number in range(ROWS)}) == ROWS


def test_changes_and_deletions_hit_rows_of_their_own():
    def ids(workload, count):
        return [int(WORKLOADS[workload](number).split(b" ")[1].rsplit(b"/", 1)[1]) for number in range(count)]

    for workload in ("put", "patch"):
        assert sorted(ids(workload, CHANGED_ROWS)) == list(range(ROWS + 1, ROWS + CHANGED_ROWS + 1))
    first = ROWS + CHANGED_ROWS + 1
    assert ids("delete", DELETED_ROWS) == list(range(first, first + DELETED_ROWS))
    load = Load()
    assert DELETED_ROWS >= len(WORKLOADS) * load.turns * load.connections * (load.warm_up + load.rounds)


def test_the_two_runs_of_the_project_count_every_workload():
    script = (ROOT / "scripts/test").read_text(encoding="utf-8")
    counted = [name for names in re.findall(r"(?:first|other)_workloads=(\S+)", script) for name in names.split(",")]
    assert counted == list(WORKLOADS)
