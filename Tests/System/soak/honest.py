"""Honest clients: each keeps its connection, and checks every response against what it expects."""

import collections
import http.client
import json
import random
import threading
import time

TEXTS = ("plain", "ünïcödé", "日本語", 'quotes " and \\ backslash', "emoji 🙂", "tab\tand\nline", "<b>&amp;</b>")
REMEMBERED = 2000  # items that a client remembers to check lists and lookups


class Wrong(Exception):
    """A response differs from the expected one."""


class Friend(threading.Thread):
    def __init__(self, port, name, seed, enough):
        super().__init__(name=name, daemon=True)
        self.port, self.enough = port, enough
        self.random = random.Random(f"{seed}/{name}")
        self.connection = None
        self.items, self.order = {}, collections.deque()
        self.times, self.faults = collections.defaultdict(list), []

    def run(self):
        acts = [self.create, self.read, self.read, self.read, self.list, self.missing, self.health, self.head, self.bad]
        count = 0
        while not self.enough.is_set():
            act = self.random.choice(acts) if self.items else self.create
            count += 1
            try:
                act(count)
            except (OSError, http.client.HTTPException, Wrong, ValueError, KeyError) as fault:
                self.faults.append(f"{self.name}, {act.__name__}, request {count}: {type(fault).__name__}: {fault}")
                self.close()

    def close(self):
        if self.connection:
            self.connection.close()
        self.connection = None

    def ask(self, kind, method, path, expected, body=None, headers=()):
        """Returns the response and its parsed JSON, and records the latency under `kind`."""
        self.connection = self.connection or http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        identifier = f"{self.name}-{self.random.randrange(1 << 40):x}"
        fields = {"X-Request-Id": identifier, **dict(headers)}
        began = time.monotonic()
        self.connection.request(method, path, body, fields)
        response = self.connection.getresponse()
        data = response.read()
        self.times[kind].append(time.monotonic() - began)
        if response.status != expected:
            raise Wrong(f"{method} {path}: {response.status} instead of {expected}: {data[:300]!r}")
        if response.getheader("X-Request-Id") != identifier:
            raise Wrong(f"{method} {path}: the answer to {response.getheader('X-Request-Id')}, not {identifier}")
        if response.will_close:
            raise Wrong(f"{method} {path}: the connection closes")
        return response, json.loads(data) if data else None

    def equal(self, what, found, expected):
        if found != expected:
            raise Wrong(f"{what}: {found!r} instead of {expected!r}")

    def create(self, count):
        name = f"{self.name} {count} {self.random.choice(TEXTS)}".replace("\t", " ").replace("\n", " ")
        description = self.random.choice([None, "", self.random.choice(TEXTS) * self.random.randrange(1, 60)])
        body = json.dumps({"name": name, "description": description}, ensure_ascii=self.random.random() < 0.5).encode()
        response, item = self.ask(
            "create", "POST", "/api/items", 201, body, {"Content-Type": "application/json"}.items()
        )
        self.equal("what was created", (item["name"], item["description"]), (name, description))
        self.equal("its location", response.getheader("Location"), f"/api/items/{item['id']}")
        if item["id"] in self.items:
            raise Wrong(f"item {item['id']} was created twice")
        self.items[item["id"]] = item
        self.order.append(item["id"])
        if len(self.order) > REMEMBERED:
            del self.items[self.order.popleft()]

    def read(self, _):
        number = self.random.choice(self.order)
        _, item = self.ask("read", "GET", f"/api/items/{number}", 200)
        self.equal(f"item {number}", item, self.items[number])

    def list(self, _):
        limit, last = self.random.randrange(1, 40), self.random.choice(self.order)
        _, page = self.ask("list", "GET", f"/api/items?limit={limit}&order=desc&cursor=d{last + 1}", 200)
        numbers = [item["id"] for item in page["items"]]
        self.equal("the order of a list", numbers, sorted(numbers, reverse=True))
        self.equal("the first of a list", numbers[0], last)
        if len(numbers) > limit:
            raise Wrong(f"{len(numbers)} items instead of {limit}")
        for item in page["items"]:
            self.equal(f"item {item['id']} in a list", item, self.items.get(item["id"], item))

    def missing(self, _):
        _, problem = self.ask("missing", "GET", "/api/items/9223372036854775807", 404)
        self.equal("a problem's status", problem["status"], 404)

    def bad(self, _):
        body = self.random.choice([b"{", b'{"name":}', b"[1,", b'{"name":"a"}x'])
        _, problem = self.ask("bad", "POST", "/api/items", 400, body, {"Content-Type": "application/json"}.items())
        self.equal("a problem's status", problem["status"], 400)

    def health(self, _):
        _, health = self.ask("health", "GET", "/health", 200)
        self.equal("health", (health["status"], health["checks"]["database"]["status"]), ("healthy", "up"))

    def head(self, _):
        response, nothing = self.ask("head", "HEAD", f"/api/items/{self.random.choice(self.order)}", 200)
        self.equal("the content of HEAD", nothing, None)
        if int(response.getheader("Content-Length")) < 50:
            raise Wrong("HEAD tells another length than GET")


class Friends:
    def __init__(self, port, seed, count):
        self.enough = threading.Event()
        self.clients = [Friend(port, f"honest-{number}", seed, self.enough) for number in range(count)]

    def start(self):
        for client in self.clients:
            client.start()

    def stop(self):
        self.enough.set()
        for client in self.clients:
            client.join(30)
            client.close()

    @property
    def faults(self):
        stuck = [f"{client.name} is stuck" for client in self.clients if client.is_alive()]
        return stuck + [fault for client in self.clients for fault in client.faults]

    def times(self):
        """Returns the latencies in seconds, by kind of request."""
        times = collections.defaultdict(list)
        for client in self.clients:
            for kind, values in client.times.items():
                times[kind] += values
        return times
