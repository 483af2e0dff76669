"""Slow, flooding and disconnecting clients, and measurements of their server."""

import os
import re
import socket
import struct
import threading
import time

from prometheus_client.parser import text_string_to_metric_families

from support.waiting import until
from support.wire import Wire

HOST = "Host: items.test\r\n"
LIVE = f"GET /health/live HTTP/1.1\r\n{HOST}\r\n"
POST_JSON = f"POST /api/items HTTP/1.1\r\n{HOST}Content-Type: application/json\r\n"


def post(body='{"name":"Unkind"}'):
    return f"{POST_JSON}Content-Length: {len(body)}\r\n\r\n{body}"


def private_kib(server):
    """Returns the server's anonymous memory in KiB; file-backed pages may be evicted at any time."""
    with open(f"/proc/{server.process.pid}/status") as status:
        return int(re.search(r"RssAnon:\s+(\d+) kB", status.read())[1])


def descriptors(server):
    return len(os.listdir(f"/proc/{server.process.pid}/fd"))


def sample(server, name, **labels):
    """Returns the sum of a metric's samples that have these labels."""
    text = server.get("/metrics").text
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


def until_alone(server, seconds=10.0):
    """Waits until the caller is the only client: one connection, one request in flight."""

    def alone():
        return (sample(server, "http_connections_open"), sample(server, "http_requests_in_flight")) == (1, 1)

    until(alone, seconds, what="every other connection and request to end")


def reset(connection):
    """Closes a socket with a RST instead of a FIN."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def narrow(server, window=2048):
    """Opens a connection with a small receive window, by default the minimum, so that responses stay in the server."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
    client.settimeout(10)
    client.connect(("127.0.0.1", server.port))
    return client


class Drip(threading.Thread):
    """Sends a byte every `interval` seconds for as long as the server accepts them."""

    def __init__(self, wire, byte=b"x", interval=0.05):
        super().__init__(daemon=True)
        self.wire, self.byte, self.interval, self.enough = wire, byte, interval, threading.Event()

    def run(self):
        while not self.enough.wait(self.interval):
            try:
                self.wire.send(self.byte)
            except OSError:
                return

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.enough.set()
        self.join(5)


class Flood(threading.Thread):
    """Pipelines one request endlessly and reads the responses as fast as they arrive."""

    def __init__(self, server, request):
        super().__init__(daemon=True)
        self.socket = socket.create_connection(("127.0.0.1", server.port))
        self.requests, self.received = (request * 2000).encode(), 0
        self.sender = threading.Thread(target=self._send, daemon=True)

    def _send(self):
        try:
            while True:
                self.socket.sendall(self.requests)
        except OSError:
            pass

    def run(self):
        self.sender.start()
        buffer = bytearray(1 << 20)
        try:
            while count := self.socket.recv_into(buffer):
                self.received += count
        except OSError:
            pass

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # the server closed first
        self.join(5)
        self.sender.join(5)
        self.socket.close()


def slowest_answer(server, seconds):
    """Returns the longest latency of a client that opens a new connection for each request."""
    slowest, end = 0.0, time.monotonic() + seconds
    while time.monotonic() < end:
        began = time.monotonic()
        with Wire(server, timeout=20) as wire:
            wire.send(LIVE)
            assert wire.read().status_code == 200
        slowest = max(slowest, time.monotonic() - began)
    return slowest
