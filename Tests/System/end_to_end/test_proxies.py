"""TRUSTED_PROXIES decides from which peers X-Forwarded-For, X-Amzn-Trace-Id and X-Forwarded-Proto are accepted."""

import socket

import pytest
from unkind import HOST

from support.server import Server, stop_all
from support.wire import Wire

PEER = "127.0.0.1"
TRACE = "1-67891233-abcdef012345678912345678"
FORWARDED = {
    "one address": (["203.0.113.7"], "203.0.113.7"),
    "the right-most, which the nearest proxy wrote": (["198.51.100.1, 203.0.113.7"], "203.0.113.7"),
    "the right-most that is no proxy": (["198.51.100.1, 203.0.113.7, 10.0.0.5,192.168.1.1"], "203.0.113.7"),
    "the left-most when all are proxies": (["10.0.0.7, 10.0.0.6,10.0.0.5"], "10.0.0.7"),
    "an address with a port": (["203.0.113.7:4711"], "203.0.113.7"),
    "a proxy with a port": (["203.0.113.7, 10.0.0.5:80"], "203.0.113.7"),
    "IPv6": (["2001:DB8:0::1"], "2001:db8::1"),
    "IPv6 in brackets": (["[2001:db8::1]"], "2001:db8::1"),
    "IPv6 in brackets with a port": (["[2001:db8::1]:4711"], "2001:db8::1"),
    "IPv4 written as IPv6": (["::ffff:203.0.113.7"], "203.0.113.7"),
    "nothing but garbage": (["unknown"], PEER),
    "garbage nearest to us": (["203.0.113.7, unknown"], PEER),
    "garbage behind a proxy": (["203.0.113.7, _hidden, 10.0.0.5"], "10.0.0.5"),
    "an element that looks like a log line": (['203.0.113.7", "level":"ERROR'], PEER),
    "an address out of range": (["203.0.113.256"], PEER),
    "an open bracket": (["[2001:db8::1"], PEER),
    "a port out of range of digits": (["203.0.113.7:123456"], PEER),
    "empty elements": ([" ,, 203.0.113.7 ,\t, "], "203.0.113.7"),
    "nothing": ([""], PEER),
    "several fields, which are one list": (["198.51.100.1", "203.0.113.7", "10.0.0.5"], "203.0.113.7"),
    "forty elements": ([", ".join(f"198.51.100.{n}" for n in range(40))], "198.51.100.39"),
    "forty proxies before it": (["203.0.113.7, " + ", ".join(f"10.0.0.{n}" for n in range(40))], "203.0.113.7"),
    "a hundred fields": (["203.0.113.7"] + [f"10.0.0.{n}" for n in range(100)], "203.0.113.7"),
    "16 KiB of commas": (["203.0.113.7" + "," * 16_000], "203.0.113.7"),
    "16 KiB of digits": (["1" * 16_000], PEER),
}
SCHEMES = {
    "https": (["https"], "https"),
    "http": (["http"], "http"),
    "the last of a list": (["http, https"], "https"),
    "the last of several fields": (["https", "http"], "http"),
    "another scheme": (["ftp"], None),
    "another case": (["HTTPS"], None),
    "garbage behind it": (["https, x"], None),
    "nothing": ([""], None),
}


def serve(database, trusted):
    server = Server({**database.environment, "TRUSTED_PROXIES": trusted, "WORKERS": "1"})
    try:
        yield server.wait_until_live()
    finally:
        stop_all([server])


@pytest.fixture(scope="module")
def trusting(module_database):
    """A server that trusts its peers, as the default does."""
    yield from serve(module_database, None)


@pytest.fixture(scope="module")
def wary(module_database):
    """A server that trusts other networks only."""
    yield from serve(module_database, "10.0.0.0/8,192.168.0.0/16,::1/128")


def asked(server, path, fields, request_id=None):
    """Returns the response to a request with these fields, and its log line."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields)
    if request_id:
        lines += f"X-Request-Id: {request_id}\r\n"
    with Wire(server) as wire:
        wire.send(f"GET {path} HTTP/1.1\r\n{HOST}{lines}\r\n")
        response = wire.read()
    return response, server.wait_for_access_log(request_id=response.headers["X-Request-Id"])


class TestTheClientsAddress:
    @pytest.mark.parametrize("values, address", FORWARDED.values(), ids=FORWARDED.keys())
    def test_is_what_a_trusted_proxy_says(self, trusting, values, address):
        _, line = asked(trusting, "/forwarded", [("X-Forwarded-For", value) for value in values])
        assert line["remote_addr"] == address

    @pytest.mark.parametrize("values", [values for values, _ in FORWARDED.values()], ids=FORWARDED.keys())
    def test_is_the_peers_when_the_peer_is_not_trusted(self, wary, values):
        _, line = asked(wary, "/forwarded", [("X-Forwarded-For", value) for value in values])
        assert line["remote_addr"] == PEER

    def test_is_the_peers_when_nobody_is_trusted(self, module_database, launch):
        server = launch(module_database.environment, TRUSTED_PROXIES="none").wait_until_live()
        _, line = asked(server, "/forwarded", [("X-Forwarded-For", "203.0.113.7")])
        assert line["remote_addr"] == PEER

    def test_is_written_alike_on_both_stacks(self, module_database, launch):
        server = launch(module_database.environment, HOST="::", TRUSTED_PROXIES="none").wait_until_live()
        asked(server, "/four", [])
        assert server.wait_for_access_log(path="/four")["remote_addr"] == PEER
        try:
            client = socket.create_connection(("::1", server.port), timeout=5)
        except OSError as failure:
            pytest.skip(f"this machine has no IPv6: {failure}")
        with client:
            client.sendall(f"GET /six HTTP/1.1\r\n{HOST}\r\n".encode())
            assert client.recv(4096).startswith(b"HTTP/1.1 404 ")
        assert server.wait_for_access_log(path="/six")["remote_addr"] == "::1"


class TestTheTrace:
    @pytest.mark.parametrize(
        "value", [f"Root={TRACE}", f"Root={TRACE};Parent=53995c3f42cd8ad8;Sampled=1", f"Self=1-2-3;Root={TRACE}"]
    )
    def test_of_a_trusted_peer_is_the_requests_identifier(self, trusting, value):
        response, line = asked(trusting, "/traced", [("X-Amzn-Trace-Id", value)])
        assert response.headers["X-Request-Id"] == TRACE
        assert line["trace_id"] == TRACE

    def test_of_a_trusted_peer_is_logged_beside_the_clients_identifier(self, trusting):
        response, line = asked(trusting, "/traced", [("X-Amzn-Trace-Id", f"Root={TRACE}")], request_id="the-clients")
        assert response.headers["X-Request-Id"] == "the-clients"
        assert (line["request_id"], line["trace_id"]) == ("the-clients", TRACE)

    def test_of_an_untrusted_peer_is_ignored(self, wary):
        response, line = asked(wary, "/traced", [("X-Amzn-Trace-Id", f"Root={TRACE}")])
        assert response.headers["X-Request-Id"] != TRACE
        assert "trace_id" not in line

    @pytest.mark.parametrize("value", ["", "Root=", "Root", 'Root="1"', "root=1-2-3", f"Root={'1' * 200}", ";;;=;"])
    def test_that_is_garbage_is_left_out(self, trusting, value):
        _, line = asked(trusting, "/traced", [("X-Amzn-Trace-Id", value)])
        assert "trace_id" not in line and len(line["request_id"]) == 32

    def test_is_not_needed_for_an_identifier(self, wary):
        response, _ = asked(wary, "/traced", [], request_id="the-clients")
        assert response.headers["X-Request-Id"] == "the-clients"


class TestTheScheme:
    @pytest.mark.parametrize("values, scheme", SCHEMES.values(), ids=SCHEMES.keys())
    def test_is_what_a_trusted_proxy_says(self, trusting, values, scheme):
        _, line = asked(trusting, "/scheme", [("X-Forwarded-Proto", value) for value in values])
        assert line.get("scheme") == scheme

    def test_is_left_out_when_no_proxy_sends_it(self, trusting):
        _, line = asked(trusting, "/scheme", [])
        assert "scheme" not in line

    def test_is_left_out_when_the_peer_is_not_trusted(self, wary):
        _, line = asked(wary, "/scheme", [("X-Forwarded-Proto", "https")])
        assert "scheme" not in line
