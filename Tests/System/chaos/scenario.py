"""One run of a scenario: load, fault, recovery, quiet."""

import contextlib
import dataclasses
import random
import time
import typing

import psycopg

from invariants import Verdict
from load import Load
from observer import Observer

WARM_SECONDS = 0.8
SETTLE_SECONDS = 2.5

scenarios = {}


@dataclasses.dataclass
class Scenario:
    name: str
    body: typing.Callable
    world: typing.Callable
    goal: float = 1.0  # seconds from the database's recovery to the first success
    known_within: float | None = None  # seconds from the fault until no request waits; None: never fully unavailable
    reads_fail: bool = True  # False if another connection is always available, so that every read is retried on it
    forgets: bool = False  # the fault deletes earlier items, so that 404 is a correct response
    strands_backends: bool = False  # the server cannot detect that the service abandoned a connection
    stays_frozen: bool = False  # cancel requests to a frozen server keep threads and sockets, up to a limit
    settle: float = SETTLE_SECONDS
    quick: bool = False  # part of the short suite
    mixes: bool = False  # leaves its world unchanged, so that runs may share one
    fills: bool = True  # half of the runs begin with the pool at its maximum


def scenario(name, world, **options):
    """Registers the function that causes the fault and undoes it, given a `Run`."""

    def register(body):
        scenarios[name] = Scenario(name, body, world, **options)
        return body

    return register


class Run:
    """The state of one run, passed to the scenario's function: its world, its random numbers, and
    its recorded events."""

    def __init__(self, chosen, world, seed, long=False, clients=64):
        self.scenario, self.world, self.seed, self.long, self.clients = chosen, world, seed, long, clients
        self.rng = random.Random(f"{seed}/{chosen.name}/body")
        self.tag = f"{chosen.name}-{seed}"
        self.events, self.verdicts, self.figures, self.none_fail_between = [], [], {}, []
        self.fault_at = self.away_at = self.healed_at = None
        self.records, self.stored = [], {}
        self.lag = 0.0
        self.exit_status = None
        self.log_start = 0
        self.usage_before = self.usage_after = None

    @property
    def cluster(self):
        return self.world.cluster

    @property
    def proxy(self):
        return self.world.proxy

    def fault(self, what):
        """Records an event. The first one is the start of the outage."""
        now = time.monotonic()
        self.events.append((now, what))
        if self.fault_at is None:
            self.fault_at = self.away_at = now

    def away(self, what):
        """Records the moment at which the database is fully unavailable, if that is later than the fault."""
        self.away_at = time.monotonic()
        self.events.append((self.away_at, what))

    def healed(self, moment=None, what="the database takes connections"):
        """Records that the database is available again. The last call is the start of the recovery time."""
        self.healed_at = moment or time.monotonic()
        self.events.append((self.healed_at, what))

    def note(self, what):
        self.events.append((time.monotonic(), what))

    def check(self, name, held, detail=""):
        self.verdicts.append(Verdict(name, bool(held), detail))

    def so_far_no_request_fails(self):
        self.none_fail_between.append((0, time.monotonic()))

    def pause(self, least, most=None):
        time.sleep(self.rng.uniform(least, most or least))

    def fill_pool(self, seconds=0.4):
        """Makes the pool grow by a lock that delays writes without failing them. Returns the highest
        number of its connections."""
        most = 0
        with self.cluster.connect("items") as other, other.transaction():
            other.execute("LOCK TABLE items IN SHARE MODE")
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                most = max(most, len(self.cluster.backends()))
                time.sleep(0.02)
        time.sleep(0.2)
        self.note(f"a lock made the pool grow to {most}")
        return most

    def perform(self):
        world = self.world
        load = observer = None
        self.log_start = world.service.log_size()
        try:
            load = Load(world.service.port, self.clients, seed=self.seed, tag=self.tag)
            observer = self.observer = Observer(world.clusters, world.service, world.ports)
            load.wait_until_ready()
            time.sleep(WARM_SECONDS)
            if self.scenario.fills and self.rng.random() < 0.5:
                self.fill_pool()
            self.usage_before = world.usage()
            self.scenario.body(self)
            time.sleep(self.scenario.settle)
            if world.service.exit_status() is None:
                self.usage_after = world.usage()
            self.stopped_at = time.monotonic()
            self.records, self.lag = load.stop(), load.lag
            self.exit_status = world.service.exit_status()
            observer.stop()
            query = "SELECT name, count(*) FROM items WHERE name LIKE %s GROUP BY name"
            with world.cluster.connect("items") as admin, contextlib.suppress(psycopg.errors.UndefinedTable):
                for name, count in admin.execute(query, [f"{self.tag}-%"]).fetchall():
                    # Added to the rows that the scenario counted before it dropped the table.
                    self.stored[name] = self.stored.get(name, 0) + count
        finally:
            world.heal()
            if observer:
                observer.stop()
            if load:
                load.kill()
