"""Clients that read and write through the balancer, and know of every request what became of it.

They run in processes of their own, on plain sockets and epoll: what they cost is not what is measured. Half of them
keep their connection, half open one for each request. No request is ever sent again.
"""

import array
import dataclasses
import heapq
import json
import multiprocessing
import random
import select
import signal
import socket
import time

ANSWER_SECONDS = 10  # a request that takes longer hangs
START_SECONDS = 30
KNOWN_ITEMS = 1000  # of which readers choose
CREATE, ITEM, LIST, ROOT = "create", "item", "list", "root"


@dataclasses.dataclass
class Failure:
    kind: str
    moment: float  # CLOCK_MONOTONIC, as in all processes of the machine
    request_id: str
    keeps_alive: bool
    nth_on_connection: int
    reason: str


class Client:
    def __init__(self, number, keeps_alive):
        self.number, self.keeps_alive = number, keeps_alive
        self.socket = None
        self.sent_on_connection = 0
        self.count = 0
        self.close()

    def close(self):
        if self.socket is not None:
            self.socket.close()
        self.socket = None
        self.buffer = b""
        self.sent_on_connection = 0


class Generator:
    def __init__(self, port, clients, rate, tag):
        self.port, self.rate, self.tag = port, rate, tag
        self.clients = [Client(number, number % 2 == 0) for number in range(clients)]
        self.choices = random.Random(tag)
        self.epoll = select.epoll()
        self.waiting = {}  # by descriptor
        self.ids, self.acknowledged, self.failures = [], [], []
        self.ends, self.seconds = array.array("d"), array.array("d")
        self.instances = {}  # moments of the first and the last answer of each

    def run(self, pipe):
        interval = len(self.clients) / self.rate if self.rate else 0
        start = time.monotonic()
        due = [(start + interval * client.number / len(self.clients), client.number) for client in self.clients]
        heapq.heapify(due)
        announced, stopping, looked = False, False, 0.0
        while True:
            now = time.monotonic()
            if now - looked > 0.05:
                looked = now
                if not announced and len(self.ends) >= len(self.clients):
                    announced = True
                    pipe.send("ready")
                stopping = stopping or pipe.poll()
                for client in [client for client in self.waiting.values() if now - client.start > ANSWER_SECONDS]:
                    self._end(client, "no answer in time")
                    heapq.heappush(due, (now, client.number))
            if stopping and not self.waiting:
                return
            while due and due[0][0] <= now and not stopping:
                moment, number = heapq.heappop(due)
                client = self.clients[number]
                # One that came late does not catch up more than one turn.
                client.next = max(moment + interval, now - interval)
                if not self._send(client):
                    heapq.heappush(due, (max(client.next, now + 0.01), number))
            pause = 0.05 if not due or stopping else min(max(due[0][0] - time.monotonic(), 0), 0.05)
            for descriptor, _ in self.epoll.poll(pause):
                client = self.waiting[descriptor]
                if self._receive(client):
                    heapq.heappush(due, (client.next, client.number))

    def _send(self, client):
        client.count += 1
        client.request_id = f"{self.tag}-{client.number}-{client.count}"
        client.kind = self.choices.choices([CREATE, ITEM, LIST, ROOT], [30, 45, 15, 10])[0]
        if client.kind == ITEM and not self.ids:
            client.kind = CREATE
        body = b""
        method, path = "GET", "/"
        if client.kind == CREATE:
            method, path = "POST", "/api/items"
            body = json.dumps({"name": client.request_id}).encode()
        elif client.kind == ITEM:
            client.id = self.choices.choice(self.ids)
            path = f"/api/items/{client.id}"
        elif client.kind == LIST:
            path = "/api/items?limit=5&order=desc"
            client.expects_items = bool(self.ids)
        head = f"{method} {path} HTTP/1.1\r\nHost: items.test\r\nX-Request-Id: {client.request_id}\r\n"
        if body:
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        if not client.keeps_alive:
            head += "Connection: close\r\n"
        client.start = time.monotonic()
        try:
            if client.socket is None:
                client.socket = socket.create_connection(("127.0.0.1", self.port), timeout=ANSWER_SECONDS)
                client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                client.socket.setblocking(False)
                self.epoll.register(client.socket, select.EPOLLIN)
            client.sent_on_connection += 1
            client.socket.send(head.encode() + b"\r\n" + body)
        except OSError as error:
            self._end(client, f"sending: {error!r}")
            return False
        self.waiting[client.socket.fileno()] = client
        return True

    def _receive(self, client):
        """Whether the request has come to its end."""
        try:
            piece = client.socket.recv(65536)
        except BlockingIOError:
            return False
        except OSError as error:
            self._end(client, f"receiving: {error!r}")
            return True
        if not piece:
            self._end(client, f"closed after {len(client.buffer)} bytes of the answer")
            return True
        client.buffer += piece
        head, found, body = client.buffer.partition(b"\r\n\r\n")
        if not found:
            return False
        fields = {}
        for line in head.decode("latin-1").split("\r\n")[1:]:
            name, _, value = line.partition(":")
            fields[name.lower()] = value.strip()
        length = fields.get("content-length", "")
        if not length.isdigit():
            self._end(client, f"an answer without a length: {head[:80]!r}")
            return True
        if len(body) < int(length):
            return False
        status = int(head[9:12])
        try:
            wrong = self._wrong(client, status, body)
        except (ValueError, KeyError) as error:
            wrong = f"{status} {error!r} {body[:200]!r}"
        self._end(client, wrong, fields.get("connection", "").lower() == "close")
        return True

    def _wrong(self, client, status, body):
        """What is wrong with an answer, empty when nothing is."""
        answer = json.loads(body) if body else {}
        if client.kind == CREATE:
            if status == 201 and answer["name"] == client.request_id:
                self.acknowledged.append((answer["id"], client.request_id))
                if len(self.ids) < KNOWN_ITEMS:
                    self.ids.append(answer["id"])
                else:
                    self.ids[self.choices.randrange(KNOWN_ITEMS)] = answer["id"]
                return ""
        elif client.kind == ITEM:
            if status == 200 and answer["id"] == client.id:
                return ""
        elif client.kind == LIST:
            if status == 200 and (answer["items"] or not client.expects_items):
                return ""
        elif status == 200:
            now = time.monotonic()
            self.instances.setdefault(answer["instance_id"], [now, now])[1] = now
            return ""
        return f"{status} {body[:200]!r}"

    def _end(self, client, wrong, closes=False):
        now = time.monotonic()
        if client.socket is not None:
            self.waiting.pop(client.socket.fileno(), None)
        if wrong:
            self.failures.append(
                Failure(client.kind, now, client.request_id, client.keeps_alive, client.sent_on_connection, wrong)
            )
        else:
            self.ends.append(now)
            self.seconds.append(now - client.start)
        if wrong or closes or not client.keeps_alive:
            client.close()
        client.buffer = b""


def _generate(pipe, *arguments):
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends this process
    generator = Generator(*arguments)
    generator.run(pipe)
    pipe.recv()
    pipe.send((generator.acknowledged, generator.failures, generator.ends, generator.seconds, generator.instances))


class Answers:
    """What all clients together saw."""

    def __init__(self, parts):
        self.acknowledged = [item for part in parts for item in part[0]]
        self.failures = sorted((failure for part in parts for failure in part[1]), key=lambda failure: failure.moment)
        self.pairs = sorted(pair for part in parts for pair in zip(part[2], part[3]))
        self.instances = {}
        for part in parts:
            for name, (first, last) in part[4].items():
                known = self.instances.setdefault(name, [first, last])
                known[0], known[1] = min(known[0], first), max(known[1], last)

    @property
    def count(self):
        return len(self.pairs) + len(self.failures)

    def percentile(self, share, start, end):
        """Of the times of answers between two moments, in seconds."""
        times = sorted(seconds for moment, seconds in self.pairs if start <= moment <= end)
        return times[min(len(times) - 1, int(len(times) * share))] if times else float("nan")

    def rate(self, start, end):
        return sum(start <= moment <= end for moment, _ in self.pairs) / (end - start)


class Load:
    """Runs from the moment it is made until `stop`; `rate` requests a second in all, 0 for as many as go."""

    def __init__(self, port, clients=64, rate=2000, tag="refresh", processes=2):
        context = multiprocessing.get_context("spawn")  # not forked: the parent has threads
        self.pipes, self.processes = [], []
        for number in range(processes):
            pipe, child = context.Pipe()
            arguments = (child, port, clients // processes, rate / processes, f"{tag}-{number}")
            process = context.Process(target=_generate, args=arguments, daemon=True)
            process.start()
            child.close()
            self.pipes.append(pipe)
            self.processes.append(process)

    def wait_until_ready(self):
        """Every client has had an answer."""
        for pipe in self.pipes:
            if not pipe.poll(START_SECONDS):
                raise TimeoutError("the load does not start")
            pipe.recv()
        return self

    def stop(self):
        for pipe in self.pipes:
            pipe.send("stop")
        parts = []
        for pipe in self.pipes:
            if not pipe.poll(ANSWER_SECONDS + START_SECONDS):
                raise TimeoutError("the load does not end")
            parts.append(pipe.recv())
        for process in self.processes:
            process.join(10)
        return Answers(parts)

    def kill(self):
        for process in self.processes:
            if process.is_alive():
                process.kill()
            process.join(5)
