"""No commit reaches the synchronous standby any more, and then the primary is lost: what was answered 201 has to be there.

PostgreSQL does not undo a commit that waits for its standby when it is cancelled: it confirms it, with a warning. The
standby is promoted without it, so a service that takes it for a success has lost a write.
"""

from proxy import TO_CLIENT, Proxy
from scenario import scenario

from support.waiting import until

WAITING = "FROM pg_stat_activity WHERE usename LIKE 'items%' AND wait_event = 'SyncRep'"
# The words of PostgreSQL's warnings, in its log.
CANCELLED = "canceling wait for synchronous replication due to user request"
TERMINATED = "canceling the wait for synchronous replication and terminating connection"


def replicated(world):
    """A primary whose standby gets its WAL through a proxy; the service reaches both through another one."""
    world.make_cluster()
    world.replication = Proxy((world.cluster.address, world.cluster.port))
    world.stack.callback(world.replication.close)
    world.make_standby(way=world.replication.address)
    world.make_proxy()
    world.serve("127.0.0.1", world.proxy.port)


def lose_primary(run, meanwhile=lambda: None):
    """Commits wait for some seconds, more than a statement may take, and the standby takes over without them."""
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
    # What is on its way to the standby is lost with its host.
    second.kill()
    second.start()
    promoted = second.promote()
    run.proxy.switch((second.address, second.port))
    run.world.cluster = second
    run.healed(promoted, "the promotion")


@scenario("sync-standby-paused", replicated, goal=2.0)
def sync_standby_paused(run):
    """The synchronous standby gets SIGSTOP; the primary is lost before it goes on, and it is promoted."""
    run.fault("SIGSTOP to the standby")
    run.world.clusters[1].freeze()
    lose_primary(run)


@scenario("sync-standby-returns", replicated, mixes=True)
def sync_standby_returns(run):
    """The synchronous standby gets SIGSTOP and goes on later: commits that waited are confirmed then."""
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
    """The same, and an administrator cancels the commits that wait, again and again."""
    run.fault("silence towards the standby")
    run.world.replication.set(swallowed=frozenset({TO_CLIENT}))
    first = run.cluster
    lose_primary(run, lambda: first.execute(f"SELECT pg_cancel_backend(pid) {WAITING}"))
    cancelled = run.figures["waits_cancelled"]
    run.check("commits that waited were cancelled", cancelled, f"{cancelled}")


@scenario("sync-standby-terminated", replicated, goal=2.0)
def sync_standby_terminated(run):
    """The same, and an administrator ends the connections whose commits wait."""
    run.fault("silence towards the standby")
    run.world.replication.set(swallowed=frozenset({TO_CLIENT}))
    first = run.cluster
    lose_primary(run, lambda: first.execute(f"SELECT pg_terminate_backend(pid) {WAITING}"))
    terminated = run.figures["waits_terminated"]
    run.check("connections with a commit that waited were ended", terminated, f"{terminated}")
