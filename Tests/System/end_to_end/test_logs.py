"""Every line on stdout is one flat JSON object, whatever clients send."""

import contextlib
import json
import os
import re
import resource
import subprocess

import pytest
import requests
from unkind import HOST

from support.ports import free_port
from support.project import BINARY, ROOT
from support.server import Server, stop_all
from support.waiting import until
from support.wire import Wire

TIMESTAMP = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z")
LEVELS = {"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"}
EVERY_LINE = {"timestamp": str, "level": str, "msg": str, "instance_id": str, "environment": str}
ACCESS_LINE = {
    **EVERY_LINE,
    "method": str,
    "path": str,
    "route": str,
    "status": int,
    "response_time_ms": (int, float),
    "bytes": int,
    "request_id": str,
    "remote_addr": str,
}
PASSWORD = "s3cr3t & 'quoted' %41 \"word\""
ROOT_ID = "1-67891233-abcdef012345678912345678"
TRUSTING = {"TRUSTED_PROXIES": "127.0.0.0/8"}


@pytest.fixture(scope="module")
def server(module_database):
    """The server of this module, with a password, and with its peers as trusted proxies."""
    server = Server({**module_database.environment, **TRUSTING, "DB_PASSWORD": PASSWORD, "LOG_LEVEL": "debug"})
    try:
        yield server.wait_until_healthy()
    finally:
        stop_all([server])


def strange_traffic(server):
    created = server.create("A name in the body", "A description in the body")
    server.get(f"/api/items/{created['id']}?token=in-the-query")
    server.get("/api/items?limit=x")
    server.get("/unknown/%0a%22%5c/ü/%ff")
    server.request("BREW", "/api/items")
    server.post("/api/items", data="{", headers={"Content-Type": "application/json"})
    server.get("/health", headers={"User-Agent": 'quote " backslash \\ tab \t'})
    server.get("/", headers={"Authorization": "Bearer in-the-header", "Cookie": "session=in-the-cookie"})
    for raw in (
        f"GET /health/live HTTP/1.1\r\n{HOST}User-Agent: \xff\xfe\xc3\x28\r\n\r\n",
        f"GET /{'p' * 16_000} HTTP/1.1\r\n{HOST}User-Agent: {'u' * 16_000}\r\nX-Request-Id: {'i' * 5_000}\r\n\r\n",
        f"GET /{'%22' * 5_000} HTTP/1.1\r\n{HOST}User-Agent: {chr(34) * 16_000}\r\n\r\n",
        "garbage\r\n\r\n",
        f"GET /x HTTP/1.1\r\n{HOST}Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
    ):
        with Wire(server) as wire:
            wire.send_what_it_takes(raw.encode("latin-1"))
            wire.read()


@pytest.fixture(scope="module")
def lines(server):
    """Returns the raw log lines after all kinds of requests."""
    strange_traffic(server)
    server.get("/last")
    server.wait_for_access_log(path="/last")
    return list(server.lines)


def test_every_line_is_one_flat_json_object(lines):
    for line in lines:
        assert line.endswith(b"\n") and len(line) <= 8192, line[:100]
        entry = json.loads(line.decode("utf-8"))
        assert not [value for value in entry.values() if isinstance(value, (dict, list))], entry
        for name, type in EVERY_LINE.items():
            assert isinstance(entry.get(name), type), (name, entry)
        assert TIMESTAMP.fullmatch(entry["timestamp"]) and entry["level"] in LEVELS and entry["msg"]
        assert next(iter(entry)) == "timestamp"
        assert all(re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name) for name in entry)
        assert (entry["instance_id"], entry["environment"]) == ("i-0123456789abcdef0", "test")


def test_a_name_has_one_type_on_all_lines(lines):
    types = {}
    for line in lines:
        for name, value in json.loads(line).items():
            kind = float if isinstance(value, (int, float)) and not isinstance(value, bool) else type(value)
            if value is not None:
                assert types.setdefault(name, kind) is kind, name


def test_a_request_has_its_line(server, lines):
    line = server.wait_for_access_log(method="POST", path="/api/items", status=201)
    for name, type in ACCESS_LINE.items():
        assert isinstance(line.get(name), type) and not isinstance(line[name], bool), (name, line)
    assert (line["level"], line["route"], line["msg"]) == ("INFO", "/api/items", "Request completed")
    assert 0 < line["response_time_ms"] < 10_000 and line["bytes"] > 0
    assert server.access_logs(route="/api/items/{id}", status=200)
    assert server.access_logs(route="unmatched", status=404)


def test_neither_bodies_nor_queries_nor_credentials_are_logged(lines):
    everything = b"".join(lines).decode()
    for secret in ("in the body", "in-the-query", "in-the-header", "in-the-cookie"):
        assert secret not in everything


def test_a_long_value_is_cut_and_marked(server, lines):
    line = server.wait_for_access_log(route="unmatched", status=404)
    long = [line for line in server.access_logs() if line["path"].startswith("/pppp")]
    assert line and long and all(len(entry["path"]) < 8192 for entry in long)


def test_no_password_is_shown_anywhere(server, lines, launch, module_database, tmp_path):
    secret = tmp_path / "password"
    secret.write_text(PASSWORD + "\n")
    other = launch(module_database.environment, DB_PASSWORD_FILE=str(secret)).wait_until_healthy()
    for one in (server, other):
        shown = [one.get(path).text for path in ("/", "/db", "/health", "/metrics", "/x", "/api/items")]
        run = subprocess.run([BINARY, "check-config"], env=one.environment, capture_output=True, cwd=ROOT, timeout=10)
        everything = (
            "".join(shown) + run.stdout.decode() + run.stderr.decode() + b"".join(one.lines).decode() + one.errors()
        )
        assert "s3cr3t" not in everything


class TestRequestIds:
    def test_a_clients_own_is_kept(self, server):
        response = server.get("/own", headers={"X-Request-Id": "client-0.1_2:3"})
        assert response.headers["X-Request-Id"] == "client-0.1_2:3"
        assert server.wait_for_access_log(path="/own")["request_id"] == "client-0.1_2:3"

    @pytest.mark.parametrize("value", ["", "x" * 500, "a b", 'a"b', "a\tb", "ü"])
    def test_one_that_is_not_sane_is_replaced(self, server, value):
        with Wire(server) as wire:
            wire.send(f"GET /insane HTTP/1.1\r\n{HOST}X-Request-Id: {value}\r\n\r\n")
            answered = wire.read().headers["X-Request-Id"]
        assert answered != value and re.fullmatch(r"[A-Za-z0-9._:=+/@-]{8,128}", answered)

    def test_new_ones_differ(self, server):
        assert len({server.get("/health/live").headers["X-Request-Id"] for _ in range(100)}) == 100

    def test_without_one_the_trace_id_is_used(self, server):
        trace = f"Self=1-67891234-12456789abcdef012345678;Root={ROOT_ID}"
        response = server.get("/traced", headers={"X-Amzn-Trace-Id": trace})
        assert response.headers["X-Request-Id"] == ROOT_ID
        line = server.wait_for_access_log(path="/traced")
        assert (line["request_id"], line["trace_id"]) == (ROOT_ID, ROOT_ID)

    def test_a_clients_own_takes_precedence_over_the_trace(self, server):
        headers = {"X-Request-Id": "mine-12345", "X-Amzn-Trace-Id": f"Root={ROOT_ID}"}
        assert server.get("/both", headers=headers).headers["X-Request-Id"] == "mine-12345"
        assert server.wait_for_access_log(path="/both")["trace_id"] == ROOT_ID


class TestRemoteAddress:
    @pytest.mark.parametrize(
        "forwarded, remote",
        [
            ("203.0.113.7", "203.0.113.7"),
            ("198.51.100.1, 203.0.113.7", "203.0.113.7"),
            ("spoofed, 203.0.113.7", "203.0.113.7"),
            ("203.0.113.7:4711", "203.0.113.7"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]:4711", "2001:db8::1"),
        ],
    )
    def test_is_the_last_one_that_a_trusted_peer_forwarded(self, server, forwarded, remote):
        path = f"/forwarded/{abs(hash(forwarded))}"
        server.get(path, headers={"X-Forwarded-For": forwarded})
        assert server.wait_for_access_log(path=path)["remote_addr"] == remote

    @pytest.mark.parametrize("forwarded", ["", "x", "1.2.3", "1.2.3.4.5", "<script>", "203.0.113.7, nonsense"])
    def test_is_the_peers_address_when_the_last_one_is_invalid(self, server, forwarded):
        path = f"/nonsense/{abs(hash(forwarded))}"
        server.get(path, headers={"X-Forwarded-For": forwarded})
        assert server.wait_for_access_log(path=path)["remote_addr"] == "127.0.0.1"

    def test_of_a_peer_that_is_not_trusted_is_its_own(self, module_database, launch):
        server = launch(module_database.environment, TRUSTED_PROXIES="10.0.0.0/8").wait_until_live()
        headers = {"X-Forwarded-For": "203.0.113.7", "X-Amzn-Trace-Id": f"Root={ROOT_ID}"}
        assert server.get("/spoofed", headers=headers).headers["X-Request-Id"] != ROOT_ID
        line = server.wait_for_access_log(path="/spoofed")
        assert line["remote_addr"] == "127.0.0.1" and line.get("trace_id") != ROOT_ID


class TestLevels:
    def test_a_server_error_is_an_error(self, database, launch, tmp_path):
        server = launch({**database.environment, "DB_HOST": str(tmp_path)}).wait_until_live()
        assert server.get("/api/items").status_code == 503
        assert server.wait_for_access_log(path="/api/items", status=503)["level"] == "ERROR"

    def test_the_lowest_one_is_configured(self, module_database, launch):
        server = launch(module_database.environment, LOG_LEVEL="error").wait_until_live()
        server.get("/api/items")
        server.stop()
        assert {line["level"] for line in server.logs()} <= {"ERROR", "CRITICAL"}

    def test_requests_need_not_be_logged(self, module_database, launch):
        server = launch(module_database.environment, ACCESS_LOG="0").wait_until_healthy()
        server.get("/api/items")
        server.stop()
        assert server.logs() and not server.access_logs(status=200)


def test_the_last_lines_of_a_drained_server_are_written(module_database, launch):
    server = launch(module_database.environment).wait_until_healthy()
    for number in range(200):
        server.get(f"/numbered/{number}")
    server.stop()
    assert {f"/numbered/{number}" for number in range(200)} <= {line["path"] for line in server.access_logs()}


QUEUE_BYTES = 4 * 1024 * 1024  # LogSink.queueByteLimit


class Counts:
    """The dropped lines reported by /metrics, and the number of requests made to read them, each of
    which adds a line."""

    def __init__(self, server):
        self.server, self.requests = server, 0

    def dropped_lines(self):
        self.requests += 1
        text = self.server.get("/metrics", timeout=5).text
        return int(re.search(r"^log_lines_dropped_total (\d+)", text, re.MULTILINE)[1])


def test_a_reader_that_stops_reading_stops_no_request(module_database, launch):
    """A full queue drops whole lines and counts them; no request waits for it."""
    server = launch(module_database.environment).wait_until_healthy()
    server.get("/first")
    server.wait_for_access_log(path="/first")
    counts = Counts(server)
    assert counts.dropped_lines() == 0
    server.paused.clear()
    try:
        with Wire(server) as wire:
            answered = 0
            while counts.dropped_lines() < 1000:
                assert answered < 30_000, "nothing is dropped"
                for number in range(answered, answered + 100):
                    wire.send(f"GET /{number}/{'x' * 2000} HTTP/1.1\r\n{HOST}User-Agent: {'u' * 1000}\r\n\r\n")
                for _ in range(100):
                    assert wire.read().status_code == 404
                answered += 100
    finally:
        server.paused.set()
    server.get("/last")
    server.wait_for_access_log(path="/last")
    dropped = counts.dropped_lines()
    server.stop()
    # The start's lines may be written after that of /first: each loop flushes independently.
    written = sum(not line["path"].startswith(("/health", "/first")) for line in server.access_logs())
    assert written + dropped == answered + counts.requests + 1
    size = sum(len(line) for line in server.lines)
    assert QUEUE_BYTES * 0.9 < size < QUEUE_BYTES * 1.2, "not the size of the queue, the pipe and the writer's buffer"


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 256 KiB, which a test can fill."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", tmp_path]
    if os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("needs the right to mount a file system")
    try:
        yield tmp_path
    finally:
        subprocess.run(["umount", "--lazy", tmp_path], check=True)


class TestAFullDisk:
    """Lines that do not fit are dropped and counted, no request waits, and later lines are written completely."""

    def test_silences_the_log_only_as_long_as_it_is_full(self, module_database, small_disk):
        filler = small_disk / "filler"

        def fill(_):
            with open(filler, "wb", buffering=0) as file, contextlib.suppress(OSError):
                while True:
                    file.write(bytes(1024))

        check_silence(module_database, small_disk / "log", fill, lambda _: filler.unlink())

    def test_is_like_a_file_that_may_not_grow(self, module_database, tmp_path):
        """With RLIMIT_FSIZE the kernel also sends a signal (SIGXFSZ)."""

        def limit(server, size):
            _, hard = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)
            resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (size, hard))

        check_silence(
            module_database,
            tmp_path / "log",
            lambda server: limit(server, 20_001),
            lambda server: limit(server, resource.RLIM_INFINITY),
        )


def check_silence(database, log, fill, free):
    with open(log, "ab") as output:
        server = Server(database.environment, output=output)
    try:
        server.wait_until_healthy()
        sizes = [0, -1]
        # Wait until no line of the start is left in a loop's buffer, where LogBuffer.flushInterval holds it for 50 ms.
        until(lambda: sizes.append(log.stat().st_size) or sizes[-1] == sizes[-2], interval=0.25, what="the log to settle")
        fill(server)
        with requests.Session() as session:
            for number in range(300):
                assert session.get(f"{server.url}/full/{number}/{'x' * 1000}", timeout=5).status_code == 404
        counts = Counts(server)
        until(lambda: counts.dropped_lines() > 200, 5, what="the lines to be dropped")
        free(server)
        for number in range(20):
            server.get(f"/again/{number}")
        dropped = counts.dropped_lines()
    finally:
        server.stop()
    text = log.read_bytes().decode()
    lines = text.splitlines()
    assert text.endswith("\n") and text.count('{"timestamp"') == len(lines), "a log line begins after another one"
    whole = [json.loads(line) for line in lines if line.endswith("}")]
    assert len(whole) >= len(lines) - 1, "more than one line was truncated by the full disk"
    paths = [line.get("path", "") for line in whole]
    assert {f"/again/{number}" for number in range(20)} <= set(paths)
    lost = 300 - sum(path.startswith("/full/") for path in paths)
    assert lost <= dropped <= lost + counts.requests


def test_a_log_reader_that_goes_away_does_not_end_the_service(module_database):
    read_end, write_end = os.pipe()
    port = free_port()
    environment = {**module_database.environment, "PORT": str(port), "DRAIN_DELAY_MS": "0", "HOST": "127.0.0.1"}
    process = subprocess.Popen([BINARY, "serve"], env=environment, stdout=write_end)
    os.close(write_end)
    try:
        assert os.read(read_end, 1)
        os.close(read_end)
        for _ in range(200):
            assert requests.get(f"http://127.0.0.1:{port}/health/live", timeout=5).status_code == 200
        process.terminate()
        assert process.wait(15) == 0
    finally:
        process.kill()
        process.wait()


def test_a_log_reader_that_comes_to_a_named_pipe_gets_the_lines_from_then_on(module_database, tmp_path):
    os.mkfifo(tmp_path / "log")
    first = os.open(tmp_path / "log", os.O_RDONLY | os.O_NONBLOCK)
    with open(tmp_path / "log", "wb") as output:
        server = Server(module_database.environment, output=output)
    try:
        server.wait_until_healthy()
        counts = Counts(server)
        os.close(first)
        until(lambda: counts.dropped_lines() > 0, what="a line to be lost")
        second = os.open(tmp_path / "log", os.O_RDONLY | os.O_NONBLOCK)
        server.get("/again")
        text = bytearray()

        def comes():
            with contextlib.suppress(BlockingIOError):
                text.extend(os.read(second, 65536))
            return b'"path":"/again"' in text

        until(comes, 5, what="the line to arrive")
        os.close(second)
    finally:
        server.stop()
