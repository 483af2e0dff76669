"""One scenario: load, fault, healing, quiet."""

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
    goal: float = 1.0  # seconds from the database's return to the first success
    known_within: float | None = None  # after the fault no answer waits any more; None: the database is not wholly away
    reads_fail: bool = True  # False: another connection could always be had, so every read is retried there
    forgets: bool = False  # the items of before are gone with the damage: 404 is a right answer
    strands_backends: bool = False  # the server cannot notice that the service gave a connection up
    stays_frozen: bool = False  # a server keeps cancel requests, each with a thread and a socket, up to a limit
    settle: float = SETTLE_SECONDS
    quick: bool = False  # in the short suite
    mixes: bool = False  # leaves its world as it found it, so that runs may share one
    fills: bool = True  # half of the runs begin with the pool at its maximum


def scenario(name, world, **options):
    """Registers a function of a `Run` that does the damage and repairs it."""

    def register(body):
        scenarios[name] = Scenario(name, body, world, **options)
        return body

    return register


class Run:
    """What a scenario's body gets: its world, its dice, and where to say what happened when."""

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
        """The first damage is where the clock of the outage starts."""
        now = time.monotonic()
        self.events.append((now, what))
        if self.fault_at is None:
            self.fault_at = self.away_at = now

    def away(self, what):
        """When the damage takes a while to be complete: only now the database is wholly away."""
        self.away_at = time.monotonic()
        self.events.append((self.away_at, what))

    def healed(self, moment=None, what="the database takes connections"):
        """The last one is where the clock of the recovery starts."""
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
        """Writes wait for a lock, so the pool opens what it may; none of them fails. Answers with the connections."""
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
                    # Beside what a body has seen before it dropped the table.
                    self.stored[name] = self.stored.get(name, 0) + count
        finally:
            world.heal()
            if observer:
                observer.stop()
            if load:
                load.kill()
