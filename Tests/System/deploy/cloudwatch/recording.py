"""What the service writes under a varied traffic, beside what its clients saw of it.

Three processes of the release binary stand for a fleet: one that meets slow statements, an outage of its database and a
drain; one whose drain cuts a request; one that finds its port taken. Every request to them is made by `Recording.ask`,
so that what is counted in their log lines can be counted a second time without them.
"""

import contextlib
import os
import shutil
import signal
import tempfile
import threading
import time

import pytest
from prometheus_client.parser import text_string_to_metric_families

from support.database import Cluster
from support.project import BINARY
from support.server import Server
from support.waiting import until
from support.wire import Wire

LASTING, LEAVING, HOMELESS = "i-0aaaaaaaaaaaaaaaa", "i-0bbbbbbbbbbbbbbbb", "i-0cccccccccccccccc"
# How long requests are held up: longer than what is called slow, shorter than the statement's own limit.
HELD_UP_SECONDS = 0.9
# What a client measures of such a request at least, even when it was asked late.
SLOW_SECONDS = 0.7
STATEMENT_MS = 1200
RECOVERY_SECONDS = 30
LINE_SECONDS = 10
TRACE = "1-67891233-abcdef012345678912345678"
REPEATED = "order-4711"
# Whose requests the database never answers.
LATE = "203.0.113.11"


class Exchange:
    """One request and its answer, as its client saw them."""

    def __init__(self, instance, method, path, route, client, agent, response, began, ended):
        self.instance, self.method, self.path, self.route = instance, method, path, route
        self.client, self.agent = client, agent
        self.status = response.status_code
        self.size = len(response.content if hasattr(response, "content") else response.body)
        self.request_id = response.headers["X-Request-Id"]
        self.began, self.ended = began, ended

    @property
    def milliseconds(self):
        return (self.ended - self.began) * 1000


class Recording:
    def __init__(self, cluster):
        self.cluster = cluster
        self.exchanges = []
        self.servers = {}
        self.guard = threading.Lock()

    def start(self, instance, **environment):
        """A server that listens; nobody has asked it anything."""
        server = Server(
            {**self.cluster.environment("items"), "DB_POOL_TIMEOUT_MS": "1000", **environment, "INSTANCE_ID": instance}
        )
        self.servers[instance] = server
        until(lambda: self.said("Serving", instance), RECOVERY_SECONDS, what=f"{instance} to serve")
        return server

    def said(self, message, instance):
        return [line for line in self.servers[instance].logs() if line["msg"] == message]

    def ask(self, method, path, route, client="203.0.113.1", instance=LASTING, agent="recording/1", **options):
        headers = {"X-Forwarded-For": client, "User-Agent": agent, **options.pop("headers", {})}
        began = time.time()
        response = self.servers[instance].request(method, path, headers=headers, **options)
        self.note(instance, method, path.split("?")[0], route, client, agent, response, began)
        return response

    def note(self, *seen):
        exchange = Exchange(*seen, time.time())
        with self.guard:
            self.exchanges.append(exchange)

    def ask_while_locked(self, seconds, count, **options):
        """`count` lists of items at once while their table is locked: for these seconds after all were asked for, or
        without seconds until all are answered."""
        clients = [
            threading.Thread(target=self.ask, args=("GET", "/api/items", "/api/items"), kwargs=options)
            for _ in range(count)
        ]
        with self.cluster.connect("items") as lock, lock.transaction():
            lock.execute("LOCK TABLE items IN ACCESS EXCLUSIVE MODE")
            for client in clients:
                client.start()
            for client in clients if seconds is None else ():
                client.join(LINE_SECONDS)
            time.sleep(seconds or 0)
        for client in clients:
            client.join(LINE_SECONDS)
            assert not client.is_alive()

    def lines(self, instance):
        """The lines of a server that has ended."""
        return [line.decode() for line in self.servers[instance].lines]

    # The story, in the order in which it happens.

    def run(self):
        self.start(
            LASTING, DRAIN_DELAY_MS="400", DB_STATEMENT_TIMEOUT_MS=str(STATEMENT_MS), REQUEST_TIMEOUT_MS="4000",
            DB_CONNECT_TIMEOUT_MS="1000",
        )  # fmt: skip
        self.start(LEAVING, DRAIN_TIMEOUT_MS="400")
        self.serve()
        self.collide()
        self.slow_down()
        self.cut()
        self.lose_the_database()
        self.scrape()
        self.drain()

    def serve(self):
        for number in range(12):
            client = f"203.0.113.{number % 3 + 1}"
            body = {"name": f"Item {number}", "description": None}
            assert self.ask("POST", "/api/items", "/api/items", client, json=body).status_code == 201
        for number in range(1, 9):
            client = f"203.0.113.{number % 4 + 1}"
            assert self.ask("GET", f"/api/items/{number}", "/api/items/{id}", client).status_code == 200
        for _ in range(3):
            headers = {"X-Request-Id": REPEATED, "X-Amzn-Trace-Id": f"Root={TRACE}", "X-Forwarded-Proto": "https"}
            self.ask("GET", "/api/items", "/api/items", "203.0.113.9", headers=headers, agent="repeater/2")
        self.ask("GET", "/api/items/1", "/api/items/{id}", instance=LEAVING, headers={"X-Request-Id": REPEATED})
        assert self.ask("GET", "/api/items/99999", "/api/items/{id}").status_code == 404
        assert self.ask("GET", "/api/items?limit=0", "/api/items", "198.51.100.7").status_code == 400
        for _ in range(2):
            assert self.ask("POST", "/api/items", "/api/items", "198.51.100.7", json={"name": ""}).status_code == 422
        assert self.ask("POST", "/api/items", "/api/items", "198.51.100.7", data="x").status_code == 415
        for number, path in enumerate(("/wp-login.php", "/.env", "/wp-login.php", "/wp-login.php")):
            assert self.ask("GET", path, "unmatched", f"192.0.2.{number % 2 + 1}").status_code == 404
        for path in ("/", "/db", "/health", "/healthz", "/health/live", "/health/ready"):
            assert self.ask("GET", path, path, "10.0.0.5", agent="ELB-HealthChecker/2.0").status_code == 200
        assert self.ask("GET", "/health", "/health", "10.0.0.5", instance=LEAVING).status_code == 200
        with Wire(self.servers[LASTING]) as wire:
            began = time.time()
            wire.send("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
            self.note(LASTING, "", "", "unmatched", "127.0.0.1", None, wire.read(), began)

    def collide(self):
        """A second process on the same port ends at once."""
        port = str(self.servers[LASTING].port)
        self.servers[HOMELESS] = Server({**self.cluster.environment("items"), "PORT": port, "INSTANCE_ID": HOMELESS})
        assert self.servers[HOMELESS].wait() == 1

    def slow_down(self):
        """Most lists are quick, one in twelve takes a moment, one in twenty-five is slow: so that p50, p95 and p99 of
        this route differ."""
        for _ in range(100):
            self.ask("GET", "/api/items?limit=1", "/api/items", "203.0.113.5")
        self.ask_while_locked(0.07, 10, client="203.0.113.4")
        self.ask_while_locked(HELD_UP_SECONDS, 3, client="203.0.113.2")
        self.ask_while_locked(None, 2, client=LATE)
        late = [exchange.status for exchange in self.exchanges if exchange.client == LATE]
        # One of them may still have waited for a connection when its time was over.
        assert set(late) <= {503, 504} and 504 in late, late

    def cut(self):
        """A drain that does not wait for a request whose body never ends; its client gets no answer."""
        server = self.servers[LEAVING]
        with Wire(server) as wire:
            wire.send("POST /api/items HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n")
            wire.send("Content-Length: 9\r\nExpect: 100-continue\r\n\r\n")
            assert wire.read().status_code == 100
            wire.send("{")
            self.cut_began = time.time()
            server.signal(signal.SIGTERM)
            assert server.wait() == 0
            self.cut_ended = time.time()
            assert wire.closed()

    def lose_the_database(self):
        samples = self.samples_now()
        self.connections_lost = sum(one.value for one in samples if one.name == "db_pool_connections")
        with self.cluster.connect() as watcher:
            held = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'items' AND backend_type = 'client backend'"
            until(
                lambda: watcher.execute(held).fetchone()[0] == self.connections_lost,
                LINE_SECONDS, what="the server to hold as many connections as the service",
            )  # fmt: skip
        self.outage_began = time.time()
        self.cluster.stop()
        until(lambda: self.said("Database is unreachable", LASTING), LINE_SECONDS, what="the outage to be noticed")
        for number in range(7):
            client = f"203.0.113.{number % 3 + 1}"
            assert self.ask("GET", "/api/items/1", "/api/items/{id}", client).status_code == 503
        for number in range(2):
            assert self.ask("POST", "/api/items", "/api/items", json={"name": "Lost"}).status_code == 503
        headers = {"X-Request-Id": REPEATED}
        assert self.ask("GET", "/api/items/1", "/api/items/{id}", headers=headers).status_code == 503
        assert self.ask("GET", "/health", "/health", "10.0.0.5").status_code == 503
        assert self.ask("GET", "/health/live", "/health/live", "10.0.0.5").status_code == 200
        self.cluster.start()
        until(
            lambda: self.ask("GET", "/api/items/1", "/api/items/{id}").status_code == 200,
            RECOVERY_SECONDS, interval=0.1, what="the first answer after the outage",
        )  # fmt: skip
        until(lambda: len(self.said("Database is reachable", LASTING)) == 2, LINE_SECONDS, what="the return's line")
        self.outage_ended = time.time()

    def scrape(self):
        """The counters before the drain, which know nothing of the request that asks for them."""
        self.scraped = time.time()
        self.samples = self.samples_now()

    def samples_now(self):
        text = self.ask("GET", "/metrics", "/metrics", "10.0.0.6").text
        return [sample for family in text_string_to_metric_families(text) for sample in family.samples]

    def drain(self):
        self.drain_began = time.time()
        self.servers[LASTING].signal(signal.SIGTERM)
        until(lambda: self.ask("GET", "/health", "/health", "10.0.0.5").status_code == 503, what="the drain to begin")
        assert self.ask("GET", "/api/items/2", "/api/items/{id}").status_code == 200
        assert self.servers[LASTING].wait() == 0
        self.drain_ended = time.time()

    def stop(self):
        for server in self.servers.values():
            if server.process.poll() is None:
                server.process.kill()
                server.process.wait()
            server.reader.join(LINE_SECONDS)
            server.process.stdout.close()
            server.stderr.close()


@pytest.fixture(scope="module")
def recording():
    """The recording of one story, which takes about five seconds; everything in it has ended."""
    assert os.access(BINARY, os.X_OK), f"{BINARY} is missing: make build"
    # SIGTERM ends the run as Ctrl-C does, so that the cluster is still removed.
    before = signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    directory = tempfile.mkdtemp(prefix="items-cloudwatch.", dir="/tmp")
    cluster = Cluster(directory)
    recording = Recording(cluster)
    try:
        cluster.start()
        recording.run()
        yield recording
    finally:
        recording.stop()
        with contextlib.suppress(AssertionError):
            cluster.remove()
        shutil.rmtree(directory, ignore_errors=True)
        signal.signal(signal.SIGTERM, before)
