"""Every case of the conformance corpus, sent over a socket to the release binary."""

import collections
import os
import re

import corpus
import pytest

from support.project import ROOT
from support.waiting import until
from support.wire import Wire

CASES = corpus.load()
PROBE = b"GET /health/live HTTP/1.1\r\nHost: a\r\nX-Request-Id: probe\r\n\r\n"


class Refusals:
    """The server's counters of refused requests, read over a separate connection."""

    def __init__(self, server):
        self.wire = Wire(server)
        self.counts = self._read()

    def _read(self):
        self.wire.send("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
        found = re.findall(r'^http_parse_errors_total\{reason="(\w+)"\} (\d+)', self.wire.read().text, re.MULTILINE)
        return collections.Counter({reason: int(count) for reason, count in found})

    def new(self):
        """Returns the refusals since the last call."""
        before, self.counts = self.counts, self._read()
        return dict(self.counts - before)


@pytest.fixture(scope="module")
def refusals(server):
    refusals = Refusals(server)
    with refusals.wire:
        yield refusals


def play(case, wire):
    """Sends the case and returns the responses, including interim ones, in order."""
    answers = []

    def read():
        final = sum(answer.status_code >= 200 for answer in answers)
        answers.append(wire.read(head_only=final + 1 in case.without_body))
        return answers[-1]

    for step in case.steps:
        if isinstance(step, bytes):
            wire.send_what_it_takes(step)
        else:
            while read().status_code != step:
                assert len(answers) <= len(case.statuses), "the interim answer did not come"
    if case.half_close:
        wire.half_close()
    while len(answers) < len(case.statuses):
        read()
    return answers


def check_is_well_formed(answer, closes):
    """Checks what every final response has. A wrong Content-Length shows when the next response is parsed."""
    assert answer.version == "HTTP/1.1"
    headers = answer.headers
    assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", headers["Date"])
    assert headers["X-Request-Id"]
    assert ("Content-Length" in headers) == (answer.status_code not in (204, 304)), headers
    assert (headers.get("Connection", "").lower() == "close") == closes, headers


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_the_case(server, refusals, case):
    try:
        with Wire(server) as wire:
            answers = play(case, wire)
            assert tuple(answer.status_code for answer in answers) == case.statuses, case.why
            if case.stays_open:
                wire.send(PROBE)
                probe = wire.read()
                assert probe.headers["X-Request-Id"] == "probe", f"an extra response: {probe.status_code} {probe.text}"
            else:
                assert wire.closed(), f"still open, or an extra response: {wire.buffer[:200]!r}"
    finally:
        # Read even after a failure, so that the next case does not report these refusals.
        refused = refusals.new()
    assert refused == ({case.reason: 1} if case.reason else {}), case.why

    final = [answer for answer in answers if answer.status_code >= 200]
    for number, answer in enumerate(final, start=1):
        # To a client that has closed its side, the server announces the close only if it closes anyway.
        announces = number == len(final) and not case.stays_open
        if case.half_close and "Connection" not in answer.headers:
            announces = False
        check_is_well_formed(answer, announces)
        if case.reason and number == len(final):
            assert answer.headers["Content-Type"] == "application/problem+json"
    if case.ids:
        assert tuple(answer.headers["X-Request-Id"] for answer in final) == case.ids


class TestTheCorpus:
    def test_is_large_and_its_names_are_unique(self):
        assert len(CASES) >= 300
        assert [name for name, count in collections.Counter(case.name for case in CASES).items() if count > 1] == []

    def test_has_a_case_for_every_reason(self):
        source = (ROOT / "Sources/HTTP1/ProtocolError.swift").read_text(encoding="utf-8")
        reasons = set(re.findall(r'^    case \w+ = "(\w+)"$', source, re.MULTILINE))
        assert len(reasons) > 30
        # Query errors are found when a handler reads the query.
        assert reasons - {case.reason for case in CASES} - {case.query for case in CASES} == set()

    def test_says_why_in_a_sentence(self):
        assert [case.name for case in CASES if not re.fullmatch(r"[A-Zh].{10,}[^.]\.", case.why)] == []


class TestTheServer:
    """The server's state after all cases; this class runs last in this file."""

    def test_closes_every_descriptor_of_the_cases(self, server, refusals):
        def descriptors():
            return len(os.listdir(f"/proc/{server.process.pid}/fd"))

        def connections():
            response = server.get("/metrics")
            return int(re.search(r"^http_connections_open(?:\{.*\})? (\d+)", response.text, re.MULTILINE)[1])

        # The connection of `refusals` and that of this request.
        until(lambda: connections() == 2, what="every other connection to be closed")
        quiet = descriptors()
        # Each client disconnects in the middle. Requests to the database are excluded, because its pool may grow.
        for case in [case for case in CASES if b"/api" not in case.bytes][::4]:
            with Wire(server) as wire:
                wire.send_what_it_takes(case.bytes)
        until(lambda: descriptors() <= quiet, what="the descriptors to be closed")

    def test_is_in_good_health(self, server):
        assert server.get("/health").json()["status"] == "healthy"
