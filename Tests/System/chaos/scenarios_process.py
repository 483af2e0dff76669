"""PostgreSQL's processes are killed, stopped and frozen; other clients use its connections and lock its tables."""

import os
import signal
import threading
import time

import psycopg
from scenario import scenario
from world import direct

from support.waiting import until

# Until the last statement has timed out and a connection attempt has failed.
FREEZE_KNOWN_WITHIN = 5.0


@scenario("backend-kill", direct, quick=True, mixes=True)
def backend_kill(run):
    """One backend gets SIGKILL: the postmaster ends all others and recovers."""
    victim = run.rng.choice(run.cluster.backends())
    witness = run.cluster.connect()
    run.fault(f"SIGKILL to backend {victim}")
    os.kill(victim, signal.SIGKILL)

    def ended():
        try:
            witness.execute("SELECT 1")
            return False
        except psycopg.Error:
            return True

    until(ended, 10, what="the crash recovery to begin")
    run.healed(run.cluster.wait_until_up())


@scenario("terminate-all", direct, quick=True, mixes=True, reads_fail=False)
def terminate_all(run):
    """An administrator ends every connection of the service two to four times; the database keeps running."""
    run.fault("pg_terminate_backend of all")
    for _ in range(run.rng.randint(2, 4)):
        run.cluster.terminate()
        run.healed(what="all terminated")
        run.pause(0.3, 0.8)


@scenario("restart-immediate", direct, quick=True, mixes=True, known_within=0.5)
def restart_immediate(run):
    """PostgreSQL stops immediately and starts again after 1 to 2 s."""
    run.fault("stop -m immediate")
    run.cluster.stop("immediate")
    run.pause(1.0, 2.0) if not run.long else run.pause(2, 6)
    run.healed(run.cluster.start())


@scenario("restart-fast", direct, mixes=True, known_within=0.5)
def restart_fast(run):
    """PostgreSQL ends every session cleanly and starts again after 0.5 to 2 s."""
    run.fault("stop -m fast")
    run.cluster.stop("fast")
    run.pause(0.5, 2.0)
    run.healed(run.cluster.start())


@scenario("outage-long", direct, known_within=0.5)
def outage_long(run):
    """PostgreSQL is stopped until every pause between connection attempts has reached its limit."""
    run.fault("stop -m immediate")
    run.cluster.stop("immediate")
    run.pause(25, 35) if run.long else run.pause(9, 12)
    run.healed(run.cluster.start())


@scenario("freeze-backends", direct, quick=True, mixes=True, strands_backends=True)
def freeze_backends(run):
    """The service's backends get SIGSTOP; the postmaster keeps running, so new connections are possible."""
    pids = run.cluster.backends()
    run.fault(f"SIGSTOP to {len(pids)} backends")
    run.cluster.freeze(pids)
    time.sleep(20 if run.long else 6)
    run.cluster.thaw()
    run.healed(what="SIGCONT")


@scenario("freeze-one", direct, mixes=True, strands_backends=True)
def freeze_one(run):
    """One backend gets SIGSTOP: statements sent to it fail, and the others work."""
    victim = run.rng.choice(run.cluster.backends())
    run.fault(f"SIGSTOP to backend {victim}")
    run.cluster.freeze([victim])
    run.healed(what="the others serve")
    time.sleep(4)
    late = time.monotonic()
    time.sleep(2)
    run.cluster.thaw()
    run.note("SIGCONT")
    run.none_fail_between.append((late, time.monotonic()))


@scenario("idle-ended", direct, mixes=True, reads_fail=False)
def idle_ended(run):
    """The server ends sessions that are idle for 100 ms (SQLSTATE 57P05), often while a statement arrives."""

    def switch(value):
        run.cluster.execute(f"ALTER ROLE items SET idle_session_timeout = '{value}'")
        run.cluster.terminate()

    run.fault("idle_session_timeout = 100ms")
    switch("100ms")
    run.pause(2, 3)
    switch("0")
    run.healed(what="idle sessions stay")


@scenario("freeze-server", direct, mixes=True, strands_backends=True, known_within=FREEZE_KNOWN_WITHIN)
def freeze_server(run):
    """The postmaster and all its children get SIGSTOP: the kernel accepts connections, but no process serves them."""
    run.fault("SIGSTOP to all of PostgreSQL")
    run.cluster.freeze()
    time.sleep(20 if run.long else 8)
    run.cluster.thaw()
    run.healed(what="SIGCONT")


@scenario("locked", direct, mixes=True)
def locked(run):
    """Another client locks the table: statements end at their time limit, in the server too."""
    with run.cluster.connect("items") as other, other.transaction():
        other.execute("LOCK TABLE items IN ACCESS EXCLUSIVE MODE")
        run.fault("LOCK TABLE items")
        time.sleep(4)
    run.healed(what="unlocked")
    time.sleep(0.5)


def unprepared(world):
    """Without a statement_timeout in the session, only the service's cancel requests end a statement."""
    world.make_cluster()
    world.serve(DB_PREPARED="0")


@scenario("locked-unprepared", unprepared)
def locked_unprepared(run):
    """The same without a time limit in the server, which depends on the service's cancel requests."""
    locked(run)


@scenario("read-only", direct, mixes=True, reads_fail=False)
def read_only(run):
    """The primary becomes read-only for new transactions and later accepts writes again: SQLSTATE 25006."""

    def switch(value):
        run.cluster.execute(f"ALTER SYSTEM SET default_transaction_read_only = {value}")
        run.cluster.execute("SELECT pg_reload_conf()")
        with run.cluster.connect() as admin:
            until(lambda: admin.execute("SHOW default_transaction_read_only").fetchone()[0] == value, 5, what="the reload")

    run.fault("default_transaction_read_only = on")
    switch("on")
    run.pause(1.5, 3)
    switch("off")
    run.healed(what="takes writes")


def few_slots(world):
    """Starts a server with 24 connection slots; 8 of them are reserved for superusers, who observe."""
    world.make_cluster(max_connections="24", superuser_reserved_connections="8")
    world.cluster.execute("CREATE ROLE crowd LOGIN PASSWORD 'crowd'")
    world.serve()


class Crowd:
    """Takes every connection slot that becomes free, until `go`."""

    def __init__(self, cluster):
        self.cluster, self.taken, self.going = cluster, [], threading.Event()
        self.threads = [threading.Thread(target=self._take, daemon=True) for _ in range(4)]
        for thread in self.threads:
            thread.start()

    def _take(self):
        cluster = self.cluster
        address = {"host": cluster.address, "port": cluster.port, "dbname": "postgres"}
        while not self.going.is_set():
            try:
                self.taken.append(psycopg.connect(user="crowd", password="crowd", **address))
            except psycopg.OperationalError:
                time.sleep(0.002)

    def go(self):
        self.going.set()
        for thread in self.threads:
            thread.join()
        for one in self.taken:
            one.close()
        query = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'crowd'"
        until(lambda: self.cluster.execute(query)[0][0] == 0, 5, what="the slots to be free")


@scenario("slots-taken", few_slots, quick=True, mixes=True, known_within=0.6)
def slots_taken(run):
    """Other clients take every connection of the server: SQLSTATE 53300."""
    run.fault("others take every slot")
    crowd = Crowd(run.cluster)
    try:
        alone = 0
        began = time.monotonic()
        while alone < 5 and time.monotonic() < began + 5:
            alone = 0 if run.cluster.backends() else alone + 1
            run.cluster.terminate()
            time.sleep(0.02)
        run.check("the others got every slot", alone == 5, f"the service kept {len(run.cluster.backends())}")
        run.away(f"{len(crowd.taken)} others, and none of the service")
        run.pause(2, 3)
    finally:
        crowd.go()
    run.healed(what="the slots are free")
