"""Hostile and faulty clients, in a separate process so that they do not slow down the honest ones."""

import collections
import multiprocessing
import random
import re
import socket
import struct
import threading
import time

from mutation import HOST, JSON, mutated
from service import CLIENTS_OWN_FAULTS

LIVE = b"GET /health/live HTTP/1.1\r\n" + HOST + b"\r\n"
LIST = b"GET /api/items?limit=100 HTTP/1.1\r\n" + HOST + b"\r\n"
POST = b"POST /api/items HTTP/1.1\r\n" + HOST + JSON
ITEM = POST + b'Content-Length: 12\r\n\r\n{"name":"e"}'
MOMENTS = [
    b"",
    b"GET /api",
    LIVE[:-2],
    POST + b"Content-Length: 12\r\n\r\n",
    ITEM[:-3],
    ITEM,
    LIST * 20,
    LIVE * 3 + ITEM + LIVE[:9],
    b"nonsense\r\n\r\n",
]
PATIENCE = 4.0  # seconds after which a slow client must be disconnected; the server's timeouts are 1 s


class Fault(Exception):
    """The server violated a requirement."""


class Enemy(threading.Thread):
    def __init__(self, port, name, seed, enough):
        super().__init__(name=name, daemon=True)
        self.port, self.enough = port, enough
        self.random = random.Random(f"{seed}/{name}")
        self.counts, self.faults = collections.Counter(), []

    def run(self):
        kinds = [self.slow_head, self.slow_body, self.deaf, self.silent, self.one_byte, self.pipelined]
        kinds += [self.resets, self.half_closed, self.noise, self.too_large, self.dripping_reader] * 3
        kinds += [self.mutations] * 10
        while not self.enough.is_set():
            kind = self.random.choice(kinds)
            self.counts[kind.__name__] += 1
            try:
                kind()
            except Fault as fault:
                self.faults.append((kind.__name__, f"{self.name}, {kind.__name__}: {fault}"))
            except ConnectionRefusedError as fault:
                self.faults.append((kind.__name__, f"{self.name}, {kind.__name__}: {fault}"))
                time.sleep(0.5)
            except OSError:
                pass  # clients that misbehave must expect a reset

    def connect(self, window=None):
        client = socket.socket()
        if window:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        client.settimeout(10)
        client.connect(("127.0.0.1", self.port))
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return client

    def reset(self, client):
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()

    def everything(self, client):
        """Returns everything received until the end of stream; a timeout is raised to the caller."""
        answer = b""
        try:
            while data := client.recv(1 << 16):
                answer += data
        except ConnectionResetError:
            pass
        return answer

    def judge(self, sent, answer):
        """Fails unless the answer consists of HTTP responses without an unexpected 5xx."""
        if answer and not answer.startswith(b"HTTP/1."):
            raise Fault(f"{sent!r} was answered {answer[:200]!r}")
        for status in re.findall(rb"(?:\A|(?<=[}\n]))HTTP/1\.[01] (\d{3})", answer):
            if int(status) >= 500 and int(status) not in CLIENTS_OWN_FAULTS:
                raise Fault(f"{sent!r} was answered {int(status)}")

    def drip(self, start, byte, interval=0.1):
        with self.connect() as client:
            client.sendall(start)
            client.settimeout(interval)
            answer, end = b"", time.monotonic() + PATIENCE
            while time.monotonic() < end:
                try:
                    data = client.recv(4096)
                    answer += data
                    if not data:
                        break
                except TimeoutError:
                    client.sendall(byte)
            else:
                raise Fault(f"{start!r} and a byte now and then held the connection for {PATIENCE} s")
            if not answer.startswith(b"HTTP/1.1 408 "):
                raise Fault(f"{start!r} and a byte now and then was answered {answer[:100]!r}")

    def slow_head(self):
        self.drip(self.random.choice([b"G", b"GET /", LIVE[:-2] + b"X-Slow: "]), b"x")

    def slow_body(self):
        length = POST + b"Content-Length: 100000\r\n\r\n{"
        chunks = POST + b"Transfer-Encoding: chunked\r\n\r\n"
        self.drip(*self.random.choice([(length, b" "), (chunks, b"1\r\n \r\n")]))

    def deaf(self):
        """Requests 200 lists and reads nothing, then resets the connection."""
        client = self.connect(window=2048)
        try:
            client.sendall(LIST * 200)
            time.sleep(self.random.uniform(0, 2))
        finally:
            self.reset(client)

    def dripping_reader(self):
        client = self.connect(window=2048)
        try:
            client.sendall(LIST * 20)
            for _ in range(20):
                client.recv(self.random.randrange(1, 1000))
                time.sleep(0.01)
        finally:
            self.reset(client)

    def silent(self):
        with self.connect():
            time.sleep(self.random.uniform(0, 1))

    def one_byte(self):
        with self.connect() as client:
            request = self.random.choice([LIVE, ITEM])
            for position in range(len(request)):
                client.sendall(request[position : position + 1])
            if not client.recv(4096).startswith((b"HTTP/1.1 200", b"HTTP/1.1 201")):
                raise Fault(f"{request!r}, byte by byte, was not answered")

    def pipelined(self):
        """Pipelines up to 2,000 requests and checks that the responses are in order."""
        count = self.random.randrange(1, 2000)
        start = LIVE[:-2]
        requests = b"".join(start + b"X-Request-Id: n%d\r\n\r\n" % number for number in range(count))
        with self.connect() as client:
            sender = threading.Thread(target=self.send_all, args=(client, requests), daemon=True)
            sender.start()
            answer = b""
            while answer.count(b"X-Request-Id: n") < count or not answer.endswith(b"}"):
                data = client.recv(1 << 18)
                if not data:
                    raise Fault(f"{count} pipelined requests had {answer.count(b'X-Request-Id: n')} answers")
                answer += data
            sender.join(5)
        found = [int(number) for number in re.findall(rb"X-Request-Id: n(\d+)\r\n", answer)]
        if found != list(range(count)):
            raise Fault(f"{count} pipelined requests were answered out of order: {found}")

    def send_all(self, client, data):
        try:
            client.sendall(data)
        except OSError:
            pass

    def resets(self):
        for _ in range(20):
            client = self.connect()
            client.sendall(self.random.choice(MOMENTS))
            if self.random.random() < 0.5:
                time.sleep(self.random.uniform(0, 0.005))
            self.reset(client) if self.random.random() < 0.7 else client.close()

    def half_closed(self):
        with self.connect() as client:
            client.sendall(ITEM + LIVE)
            client.shutdown(socket.SHUT_WR)
            answer = self.everything(client)
            if answer.count(b"HTTP/1.1 20") != 2:
                raise Fault(f"a client that closed its side got {answer[:300]!r}")

    def noise(self):
        data = self.random.randbytes(self.random.randrange(1, 5000))
        self.send_and_judge(b"\x16\x03\x01" + data if self.random.random() < 0.3 else data)

    def too_large(self):
        length = self.random.choice([1_048_577, 5 << 20])
        with self.connect() as client:
            client.sendall(POST + b"Content-Length: %d\r\n\r\n" % length)
            try:
                client.sendall(b" " * length)
                answer = client.recv(4096)
            except (BrokenPipeError, ConnectionResetError):
                raise Fault(f"a body of {length} bytes was cut before its answer") from None
            if not answer.startswith(b"HTTP/1.1 413 "):
                raise Fault(f"a body of {length} bytes was answered {answer[:100]!r}")

    def mutations(self):
        for _ in range(20):
            self.send_and_judge(mutated(self.random))

    def send_and_judge(self, data):
        with self.connect() as client:
            try:
                if self.random.random() < 0.3:
                    cut = self.random.randrange(len(data) + 1)
                    client.sendall(data[:cut])
                    client.sendall(data[cut:])
                else:
                    client.sendall(data)
                client.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # the server refused the request before all of it was sent
            try:
                answer = self.everything(client)
            except TimeoutError:
                raise Fault(f"{data!r} kept the connection open") from None
            self.judge(data, answer)


def attack(port, seed, count, enough, results):
    """Runs `count` hostile clients until `enough` is set; the entry point of the process."""
    enemies = [Enemy(port, f"hostile-{number}", seed, enough) for number in range(count)]
    for enemy in enemies:
        enemy.start()
    enough.wait()
    counts, faults = collections.Counter(), []
    for enemy in enemies:
        enemy.join(30)
        if enemy.is_alive():
            faults.append(("stuck", f"{enemy.name} is stuck"))
        counts += enemy.counts
        faults += enemy.faults
    results.put((counts, faults))


class Enemies:
    def __init__(self, port, seed, count):
        context = multiprocessing.get_context("spawn")
        self.enough, self.results = context.Event(), context.Queue()
        self.process = context.Process(target=attack, args=(port, seed, count, self.enough, self.results), daemon=True)
        self.done, self.found = collections.Counter(), []

    def start(self):
        self.process.start()

    def stop(self):
        self.enough.set()
        try:
            self.done, self.found = self.results.get(timeout=60)
        except Exception as failure:
            self.found = [("lost", f"the hostile clients were lost: {failure!r}")]
        self.process.join(10)

    @property
    def faults(self):
        return [text for _, text in self.found]

    def counts(self):
        """Returns for each attack how often it was made, and how often the server failed."""
        faults = collections.Counter(kind for kind, _ in self.found)
        return {kind: (self.done[kind], faults[kind]) for kind in self.done.keys() | faults.keys()}
