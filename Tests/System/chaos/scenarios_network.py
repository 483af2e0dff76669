"""Faults of the network between the service and PostgreSQL, injected by the proxy."""

import json
import struct
import threading
import time
import urllib.error
import urllib.request

from invariants import REQUEST_SECONDS, SLACK
from proxy import BOTH, TO_CLIENT, TO_SERVER
from scenario import scenario
from world import proxied

# The service abandons statements in flight after 2 s, and a connection attempt after 2 s more.
SILENCE_KNOWN_WITHIN = 5.0


def hold(run, least, most, longest):
    run.pause(least, most) if not run.long else run.pause(longest, longest * 1.5)


@scenario("net-reset", proxied, quick=True, mixes=True, reads_fail=False)
def reset(run):
    """Every connection gets RST, two to four times; new ones work."""
    run.fault("RST")
    for _ in range(run.rng.randint(2, 4)):
        run.proxy.reset()
        run.healed(what="RST sent")
        run.pause(0.3, 0.6)


@scenario("net-refuse", proxied, mixes=True, known_within=0.5)
def refuse(run):
    """Every connection gets RST and new ones are refused."""
    run.fault("refuse")
    run.proxy.refuse()
    run.proxy.reset()
    hold(run, 1.5, 2.5, 6)
    run.proxy.heal()
    run.healed()


# An attempt in progress when the database recovers waits for the kernel's next SYN, or for its time limit and a pause.
@scenario("net-black-hole", proxied, quick=True, mixes=True, known_within=2.6, goal=2.0)
def black_hole(run):
    """Every connection gets RST and new ones get no answer, as behind a firewall that drops packets."""
    run.fault("black hole")
    run.proxy.black_hole()
    run.proxy.reset()
    hold(run, 4.5, 5.5, 12)
    run.proxy.heal()
    run.healed()


@scenario("net-silence", proxied, quick=True, mixes=True, strands_backends=True, known_within=SILENCE_KNOWN_WITHIN)
def silence(run):
    """Half-open: everything is accepted and acknowledged, nothing is answered, nothing is closed."""
    run.fault("silence in both directions")
    run.proxy.set(swallowed=BOTH)
    hold(run, 7, 8, 15)
    run.proxy.heal()
    run.healed()


@scenario("net-silence-to-client", proxied, mixes=True, strands_backends=True, known_within=SILENCE_KNOWN_WITHIN)
def silence_to_client(run):
    """The server executes every statement, but its responses are lost: no write may be sent again."""
    run.fault("silence towards the service")
    run.proxy.set(swallowed=frozenset({TO_CLIENT}))
    hold(run, 7, 8, 15)
    run.proxy.heal()
    run.healed()


@scenario("net-silence-to-server", proxied, mixes=True, strands_backends=True, known_within=SILENCE_KNOWN_WITHIN)
def silence_to_server(run):
    """The service's bytes are lost on the way to the server."""
    run.fault("silence towards the server")
    run.proxy.set(swallowed=frozenset({TO_SERVER}))
    hold(run, 7, 8, 15)
    run.proxy.heal()
    run.healed()


@scenario("net-stall", proxied, mixes=True, strands_backends=True)
def stall(run):
    """A partition that ends: bytes are delayed and then arrive."""
    run.fault("stall in both directions")
    run.proxy.set(stalled=BOTH)
    hold(run, 2, 4, 10)
    run.proxy.heal()
    run.healed()


# An attempt in progress when the database recovers may take its whole time limit, 2 s.
@scenario("net-mute", proxied, mixes=True, strands_backends=True, goal=3.0)
def mute(run):
    """New connections become silent for good at a random byte, while they authenticate or prepare statements."""
    run.fault("RST, then silence after some bytes")
    for _ in range(3):
        run.proxy.set(mute_after=run.rng.randint(1, 2500))
        run.proxy.reset()
        run.pause(0.5, 1.5)
    hold(run, 3, 4, 12)
    # Silenced connections stay silent; only new ones work.
    run.proxy.set(mute_after=None)
    run.healed(what="new connections work")
    run.pause(2)


# Each connection is recognised as broken only by a statement without a response for 2 s.
@scenario("net-stale", proxied, mixes=True, strands_backends=True, goal=3.0, settle=5.0)
def stale(run):
    """Every connection is silent for good, as after a router lost its state; new ones work at once."""
    run.fault("every connection falls silent")
    run.proxy.mute()
    run.healed(what="new connections work")


@scenario("net-latency", proxied, mixes=True)
def latency(run):
    """Every chunk is delayed by 30 ms each way: responses are slower, and no request fails."""
    run.fault("30 ms of latency")
    run.proxy.set(latency=0.03)
    run.pause(2, 3)
    run.proxy.heal()
    run.healed(what="quick again")
    run.so_far_no_request_fails()


@scenario("net-bandwidth", proxied, mixes=True)
def bandwidth(run):
    """60 kB/s in each direction: responses may be late, and requests succeed afterwards."""
    run.fault("60 kB/s")
    run.proxy.set(bandwidth=60_000)
    run.pause(2, 3)
    run.proxy.heal()
    run.healed(what="quick again")


@scenario("net-cut", proxied, mixes=True)
def cut(run):
    """Every connection is reset after a random number of response bytes, at any point of the protocol."""
    run.fault("cuts")
    for _ in range(6):
        run.proxy.set(cut_after=run.rng.randint(1, 40_000))
        run.pause(0.2, 0.5)
    run.proxy.heal()
    run.healed(what="no more cuts")


# NoticeResponse: each field is a letter and a text that ends with NUL; one more NUL ends the message.
NOTICE_FIELDS = b"SNOTICE\0C00000\0Msomething happens\0\0"
NOTICE = b"N" + struct.pack("!i", 4 + len(NOTICE_FIELDS)) + NOTICE_FIELDS


class LargeCreates:
    """Creates with an Idempotency-Key and the longest valid description: a batch of them exceeds a socket's buffer."""

    def __init__(self, run, count):
        self.url, self.answers = run.world.service.url + "/api/items", []
        names = [f"{run.tag}-large-{number}" for number in range(count)]
        self.threads = [threading.Thread(target=self._create, args=[name]) for name in names]
        for thread in self.threads:
            thread.start()

    def _create(self, name):
        body = json.dumps({"name": name, "description": "\U0001f600" * 10_000}, ensure_ascii=False).encode()
        fields = {"Content-Type": "application/json", "Idempotency-Key": name}
        began = time.monotonic()
        try:
            request = urllib.request.Request(self.url, body, fields)
            status = urllib.request.urlopen(request, timeout=3 * REQUEST_SECONDS).status
        except urllib.error.HTTPError as error:
            status = error.code
        except OSError as error:
            status = f"{error}"
        self.answers.append((status, time.monotonic() - began))

    def judge(self, run):
        for thread in self.threads:
            thread.join()
        late = [seconds for _, seconds in self.answers if seconds > REQUEST_SECONDS + SLACK]
        wrong = [status for status, _ in self.answers if status not in (201, 503, 504)]
        run.check("large creates are answered in time", not late, f"{len(late)}, slowest {max(late, default=0):.2f} s")
        run.check("large creates are 201, 503 or 504", not wrong, f"{wrong[:3]}")


def proxied_by_socket(world):
    """Starts a proxy on a Unix domain socket, whose buffer is much smaller than TCP's; one
    connection per event loop."""
    world.make_cluster()
    world.make_proxy(host=str(world.directory), port=5432)
    world.serve(str(world.directory), 5432, DB_POOL_MAX="2")


# An attempt in progress when the database recovers may take its whole time limit, 2 s.
@scenario("net-notices", proxied_by_socket, quick=True, mixes=True, strands_backends=True, goal=3.0, settle=5.0)
def notices(run):
    """A batch of large creates is stalled while notices arrive beyond its deadline; then the server is silent."""
    with run.cluster.connect("items") as other, other.transaction():
        # The lock makes the creates queue up, so that each event loop sends them in one batch.
        other.execute("LOCK TABLE items IN ACCESS EXCLUSIVE MODE")
        creates = LargeCreates(run, 48)
        time.sleep(0.5)
        run.fault("what is sent to the server is held back")
        run.proxy.set(stalled=frozenset({TO_SERVER}))
    time.sleep(0.1)
    run.proxy.say(NOTICE * 400, 3)
    run.note("it is read, and nothing is answered")
    run.proxy.set(stalled=frozenset(), swallowed=BOTH)
    hold(run, 3, 4, 12)
    run.proxy.heal()
    run.healed()
    creates.judge(run)
