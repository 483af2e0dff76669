"""HTTP/1.1 on the wire: framing, pipelining, limits, and refused requests."""

import contextlib
import email.utils
import http.client
import json
import socket
import time

import pytest
from unkind import HOST, LIVE, POST_JSON

from support.server import problem
from support.wire import Wire

POST = f"POST /api/items HTTP/1.1\r\n{HOST}"
NAME = json.dumps({"name": "Over the wire"})


def post(body=NAME, fields=""):
    return f"{POST_JSON}{fields}Content-Length: {len(body)}\r\n\r\n{body}"


def chunked(*chunks, extension="", trailers=""):
    head = f"{POST_JSON}Transfer-Encoding: chunked\r\n\r\n"
    return head + "".join(f"{len(chunk):x}{extension}\r\n{chunk}\r\n" for chunk in chunks) + f"0\r\n{trailers}\r\n"


@pytest.fixture
def wire(server):
    with Wire(server) as wire:
        yield wire


def refused(wire, status):
    """Asserts that the next response is this problem, and that the connection closes after it."""
    response = wire.read()
    problem(response, status)
    assert response.headers["Connection"].lower() == "close"
    assert wire.closed(), "the connection stayed open"


class TestResponses:
    def test_carry_date_length_and_request_id(self, wire):
        wire.send(LIVE)
        headers = wire.read().headers
        assert abs(email.utils.parsedate_to_datetime(headers["Date"]).timestamp() - time.time()) < 5
        assert headers["Date"].endswith("GMT")
        assert headers["Content-Length"].isdigit() and headers["X-Request-Id"]

    def test_root_names_the_service_and_links_to_the_rest(self, server):
        body = server.get("/").json()
        assert (body["service"], body["environment"], body["instance_id"]) == ("items", "test", "i-0123456789abcdef0")
        assert body["version"] and body["uptime_seconds"] >= 0
        for path in ("/api/items", "/health", "/metrics", "/db"):
            assert path in json.dumps(body)

    def test_the_database_page_shows_server_and_pool(self, server, module_database):
        text = server.get("/db").text
        pool = json.loads(text)["pool"]
        assert pool.keys() == {"min", "max", "open", "idle", "in_use", "waiting"}
        assert (pool["min"], pool["max"]) == (2, 10)
        assert pool["open"] == pool["idle"] + pool["in_use"]
        assert module_database.name in text

    def test_an_unknown_path_is_404(self, server):
        for path in ("/x", "/api", "/api/items/1/2", "/%2e%2e/etc/passwd", "//"):
            body = problem(server.get(path), 404)
            assert body["instance"].startswith("/")

    @pytest.mark.parametrize(
        "method, path, allowed",
        [
            ("POST", "/health", {"GET", "HEAD"}),
            ("PUT", "/", {"GET", "HEAD"}),
            ("PUT", "/api/items", {"GET", "HEAD", "POST"}),
            ("POST", "/api/items/1", {"GET", "HEAD"}),
            ("DELETE", "/metrics", {"GET", "HEAD"}),
        ],
    )
    def test_a_method_that_a_resource_lacks_is_405_with_allow(self, server, method, path, allowed):
        response = server.request(method, path)
        problem(response, 405)
        assert allowed <= set(response.headers["Allow"].split(", "))
        assert method not in response.headers["Allow"].split(", ")

    @pytest.mark.parametrize(
        "path, allowed", [("/api/items", {"GET", "HEAD", "POST"}), ("/api/items/1", {"GET", "HEAD"})]
    )
    def test_options_lists_the_methods(self, server, path, allowed):
        response = server.request("OPTIONS", path)
        assert response.status_code in (200, 204) and not response.content
        assert allowed <= set(response.headers["Allow"].split(", "))

    @pytest.mark.parametrize("path", ["/", "/health/live", "/api/items", "/x"])
    def test_head_is_get_without_the_body(self, wire, path):
        wire.send(f"HEAD {path} HTTP/1.1\r\n{HOST}\r\n" + LIVE)
        head = wire.read(head_only=True)
        assert int(head.headers["Content-Length"]) > 0
        assert head.status_code == (404 if path == "/x" else 200)
        assert wire.read().status_code == 200

    def test_an_answer_names_the_prefix_it_is_served_under(self, database, launch):
        server = launch(database.environment, BASE_PATH="/career-profile-tool").wait_until_live()
        created = server.post("/career-profile-tool/api/items", json={"name": "a"})
        assert created.status_code == 201
        assert created.headers["Location"].startswith("/career-profile-tool/api/items/")
        server.post("/career-profile-tool/api/items", json={"name": "b"})
        page = server.get("/career-profile-tool/api/items?limit=1")
        assert "/career-profile-tool/api/items?" in page.headers["Link"]
        assert server.get("/api/items").status_code == 404

    def test_the_default_host_is_both_stacks(self, database, launch):
        server = launch(database.environment, HOST=None).wait_until_live()
        if socket.has_ipv6:
            try:
                socket.create_connection(("::1", server.port), timeout=5).close()
            except OSError as failure:
                with pytest.raises(OSError):
                    socket.socket(socket.AF_INET6).bind(("::1", 0))
                assert failure


class TestConnections:
    def test_stay_open_for_many_requests(self, wire):
        for _ in range(100):
            wire.send(LIVE)
            response = wire.read()
            assert response.status_code == 200 and response.headers.get("Connection", "").lower() != "close"

    def test_close_when_the_client_asks(self, wire):
        wire.send(f"GET /health/live HTTP/1.1\r\n{HOST}Connection: close\r\n\r\n")
        assert wire.read().headers["Connection"].lower() == "close"
        assert wire.closed()

    def test_of_http_1_0_close(self, wire):
        wire.send("GET /health/live HTTP/1.0\r\n\r\n")
        assert wire.read().status_code == 200
        assert wire.closed()

    def test_of_http_1_0_stay_open_when_both_agree(self, wire):
        wire.send("GET /health/live HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        response = wire.read()
        assert response.status_code == 200
        if response.headers.get("Connection", "").lower() == "keep-alive":
            wire.send(LIVE)
            assert wire.read().status_code == 200
        else:
            assert wire.closed()

    def test_answer_pipelined_requests_in_order(self, wire):
        wire.send(
            "".join(f"GET /health/live HTTP/1.1\r\n{HOST}X-Request-Id: pipelined-{n}\r\n\r\n" for n in range(200))
        )
        assert [wire.read().headers["X-Request-Id"] for _ in range(200)] == [f"pipelined-{n}" for n in range(200)]

    def test_answer_slow_and_fast_requests_in_order(self, wire):
        requests = [
            post(),
            LIVE,
            f"GET /api/items HTTP/1.1\r\n{HOST}\r\n",
            f"GET /x HTTP/1.1\r\n{HOST}\r\n",
            chunked(NAME),
            LIVE,
        ]
        wire.send("".join(requests) * 10)
        assert [wire.read().status_code for _ in range(60)] == [201, 200, 200, 404, 201, 200] * 10

    def test_take_a_request_byte_by_byte(self, wire):
        for request, status in ((LIVE, 200), (post(), 201), (chunked("{", '"name":"a"', "}"), 201)):
            for byte in request:
                wire.send(byte)
            assert wire.read().status_code == status

    def test_take_a_request_split_anywhere(self, server):
        request = chunked('{"name":', '"a"}', extension=";x=1", trailers="X-Trailer: 1\r\n")
        for cut in range(1, len(request), 7):
            with Wire(server) as wire:
                wire.send(request[:cut])
                wire.send(request[cut:] + LIVE)
                assert [wire.read().status_code, wire.read().status_code] == [201, 200]

    def test_answer_a_client_that_has_closed_its_side(self, wire):
        wire.send(post() + LIVE)
        wire.half_close()
        assert [wire.read().status_code, wire.read().status_code] == [201, 200]
        assert wire.closed()

    def test_end_quietly_when_the_client_leaves_in_the_middle(self, server):
        for cut in (5, 30, len(post()) - 3):
            with Wire(server) as wire:
                wire.send(post()[:cut])
        assert server.get("/health/live").status_code == 200

    def test_skip_an_empty_line_before_a_request(self, wire):
        wire.send("\r\n" + LIVE + "\r\n" + LIVE)
        assert [wire.read().status_code, wire.read().status_code] == [200, 200]

    def test_hold_back_a_client_that_does_not_read(self, server, wire):
        wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        wire.socket.setblocking(False)
        request, sent = (f"GET /metrics HTTP/1.1\r\n{HOST}\r\n" * 100).encode(), 0
        deadline = time.monotonic() + 1
        while time.monotonic() < deadline and sent < 64 << 20:
            try:
                sent += wire.socket.send(request)
            except BlockingIOError:
                time.sleep(0.01)
        assert sent < 64 << 20, "the server went on reading"
        assert server.get("/health/live").status_code == 200


class TestBodies:
    @pytest.mark.parametrize(
        "options", [{}, {"extension": ";a=b"}, {"extension": ';a="b;c"'}, {"trailers": "X-Sum: 1\r\n"}]
    )
    def test_may_come_in_chunks(self, wire, options):
        wire.send(chunked(*NAME, **options) + chunked(NAME, **options) + LIVE)
        assert [wire.read().status_code for _ in range(3)] == [201, 201, 200]

    def test_are_asked_for_when_the_client_waits(self, wire):
        request = post(fields="Expect: 100-continue\r\n")
        wire.send(request[: -len(NAME)])
        assert wire.read().status_code == 100
        wire.send(NAME)
        assert wire.read().status_code == 201

    def test_are_not_asked_for_when_they_are_too_large(self, wire):
        wire.send(f"{POST_JSON}Expect: 100-continue\r\nContent-Length: 1048577\r\n\r\n")
        refused(wire, 413)

    def test_over_the_limit_are_413(self, wire):
        wire.send(f"{POST_JSON}Content-Length: 99999999999\r\n\r\n")
        refused(wire, 413)

    def test_over_the_limit_in_chunks_are_413(self, wire):
        wire.send_what_it_takes(chunked(*[" " * 65536] * 17))
        response = wire.read()
        problem(response, 413)

    @pytest.mark.parametrize("is_chunked", [False, True])
    def test_of_refused_requests_cost_no_connection(self, server, is_chunked):
        paths = [f"/stray/{number}/{is_chunked}" for number in range(3)]
        client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
        with contextlib.closing(client):
            client.connect()
            socket_of_all = client.sock
            for path in paths:
                body = iter([b'{"name":', b'"x"}']) if is_chunked else NAME
                client.request("POST", path, body, encode_chunked=is_chunked)
                with client.getresponse() as answer:
                    assert answer.status == 404 and json.load(answer)["instance"] == path
            client.request("GET", "/health/live")
            assert client.getresponse().status == 200
            assert client.sock is socket_of_all
        for path in paths:
            server.wait_for_access_log(path=path, status=404)
            assert len(server.access_logs(path=path)) == 1

    def test_of_refused_requests_do_not_mix_pipelined_answers(self, wire):
        stray = f"POST /x/y HTTP/1.1\r\n{HOST}"
        text = f"{stray}Content-Length: {len(LIVE)}\r\n\r\n{LIVE}"
        chunks = f"{stray}Transfer-Encoding: chunked\r\n\r\n{len(LIVE):x}\r\n{LIVE}\r\n0\r\n\r\n"
        wire.send((text + LIVE + chunks + post()) * 3)
        assert [wire.read().status_code for _ in range(12)] == [404, 200, 404, 201] * 3

    def test_up_to_the_limit_are_taken(self, wire):
        body = NAME[:-1] + " " * (1_048_576 - len(NAME)) + "}"
        wire.send(post(body))
        assert wire.read().status_code == 201


class TestLimits:
    def test_allow_everything_that_a_load_balancer_allows(self, wire):
        line = "/health/live?" + "x" * (16_384 - len("GET /health/live? HTTP/1.1"))
        wire.send(f"GET {line} HTTP/1.1\r\n{HOST}\r\n")
        assert wire.read().status_code == 200
        wire.send(f"GET /health/live HTTP/1.1\r\n{HOST}X-Long: {'x' * 16_370}\r\n\r\n")
        assert wire.read().status_code == 200
        fields = "".join(f"X-Field-{number}: {'x' * 500}\r\n" for number in range(120))
        wire.send(f"GET /health/live HTTP/1.1\r\n{HOST}{fields}\r\n")
        assert wire.read().status_code == 200

    def test_refuse_a_longer_request_line_with_414(self, wire):
        wire.send_what_it_takes(f"GET /{'x' * 20_000} HTTP/1.1\r\n{HOST}\r\n")
        refused(wire, 414)

    def test_refuse_more_fields_with_431(self, wire):
        fields = "".join(f"X-Field-{number}: x\r\n" for number in range(129))
        wire.send_what_it_takes(f"GET /health/live HTTP/1.1\r\n{HOST}{fields}\r\n")
        refused(wire, 431)

    def test_refuse_longer_fields_with_431(self, wire):
        fields = "".join(f"X-Field-{number}: {'x' * 15_000}\r\n" for number in range(6))
        wire.send_what_it_takes(f"GET /health/live HTTP/1.1\r\n{HOST}{fields}\r\n")
        refused(wire, 431)

    def test_end_a_slow_head_and_a_slow_body_with_408(self, module_database, launch):
        server = launch(module_database.environment, HEADER_TIMEOUT_MS="300", BODY_TIMEOUT_MS="300").wait_until_live()
        for part in (LIVE[:-2], post()[:-1]):
            with Wire(server) as wire:
                wire.send(part)
                refused(wire, 408)

    def test_close_an_idle_connection_without_a_response(self, module_database, launch):
        server = launch(module_database.environment, KEEPALIVE_TIMEOUT_MS="300").wait_until_live()
        with Wire(server) as wire:
            wire.send(LIVE)
            assert wire.read().status_code == 200
            assert wire.closed()

    def test_leave_further_clients_in_the_accept_queue(self, module_database, launch):
        server = launch(module_database.environment, MAX_CONNECTIONS="4", WORKERS="1").wait_until_healthy()
        wires = [Wire(server) for _ in range(8)]
        try:
            for wire in wires:
                wire.send(f"GET /health/live HTTP/1.1\r\n{HOST}Connection: close\r\n\r\n")
            assert [wire.read().status_code for wire in wires] == [200] * 8
        finally:
            for wire in wires:
                wire.socket.close()


AMBIGUOUS = {
    "both framings": f"{POST}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": f"{POST}Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",
    "a list of lengths": f"{POST}Content-Length: 4, 5\r\n\r\nabcde",
    "a signed length": f"{POST}Content-Length: +4\r\n\r\nabcd",
    "a negative length": f"{POST}Content-Length: -1\r\n\r\n",
    "a hexadecimal length": f"{POST}Content-Length: 0x4\r\n\r\nabcd",
    "an empty length": f"{POST}Content-Length:\r\n\r\n",
    "chunks in HTTP/1.0": "POST /api/items HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked twice": f"{POST}Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "chunked not last": f"{POST}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "a space before the colon": f"GET /health/live HTTP/1.1\r\n{HOST}Content-Length : 0\r\n\r\n",
    "a folded field": f"GET /health/live HTTP/1.1\r\n{HOST}X-Folded: a\r\n b\r\n\r\n",
    "a field without a colon": f"GET /health/live HTTP/1.1\r\n{HOST}X-Nothing\r\n\r\n",
    "a field without a name": f"GET /health/live HTTP/1.1\r\n{HOST}: x\r\n\r\n",
    "a field name with a bracket": f"GET /health/live HTTP/1.1\r\n{HOST}X[a]: x\r\n\r\n",
    "a NUL in a value": f"GET /health/live HTTP/1.1\r\n{HOST}X-Nul: a\0b\r\n\r\n",
    "a bare CR in a value": f"GET /health/live HTTP/1.1\r\n{HOST}X-Bare: a\rb\r\n\r\n",
    "no host": "GET /health/live HTTP/1.1\r\n\r\n",
    "two hosts": f"GET /health/live HTTP/1.1\r\n{HOST}{HOST}\r\n",
    "two spaces in the request line": f"GET  /health/live HTTP/1.1\r\n{HOST}\r\n",
    "a target with a space": f"GET /health live HTTP/1.1\r\n{HOST}\r\n",
    "a target with a control character": f"GET /health/\x01live HTTP/1.1\r\n{HOST}\r\n",
    "a target without a slash": f"GET health/live HTTP/1.1\r\n{HOST}\r\n",
    "a lower-case version": f"GET /health/live http/1.1\r\n{HOST}\r\n",
    "no version": "GET /health/live\r\n\r\n",
    "a TLS greeting": "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "a chunk size that is no number": f"{POST_JSON}Transfer-Encoding: chunked\r\n\r\nxyz\r\n\r\n",
    "a chunk size with a sign": f"{POST_JSON}Transfer-Encoding: chunked\r\n\r\n+5\r\nhello\r\n0\r\n\r\n",
    "a chunk size that overflows": f"{POST_JSON}Transfer-Encoding: chunked\r\n\r\n{'f' * 17}\r\n",
    "a chunk longer than it says": f"{POST_JSON}Transfer-Encoding: chunked\r\n\r\n2\r\nhello\r\n0\r\n\r\n",
}


class TestRefusals:
    @pytest.mark.parametrize("request_text", AMBIGUOUS.values(), ids=AMBIGUOUS.keys())
    def test_of_a_request_that_may_be_read_in_two_ways_close(self, wire, request_text):
        """Bytes after a refused request must never be parsed as a request: that would allow request smuggling."""
        smuggled = f"GET /db HTTP/1.1\r\n{HOST}\r\n"
        wire.send_what_it_takes(request_text.encode("latin-1") + smuggled.encode())
        response = wire.read()
        problem(response, 400)
        assert response.headers["Connection"].lower() == "close"
        assert wire.closed()

    def test_of_an_unknown_transfer_coding_is_400(self, wire):
        wire.send(f"{POST}Transfer-Encoding: gzip\r\n\r\n")
        refused(wire, 400)

    @pytest.mark.parametrize("version", ["HTTP/2.0", "HTTP/3.0", "HTTP/0.9"])
    def test_of_another_version_is_505(self, wire, version):
        wire.send(f"GET /health/live {version}\r\n{HOST}\r\n")
        refused(wire, 505)

    def test_of_an_unknown_method_is_405_or_501(self, server):
        response = server.request("BREW", "/api/items")
        assert response.status_code in (405, 501)
        problem(response, response.status_code)

    def test_leave_the_server_in_good_health(self, server):
        assert server.get("/health").json()["status"] == "healthy"
