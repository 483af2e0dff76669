"""The proof: a fleet of release binaries is replaced under load, and no request fails.

The clients know of every request what became of it, and every item that was acknowledged has to be in the database.
"""

import signal
import time

import pytest
from cloud import IMAGE, Cloud
from fleet import SIGNAL_FIRST_DRAIN_DELAY_MS
from program import Refreshing, smoke
from traffic import (
    CLIENTS,
    IS_LONG,
    RATES,
    Clock,
    assert_all_served,
    assert_all_written,
    assert_none_failed,
    balancer,
    fleet,
    load,
)

from support.emulators import moto, moto_server
from support.fixtures import binary, cluster, database
from support.waiting import until

ORDERS = ["retire", "retire_signal_first"]
# How long AWS waits for the smoke test, which shares two cores with the load.
WAIT = "15" if IS_LONG else "10"


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("order", ORDERS)
def test_a_fleet_is_replaced_twice_without_a_failed_request(balancer, database, fleet, load, order, rate):
    if order == "retire_signal_first":
        fleet.environment["DRAIN_DELAY_MS"] = str(SIGNAL_FIRST_DRAIN_DELAY_MS)
    fleet.start("one", 2)
    running = load(rate)
    clock = Clock(order, rate)
    fleet.replace_all("two", getattr(fleet, order))
    fleet.replace_all("three", getattr(fleet, order))
    answers = running.stop() if clock.stop() else None
    clock.tell(answers)
    assert_none_failed(balancer, answers)
    assert_all_served(fleet, answers)
    assert_all_written(database, answers)
    assert [instance.version for instance in fleet.instances] == ["three", "three"]
    assert fleet.exits == [0, 0, 0, 0], "an instance did not drain"


def test_a_fleet_is_doubled_and_halved_without_a_failed_request(balancer, database, fleet, load):
    fleet.start("one", 4 if IS_LONG else 3)
    running = load(RATES[0])
    clock = Clock("all launched at once", RATES[0])
    old = list(fleet.instances)
    for instance in [fleet.launch("two") for _ in old]:
        fleet.enter_service(instance)
    for instance in old:
        fleet.retire(instance)
    answers = running.stop() if clock.stop() else None
    clock.tell(answers)
    assert_none_failed(balancer, answers)
    assert_all_served(fleet, answers)
    assert_all_written(database, answers)


class Hardware:
    """The machines of cloud.py as processes behind the balancer; the launch template's version says what runs."""

    def __init__(self, fleet, sick=None):
        self.fleet, self.sick = fleet, sick

    def launch(self, version):
        # No database: such an instance listens, and is never ready.
        environment = {"DB_HOST": "/nonexistent"} if version == self.sick else {}
        return self.fleet.launch(version, **environment)

    def enter_service(self, instance):
        if instance.version == self.sick:
            # What the load balancer's checks say of it for as long as the launch hook waits.
            self.fleet.balancer.add(instance.id, instance.address, instance.port)
            deadline = time.monotonic() + 4
            while time.monotonic() < deadline:
                if self.fleet.balancer.is_healthy(instance.id):
                    return
                time.sleep(0.1)
            raise TimeoutError(f"{instance.id} was not healthy in time")
        self.fleet.enter_service(instance)

    def abandon(self, instance):
        self.fleet.balancer.remove(instance.id)
        instance.terminate()

    def retire(self, instance):
        self.fleet.retire(instance)


def refreshing(cloud, fleet, balancer, image, *options):
    """The real program, which asks every new instance and the service behind the balancer."""
    return Refreshing(
        cloud,
        *["--smoke", balancer.url, "--instance-url", f"http://{{private_ip}}:{fleet.port}", "--poll", "0.3"],
        *["--checkpoint-delay", WAIT, "--bake", WAIT, "--timeout", "110", *options],
        image=image,
    )


@pytest.mark.parametrize("rate", RATES)
def test_the_program_replaces_a_fleet_without_a_failed_request(moto, balancer, database, fleet, load, rate):
    cloud = Cloud(moto, Hardware(fleet))
    try:
        running = load(rate)
        clock = Clock("deploy/refresh", rate)
        for image in ("two", "three")[: 2 if IS_LONG else 1]:
            run = refreshing(cloud, fleet, balancer, image).wait()
            assert run.status == 0, run.text + run.errors
            assert run.text.count(": passed (") == 4, run.text  # two instances, and the service twice
        answers = running.stop() if clock.stop() else None
        clock.tell(answers)
        assert_none_failed(balancer, answers)
        assert_all_served(fleet, answers)
        assert_all_written(database, answers)
        assert cloud.image() == IMAGE.format(image)
    finally:
        cloud.stop()


@pytest.mark.parametrize("rate", RATES)
def test_a_version_that_never_gets_healthy_is_rolled_back_without_a_failed_request(
    moto,
    balancer,
    database,
    fleet,
    load,
    rate,
):
    cloud = Cloud(moto, Hardware(fleet, sick="2"))
    try:
        old = {instance.id for instance in fleet.instances}
        running = load(rate)
        clock = Clock("never healthy", rate)
        run = refreshing(cloud, fleet, balancer, "two").wait()
        answers = running.stop() if clock.stop() else None
        clock.tell(answers)
        assert run.status == 1 and "was not healthy in time" in run.text, run.text
        assert_none_failed(balancer, answers)
        assert_all_written(database, answers)
        assert answers.instances.keys() == old, "the sick one got a request"
        assert {instance.id for instance in fleet.instances} == old
    finally:
        cloud.stop()


@pytest.mark.parametrize("rate", RATES)
def test_a_smoke_test_that_fails_rolls_back_without_a_failed_request(
    moto,
    balancer,
    database,
    fleet,
    load,
    rate,
):
    cloud = Cloud(moto, Hardware(fleet))
    try:
        running = load(rate)
        clock = Clock("smoke test fails", rate)
        run = refreshing(cloud, fleet, balancer, "two", "--smoke-option=--commit=other").wait()
        answers = running.stop() if clock.stop() else None
        clock.tell(answers)
        assert run.status == 1 and "FAIL GET /metrics shows commit other" in run.text, run.text
        assert_none_failed(balancer, answers)
        assert_all_written(database, answers)
        assert cloud.versions() == ["1", "1"] and cloud.image() == IMAGE.format("one")
    finally:
        cloud.stop()


REDISPATCHES = [{"redispatch": False}, {"redispatch": True}]


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("balancer", REDISPATCHES, indirect=True, ids=["plain", "redispatch"])
def test_kill_fails_what_is_in_flight_and_what_the_balancer_still_sends(balancer, database, fleet, load, rate, request):
    redispatches = request.node.callspec.params["balancer"]["redispatch"]
    fleet.start("one", 2)
    running = load(rate)
    time.sleep(0.5)
    clock = Clock("kill -9, redispatch" if redispatches else "kill -9", rate)
    victim = fleet.instances[0]
    victim.server.signal(signal.SIGKILL)
    assert victim.server.wait() == -signal.SIGKILL
    until(lambda: balancer.statistics(victim.id)["status"].startswith("DOWN"), 10, what="DOWN")
    noticed = time.monotonic()
    time.sleep(1)  # requests that come when the balancer knows
    answers = running.stop() if clock.stop() else None
    clock.tell(answers)
    # 503 is HAProxy's answer when a target refuses the connection. What was in flight is a 502, or, when it came on a
    # connection that was kept, a connection to the client that closes without an answer.
    refused = sum(failure.reason.startswith("503") for failure in answers.failures)
    in_flight = len(answers.failures) - refused
    # A connection has one request at a time: no more than this can ever have been in flight.
    connections = balancer.most_connections(victim.id)
    print(
        f"FIGURES {clock.title}: {connections} connections at most, noticed after {noticed - clock.start:.2f} s, "
        f"{in_flight} failed in flight, {refused} refused until then"
    )
    assert_all_written(database, answers)
    assert refused == sum(flags == "SC--" for _, flags in balancer.failures())
    assert in_flight <= connections <= CLIENTS
    assert all(failure.moment < noticed + 0.5 for failure in answers.failures), "the balancer knew"
    assert refused == 0 if redispatches else refused > 0


@pytest.mark.parametrize("rate", RATES[:1])
def test_without_the_delay_of_the_drain_the_clients_see_it(balancer, fleet, load, rate):
    """The control: the same load, and the balancer is not told in time."""
    fleet.environment["DRAIN_DELAY_MS"] = "0"
    fleet.start("one", 2)
    running = load(rate)
    fleet.replace_all("two", fleet.retire_signal_first)
    answers = running.stop()
    assert answers.failures, "this load would not notice a failure"


def test_the_new_version_is_seen_by_the_smoke_test(fleet):
    fleet.start("abc123", 1)
    url = fleet.instances[0].server.url
    assert smoke("--direct", "--commit", "abc123", url).status == 0
    assert "FAIL GET /metrics shows commit def" in smoke("--direct", "--commit", "def", url).text
