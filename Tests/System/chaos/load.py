"""The load: keep-alive clients in a separate process, so that the scenario's code does not delay the measurement.

Every response is a record. Times are CLOCK_MONOTONIC, which is the same in all processes of a machine.
"""

import asyncio
import dataclasses
import json
import multiprocessing
import random
import signal
import time

# Longer than any deadline of the service: a request that takes this long hangs.
CLIENT_SECONDS = 10
START_SECONDS = 30

CREATE, ITEM, LIST, HEALTH, PROBE = "create", "item", "list", "health", "probe"
READS = {ITEM, LIST}
PROBES = ["/health/live", "/metrics", "/"]
PROBE_INTERVAL = 0.1


@dataclasses.dataclass(slots=True)
class Record:
    kind: str
    start: float
    end: float
    status: int  # 0: no response
    retry_after: bool
    detail: str  # the created item's name, the item's id, or the probe's path
    error: str = ""

    @property
    def seconds(self):
        return self.end - self.start

    @property
    def is_good(self):
        return 200 <= self.status < 300


class Broken(Exception):
    """The service violated the protocol."""


class Client:
    """One kept-alive connection. A request is not repeated when the connection closes before its response."""

    def __init__(self, port):
        self.port = port
        self.reader = self.writer = None

    async def request(self, method, path, body=b""):
        try:
            async with asyncio.timeout(CLIENT_SECONDS):
                if self.writer is None:
                    self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
                head = f"{method} {path} HTTP/1.1\r\nHost: chaos\r\n"
                if body:
                    head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
                self.writer.write(head.encode() + b"\r\n" + body)
                return await self._answer()
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError, Broken) as error:
            self.close()
            return 0, False, f"{type(error).__name__} {error}".encode()

    async def _answer(self):
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        status = int(head.split(" ", 2)[1])
        length, keep, retry_after = None, True, False
        for field in head.split("\r\n")[1:]:
            name, _, value = field.partition(":")
            name, value = name.lower(), value.strip()
            if name == "content-length":
                length = int(value)
            elif name == "connection" and value.lower() == "close":
                keep = False
            elif name == "retry-after":
                retry_after = value.isdigit()
        if length is None:
            raise Broken("an answer without a length")
        body = await self.reader.readexactly(length)
        if not keep:
            self.close()
        return status, retry_after, body

    def close(self):
        if self.writer is not None:
            self.writer.close()
        self.reader = self.writer = None


class Generator:
    """`clients` clients, each with a random pause between requests, `rate` requests per second in total."""

    def __init__(self, port, clients, rate, seed, tag):
        self.port, self.clients, self.rate, self.tag = port, clients, rate, tag
        self.seed = seed
        self.records = []
        self.ids = []
        self.stopping = asyncio.Event()
        self.unready = clients + len(PROBES)  # clients and probes that have received no response yet
        self.lag = 0.0

    async def run(self, pipe):
        tasks = [asyncio.create_task(self._client(number)) for number in range(self.clients)]
        tasks += [asyncio.create_task(self._probe(path)) for path in PROBES]
        tasks.append(asyncio.create_task(self._measure_lag()))
        while self.unready:
            await asyncio.sleep(0.01)
        self.lag = 0.0
        pipe.send("ready")
        while not pipe.poll():
            await asyncio.sleep(0.02)
        pipe.recv()
        self.stopping.set()
        await asyncio.gather(*tasks)

    async def _measure_lag(self):
        """Measures the highest delay of this process itself, which it cannot distinguish from a slow service."""
        while not self.stopping.is_set():
            began = time.monotonic()
            await asyncio.sleep(0.01)
            self.lag = max(self.lag, time.monotonic() - began - 0.01)

    def _record(self, kind, start, answer, detail):
        status, retry_after, body = answer
        error = "" if 200 <= status < 300 else body[:300].decode("latin-1")
        self.records.append(Record(kind, start, time.monotonic(), status, retry_after, detail, error))

    async def _client(self, number):
        choices = random.Random(f"{self.seed}/{number}")
        client = Client(self.port)
        created = 0
        is_first = True
        await asyncio.sleep(choices.random() * self.clients / self.rate)
        while not self.stopping.is_set():
            kind = choices.choices([CREATE, ITEM, LIST, HEALTH], [40, 35, 15, 10])[0]
            detail = ""
            start = time.monotonic()
            if kind == CREATE or kind == ITEM and not self.ids:
                kind = CREATE
                created += 1
                detail = f"{self.tag}-{number}-{created}"
                answer = await client.request("POST", "/api/items", json.dumps({"name": detail}).encode())
                if answer[0] == 201:
                    self.ids.append(json.loads(answer[2])["id"])
            elif kind == ITEM:
                detail = str(choices.choice(self.ids))
                answer = await client.request("GET", f"/api/items/{detail}")
            elif kind == LIST:
                answer = await client.request("GET", "/api/items?limit=20&order=desc")
            else:
                answer = await client.request("GET", "/health")
            self._record(kind, start, answer, detail)
            self.unready -= is_first
            is_first = False
            await asyncio.sleep(choices.random() * 2 * self.clients / self.rate)
        client.close()

    async def _probe(self, path):
        client = Client(self.port)
        is_first = True
        while not self.stopping.is_set():
            start = time.monotonic()
            self._record(PROBE, start, await client.request("GET", path), path)
            self.unready -= is_first
            is_first = False
            await asyncio.sleep(PROBE_INTERVAL)
        client.close()


def _generate(pipe, *arguments):
    # Ctrl-C is handled by the parent, which ends this process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    async def run():
        generator = Generator(*arguments)
        await generator.run(pipe)
        pipe.send((generator.records, generator.lag))

    asyncio.run(run())


class Load:
    """Runs from its creation until `stop`, which returns every record, sorted by end time."""

    def __init__(self, port, clients=64, rate=800, seed=0, tag="chaos"):
        # Spawned, not forked: the parent has threads.
        context = multiprocessing.get_context("spawn")
        self.pipe, child = context.Pipe()
        self.process = context.Process(target=_generate, args=(child, port, clients, rate, seed, tag), daemon=True)
        self.process.start()
        child.close()
        self.lag = 0.0

    def wait_until_ready(self):
        """Waits until every client has received a response."""
        if not self.pipe.poll(START_SECONDS):
            raise TimeoutError("the load does not start")
        self.pipe.recv()

    def stop(self):
        self.pipe.send("stop")
        if not self.pipe.poll(CLIENT_SECONDS + 10):
            raise TimeoutError("the load does not end")
        records, self.lag = self.pipe.recv()
        self.process.join(10)
        return records

    def kill(self):
        if self.process.is_alive():
            self.process.kill()
        self.process.join(5)
