"""Clients that are slow, disconnect, or do not speak HTTP: each is closed or answered, and
leaves no resources in use."""

import random
import socket
import time

import pytest
from unkind import (
    HOST,
    LIVE,
    POST_JSON,
    Drip,
    descriptors,
    narrow,
    post,
    private_kib,
    reset,
    sample,
    until_alone,
)

from support.server import Server, problem, stop_all
from support.waiting import until
from support.wire import Wire

TIMEOUT = 0.4  # of heads, bodies and writes, in seconds
IDLE_TIMEOUT = 0.8
LATE = 2.5  # what a busy machine may add to a deadline, in seconds
LARGE = 5 << 20


@pytest.fixture(scope="module")
def server(module_database):
    """The server of this module, with short timeouts."""
    timeout, idle = str(int(TIMEOUT * 1000)), str(int(IDLE_TIMEOUT * 1000))
    server = Server(
        {
            **module_database.environment,
            "HEADER_TIMEOUT_MS": timeout,
            "BODY_TIMEOUT_MS": timeout,
            "WRITE_TIMEOUT_MS": timeout,
            "KEEPALIVE_TIMEOUT_MS": idle,
            # Fixed size: otherwise changes of the pool would change the number of descriptors.
            "DB_POOL_MIN": "4",
            "DB_POOL_MAX": "4",
        }
    )
    try:
        server.wait_until_healthy()
        until(lambda: server.get("/db").json()["pool"]["open"] == 4, what="the pool to be complete")
        for number in range(20):
            server.create(f"Large {number}", "d" * 10_000)
        yield server
    finally:
        stop_all([server])


def timed_out(wire, began):
    """Asserts that the next response is 408, that it arrives at the deadline, and that the
    connection closes after it."""
    response = wire.read()
    elapsed = time.monotonic() - began
    problem(response, 408)
    assert TIMEOUT - 0.02 <= elapsed < TIMEOUT + LATE, elapsed
    assert response.headers["Connection"].lower() == "close"
    wire.half_close()
    assert wire.closed()


class TestASlowClient:
    def test_gets_408_for_a_head_that_trickles(self, server):
        with Wire(server) as wire:
            began = time.monotonic()
            wire.send("GET /")
            with Drip(wire):
                timed_out(wire, began)

    def test_gets_408_for_fields_that_trickle(self, server):
        with Wire(server) as wire:
            began = time.monotonic()
            wire.send(f"GET / HTTP/1.1\r\n{HOST}X-Slow: ")
            with Drip(wire):
                timed_out(wire, began)

    def test_gets_408_for_a_body_that_trickles(self, server):
        with Wire(server) as wire:
            began = time.monotonic()
            wire.send(f"{POST_JSON}Content-Length: 100000\r\n\r\n{{")
            with Drip(wire, b" "):
                timed_out(wire, began)

    def test_gets_408_for_chunks_that_trickle(self, server):
        with Wire(server) as wire:
            began = time.monotonic()
            wire.send(f"{POST_JSON}Transfer-Encoding: chunked\r\n\r\n1\r\n{{\r\n")
            with Drip(wire, b"1\r\n \r\n"):
                timed_out(wire, began)

    def test_gets_408_for_trailers_that_trickle(self, server):
        with Wire(server) as wire:
            began = time.monotonic()
            wire.send(f"{POST_JSON}Transfer-Encoding: chunked\r\n\r\n2\r\n{{}}\r\n0\r\nX-Slow: ")
            with Drip(wire):
                timed_out(wire, began)

    def test_gets_408_when_it_was_told_to_continue_and_does_not(self, server):
        with Wire(server) as wire:
            began = time.monotonic()
            wire.send(f"{POST_JSON}Expect: 100-continue\r\nContent-Length: 10\r\n\r\n")
            assert wire.read().status_code == 100
            timed_out(wire, began)

    def test_gets_408_for_the_second_request_as_for_the_first(self, server):
        with Wire(server) as wire:
            wire.send(LIVE + "GET /")
            began = time.monotonic()
            assert wire.read().status_code == 200
            with Drip(wire):
                timed_out(wire, began)

    def test_is_served_when_it_sends_a_byte_at_a_time_but_in_time(self, server):
        with Wire(server) as wire:
            for byte in post():
                wire.send(byte)
            assert wire.read().status_code == 201

    def test_is_counted_as_a_timeout(self, server):
        before = sample(server, "http_parse_errors_total", reason="timeout")
        with Wire(server) as wire:
            wire.send("G")
            assert wire.read().status_code == 408
        assert sample(server, "http_parse_errors_total", reason="timeout") == before + 1

    def test_is_closed_when_it_says_nothing_at_all(self, server):
        with Wire(server) as wire:
            began = time.monotonic()
            assert wire.closed(IDLE_TIMEOUT + LATE)
            assert time.monotonic() - began > IDLE_TIMEOUT - 0.02

    def test_is_closed_when_it_says_nothing_more(self, server):
        with Wire(server) as wire:
            time.sleep(IDLE_TIMEOUT / 2)  # the point of the test: the timeout counts from the last response
            # Before the request: a client that reads the response late finds the rest of the timeout shorter.
            began = time.monotonic()
            wire.send(LIVE)
            assert wire.read().status_code == 200
            assert wire.closed(IDLE_TIMEOUT + LATE)
            assert time.monotonic() - began > IDLE_TIMEOUT - 0.05


class TestAClientThatDoesNotRead:
    """Each client requests 10 MB, more than the sockets' buffers hold."""

    REQUESTS = f"GET /api/items?limit=20 HTTP/1.1\r\n{HOST}\r\n".encode() * 50

    def test_is_cut_when_the_time_for_the_answer_is_over(self, server):
        client = narrow(server)
        try:
            client.sendall(self.REQUESTS)
            until(lambda: sample(server, "http_connections_open") == 2, what="the client to be served")
            began = time.monotonic()
            until_alone(server, TIMEOUT + LATE)
            assert time.monotonic() - began > TIMEOUT / 2, "it was closed before the write timeout"
        finally:
            reset(client)

    def test_is_cut_as_well_when_it_reads_too_slowly(self, database, launch):
        """At 1 MB/s the server can write repeatedly, but cannot finish a page before the write timeout."""
        server = launch(database.environment, WRITE_TIMEOUT_MS=str(int(TIMEOUT * 1000))).wait_until_healthy()
        with database.connect() as rows:
            rows.execute(
                "INSERT INTO items (name, description) SELECT 'x', repeat('x', 10000) FROM generate_series(1, 1000)"
            )
        client, received = narrow(server, window=1 << 16), 0
        pages = 12
        try:
            # Each page has the maximum size; together they exceed the sockets' buffers.
            client.sendall(f"GET /api/items?limit=100 HTTP/1.1\r\n{HOST}\r\n".encode() * pages)
            began = time.monotonic()
            while data := client.recv(1 << 15):
                received += len(data)
                time.sleep(max(0, began + received / 1e6 - time.monotonic()))
        except ConnectionResetError:
            pass
        finally:
            client.close()
        assert 0 < received < 1_000_000 * pages, f"it got all of {received} bytes"
        until_alone(server)

    def test_gets_everything_when_it_starts_to_read_in_time(self, server):
        client = Wire(server)
        client.send(self.REQUESTS[: len(self.REQUESTS) // 10])
        time.sleep(TIMEOUT / 2)  # the point of the test
        assert [len(client.read().json()["items"]) for _ in range(5)] == [20] * 5
        client.socket.close()


def begun(*parts):
    """Returns a function that sends these parts, and reads a response for each None."""

    def act(wire):
        for part in parts:
            if part is None:
                wire.read()
            else:
                wire.send(part)

    return act


LIST = f"GET /api/items HTTP/1.1\r\n{HOST}\r\n"
MOMENTS = {
    "at once": begun(),
    "in the request line": begun("GET /api/it"),
    "in a field": begun(LIVE[:-6]),
    "after a head that promises a body": begun(f"{POST_JSON}Content-Length: 17\r\n\r\n"),
    "in a body": begun(post()[:-5]),
    "in a chunk": begun(f"{POST_JSON}Transfer-Encoding: chunked\r\n\r\n11\r\n{{"),
    "while the database works": begun(post()),
    "while the answer is written": begun(LIST * 30),
    "after an answer": begun(LIVE, None),
    "between pipelined requests": begun(LIVE * 3 + post() + LIVE[:9]),
    "after it was refused": begun("nonsense\r\n\r\n" + "x" * 1000),
    "when it was told to continue": begun(f"{POST_JSON}Expect: 100-continue\r\nContent-Length: 17\r\n\r\n", None),
}


class TestAClientThatBreaksOff:
    @pytest.mark.parametrize("ending", ["reset", "close"])
    @pytest.mark.parametrize("act", MOMENTS.values(), ids=MOMENTS.keys())
    def test_leaves_nothing_behind(self, server, act, ending):
        until_alone(server)
        before = descriptors(server)
        for _ in range(10):
            wire = Wire(server)
            act(wire)
            reset(wire.socket) if ending == "reset" else wire.socket.close()
        until_alone(server)
        until(lambda: descriptors(server) <= before, what="every descriptor to be closed")

    def test_leaves_no_memory_behind_over_thousands(self, server):
        acts = list(MOMENTS.values())

        def clients(count):
            for number in range(count):
                wire = Wire(server)
                acts[number % len(acts)](wire)
                reset(wire.socket)
                if number % 200 == 0:
                    until_alone(server)  # otherwise the memory is that of all clients at once
            until_alone(server)
            return private_kib(server)

        before = clients(3000)  # the allocator's pools grow to their final size
        after = clients(4000)
        assert after - before < 3 * 1024, f"{before} KiB, then {after} KiB: a leak of 800 bytes per client fails"

    def test_releases_its_database_connections(self, server, module_database):
        until_alone(server)
        before = descriptors(server)
        with module_database.connect() as blocker:
            with blocker.transaction():
                blocker.execute("LOCK TABLE items IN ACCESS EXCLUSIVE MODE")
                wires = [Wire(server) for _ in range(30)]
                for wire in wires:
                    wire.send(LIST)
                until(lambda: sample(server, "http_requests_in_flight") == 31, what="the requests to be in flight")
                for wire in wires:
                    reset(wire.socket)
            until_alone(server)
        until(lambda: descriptors(server) <= before, what="every descriptor to be closed")
        assert sample(server, "db_pool_waiting") == 0
        assert server.get("/api/items?limit=1").status_code == 200

    def test_still_gets_its_answer_when_it_closed_only_its_side(self, server, module_database):
        with Wire(server) as wire, module_database.connect() as blocker:
            with blocker.transaction():
                blocker.execute("LOCK TABLE items IN ACCESS EXCLUSIVE MODE")
                wire.send(post())
                wire.half_close()
                until(lambda: sample(server, "http_requests_in_flight") == 2, what="the request to be in flight")
            assert wire.read().status_code == 201
            assert wire.closed()


# A minimal ClientHello for TLS 1.2 and 1.3.
CLIENT_HELLO = (
    b"\x16\x03\x01\x00\x5b\x01\x00\x00\x57\x03\x03" + bytes(range(32)) + b"\x20" + bytes(range(32))
    + b"\x00\x04\x13\x01\x13\x02\x01\x00\x00\x0a\x00\x2b\x00\x03\x02\x03\x04"
)


class TestBytesThatAreNoRequest:
    @pytest.fixture(autouse=True)
    def no_fault(self, server):
        """Checks that bytes from a client cause neither an error log line nor a 5xx."""
        before = len(server.lines)
        yield
        server.get("/a-last-line")
        server.wait_for_access_log(path="/a-last-line")
        lines = server.logs()[before:]
        assert [line for line in lines if line["level"] in ("ERROR", "CRITICAL")] == []
        assert [line for line in lines if line.get("status", 0) >= 500] == []

    def refused_once(self, server, data):
        """Asserts that the data is answered with one 400 and the connection is closed."""
        with Wire(server) as wire:
            wire.send_what_it_takes(data)
            problem(wire.read(), 400)
            wire.half_close()
            assert wire.closed()

    def test_are_400_when_they_are_tls(self, server):
        self.refused_once(server, CLIENT_HELLO)

    def test_cost_one_line_however_many_they_are(self, module_database, launch):
        # One event loop: the log lines of several are not in chronological order.
        server = launch(module_database.environment, WORKERS="1").wait_until_healthy()
        server.get("/before-the-noise")
        server.wait_for_access_log(path="/before-the-noise")
        before = len(server.lines)
        self.refused_once(server, b"\x80" * 500_000)
        server.get("/after-the-noise")
        server.wait_for_access_log(path="/after-the-noise")
        assert len(server.lines) == before + 2
        assert max(len(line) for line in server.lines[before:]) < 1024

    @pytest.mark.parametrize("seed", range(4))
    def test_are_400_or_nothing_when_they_are_noise(self, server, seed):
        noise = random.Random(seed)
        for _ in range(100):
            data = noise.randbytes(noise.randrange(1, 2000))
            with Wire(server) as wire:
                wire.send_what_it_takes(data)
                try:
                    wire.half_close()
                except OSError:
                    pass  # the server has closed already
                answer = b""
                try:
                    while more := wire.socket.recv(65536):
                        answer += more
                except ConnectionResetError:
                    pass
            assert answer == b"" or answer.startswith(b"HTTP/1.1 400 "), (data, answer)
            assert answer.count(b"HTTP/1.1 ") <= 1

    def test_may_be_absent_and_are_then_not_logged(self, server):
        until_alone(server)
        server.get("/before-the-scan")
        begun = server.wait_for_access_log(path="/before-the-scan")["timestamp"]
        before = descriptors(server)
        silent = []
        for number in range(150):
            client = socket.create_connection(("127.0.0.1", server.port), timeout=5)
            if number % 3 == 0:
                client.close()
            elif number % 3 == 1:
                reset(client)
            else:
                silent.append(client)
        assert server.get("/health/live").status_code == 200
        for client in silent:
            client.close()
        until_alone(server)
        until(lambda: descriptors(server) <= before, what="every descriptor to be closed")
        # Selected by timestamp: the log lines of several event loops are not in chronological order.
        scanned = [line for line in server.access_logs() if line["timestamp"] > begun]
        assert [line for line in scanned if line["path"] not in ("/metrics", "/health/live")] == []


class TestAnAnswerBeforeTheBody:
    @pytest.mark.parametrize(
        "head, length, status",
        [
            (POST_JSON, LARGE, 413),
            (f"POST /nowhere HTTP/1.1\r\n{HOST}", 1 << 20, 404),
            (f"POST /health HTTP/1.1\r\n{HOST}", 1 << 20, 405),
            (f"POST /api/items HTTP/1.1\r\n{HOST}Content-Type: text/plain\r\n", 1 << 20, 415),
            (f"POST /nowhere HTTP/1.1\r\n{HOST}", LARGE, 413),
        ],
    )
    def test_is_read_by_a_client_that_sends_the_whole_body_first(self, server, head, length, status):
        for _ in range(5):
            with Wire(server) as wire:
                wire.send(f"{head}Content-Length: {length}\r\n\r\n")
                wire.send(b" " * length)  # a reset of the connection would fail here
                problem(wire.read(), status)
                wire.half_close()
                assert wire.closed()

    def test_is_read_by_a_client_that_sends_the_whole_body_in_chunks_first(self, server):
        with Wire(server) as wire:
            wire.send(f"{POST_JSON}Transfer-Encoding: chunked\r\n\r\n")
            for _ in range(LARGE >> 16):
                wire.send(b"10000\r\n" + b" " * 65536 + b"\r\n")
            wire.send(b"0\r\n\r\n")
            problem(wire.read(), 413)
            wire.half_close()
            assert wire.closed()

    def test_does_not_hold_the_connection_of_a_client_that_goes_on_sending(self, server):
        with Wire(server) as wire:
            wire.send(f"{POST_JSON}Content-Length: {LARGE}\r\n\r\n")
            problem(wire.read(), 413)
            began = time.monotonic()
            with Drip(wire, b" "):
                until_alone(server, 1 + LATE)
            assert time.monotonic() - began > 0.5, "it closed without waiting for the bytes in transit"
