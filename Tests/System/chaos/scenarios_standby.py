"""Commits no longer reach the synchronous standby, and then the primary is lost: no item answered with
201 may be missing.

When a commit that waits for its standby is cancelled, PostgreSQL does not roll it back: it confirms it, with a warning.
The standby is promoted without it, so a service that treats it as a success has lost a write.
"""

from proxy import TO_CLIENT, Proxy
from scenario import scenario

from support.waiting import until

WAITING = "FROM pg_stat_activity WHERE usename LIKE 'items%' AND wait_event = 'SyncRep'"
# The texts of PostgreSQL's warnings in its log.
CANCELLED = "canceling wait for synchronous replication due to user request"
TERMINATED = "canceling the wait for synchronous replication and terminating connection"


def replicated(world):
    """Starts a primary whose standby receives WAL through a proxy; the service connects through a second proxy."""
    world.make_cluster()
    world.replication = Proxy((world.cluster.address, world.cluster.port))
    world.stack.callback(world.replication.close)
    world.make_standby(way=world.replication.address)
    world.make_proxy()
    world.serve("127.0.0.1", world.proxy.port)


def lose_primary(run, meanwhile=lambda: None):
    """Makes commits wait for 3 to 5 s, longer than a statement's limit, then kills the primary and
    promotes the standby."""
    first, second = run.world.clusters
    until(lambda: first.execute(f"SELECT count(*) {WAITING}")[0][0], 5, what="a commit to wait for the standby")
    for _ in range(run.rng.randint(13, 19)):
        meanwhile()
        run.pause(0.25)
    log = first.log.read_text(errors="replace")
    run.figures["waits_cancelled"] = log.count(CANCELLED)
    run.figures["waits_terminated"] = log.count(TERMINATED)
    first.kill()
    run.note(f"the primary is lost for good; of commits that waited {log.count(CANCELLED)} were cancelled")
    # WAL in transit to the standby is lost with the primary's host.
    second.kill()
    second.start()
    promoted = second.promote()
    run.proxy.switch((second.address, second.port))
    run.world.cluster = second
    run.healed(promoted, "the promotion")


@scenario("sync-standby-paused", replicated, goal=2.0)
def sync_standby_paused(run):
    """The synchronous standby gets SIGSTOP, the primary is killed, and the standby is promoted."""
    run.fault("SIGSTOP to the standby")
    run.world.clusters[1].freeze()
    lose_primary(run)


@scenario("sync-standby-returns", replicated, mixes=True)
def sync_standby_returns(run):
    """The synchronous standby gets SIGSTOP and continues later: waiting commits are then confirmed."""
    _, second = run.world.clusters
    run.fault("SIGSTOP to the standby")
    second.freeze()
    run.pause(3, 4)
    second.thaw()
    run.healed(what="SIGCONT")


@scenario("sync-standby-cut", replicated, goal=2.0, quick=True)
def sync_standby_cut(run):
    """WAL is lost on its way to the synchronous standby, which is promoted without it."""
    run.fault("silence towards the standby")
    run.world.replication.set(swallowed=frozenset({TO_CLIENT}))
    lose_primary(run)


@scenario("sync-standby-cancelled", replicated, goal=2.0, quick=True)
def sync_standby_cancelled(run):
    """The same, and an administrator repeatedly cancels the waiting commits."""
    run.fault("silence towards the standby")
    run.world.replication.set(swallowed=frozenset({TO_CLIENT}))
    first = run.cluster
    lose_primary(run, lambda: first.execute(f"SELECT pg_cancel_backend(pid) {WAITING}"))
    cancelled = run.figures["waits_cancelled"]
    run.check("commits that waited were cancelled", cancelled, f"{cancelled}")


@scenario("sync-standby-terminated", replicated, goal=2.0)
def sync_standby_terminated(run):
    """The same, and an administrator ends the connections with waiting commits."""
    run.fault("silence towards the standby")
    run.world.replication.set(swallowed=frozenset({TO_CLIENT}))
    first = run.cluster
    lose_primary(run, lambda: first.execute(f"SELECT pg_terminate_backend(pid) {WAITING}"))
    terminated = run.figures["waits_terminated"]
    run.check("connections with a commit that waited were ended", terminated, f"{terminated}")
