"""What the proofs under load share: the balancer, the fleet behind it, the clients before it, and what must hold of them.

REFRESH_LONG=1 measures: every replacement at 2,000 requests a second and at full speed, with a line of figures each.
"""

import os
import shutil
import time

import pytest
from balancer import Balancer
from clients import Load
from fleet import Fleet

from support.ports import free_port

IS_LONG = os.environ.get("REFRESH_LONG") == "1"
# Of requests a second; 0 is as many as go.
RATES = [2000, 0] if IS_LONG else [2000]
CLIENTS = 64


@pytest.fixture
def balancer(tmp_path, request):
    if not shutil.which("haproxy"):
        pytest.skip("haproxy is not installed")
    balancer = Balancer(tmp_path, **getattr(request, "param", {}))
    yield balancer
    balancer.stop()


@pytest.fixture
def fleet(balancer, database):
    fleet = Fleet(balancer, free_port(), database.environment)
    yield fleet
    fleet.stop()


@pytest.fixture
def load(balancer):
    """load(rate) runs until its `stop`."""
    started = []

    def start(rate):
        started.append(Load(balancer.port, clients=CLIENTS, rate=rate, tag=f"load-{len(started)}"))
        return started[-1].wait_until_ready()

    yield start
    for each in started:
        each.kill()


class Clock:
    """From its making to `stop`: what the figures are about."""

    def __init__(self, title, rate):
        self.title, self.rate, self.start = title, rate, time.monotonic()

    def stop(self):
        self.end = time.monotonic()
        return self

    def tell(self, answers):
        def milliseconds(share):
            return f"{answers.percentile(share, self.start, self.end) * 1000:.1f}"

        print(
            f"\nFIGURES {self.title}, {self.rate or 'all'} requests/s: {answers.count} requests, "
            f"{len(answers.failures)} failed, {self.end - self.start:.1f} s, "
            f"{answers.rate(self.start, self.end):.0f} answers/s, p50 {milliseconds(0.5)} ms, "
            f"p99 {milliseconds(0.99)} ms, longest {milliseconds(1)} ms, {len(answers.acknowledged)} items acknowledged"
        )


def assert_all_written(database, answers):
    """Every acknowledged item is there, under its id, once."""
    with database.connect() as connection:
        rows = dict(connection.execute("SELECT id, name FROM items").fetchall())
    assert len(answers.acknowledged) > 100
    lost = [(number, name) for number, name in answers.acknowledged if rows.get(number) != name]
    assert lost == []
    assert len({number for number, _ in answers.acknowledged}) == len(answers.acknowledged)


def assert_none_failed(balancer, answers):
    assert answers.failures == [], (answers.failures[:5], balancer.failures()[:5])


def assert_all_served(fleet, answers):
    """Each instance that ever was in service has answered: the load met every one of them."""
    assert {instance.id for instance in fleet.launched} <= answers.instances.keys()
