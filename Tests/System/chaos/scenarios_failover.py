"""The primary fails and a synchronous standby is promoted: the service has to connect to the new primary."""

import subprocess

from scenario import scenario

from support.ports import free_port
from support.postgresql import Missing

GOAL = 2.0  # seconds from the promotion to the first write
FIRST, SECOND = "127.0.0.11", "127.0.0.12"


def pair(world):
    """Starts a primary and its standby on the same port of two loopback addresses."""
    port = free_port(FIRST, SECOND)
    world.make_cluster(FIRST, port)
    world.make_standby(SECOND, port)


def by_proxy(world):
    """One address whose target changes: a proxy with an upstream that is switched."""
    pair(world)
    world.make_proxy()
    world.serve("127.0.0.1", world.proxy.port)


def by_name(world):
    """A host name whose address changes: the service has its own hosts file, mounted at /etc/hosts."""
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode:
        raise Missing("the right to a mount namespace, in which the service has a hosts file of its own")
    pair(world)
    world.hosts = world.directory / "hosts"
    world.hosts.write_text(f"{FIRST} db.chaos.test\n")
    world.serve("db.chaos.test", hosts=world.hosts)


def by_list(world):
    """DB_HOST names both servers; libpq connects to the one that accepts writes."""
    pair(world)
    world.serve(f"{FIRST},{SECOND}")


def by_ports(world):
    """DB_HOST and DB_PORT are lists."""
    world.make_cluster()
    world.make_standby()
    first, second = world.clusters
    world.serve(f"{first.address},{second.address}", f"{first.port},{second.port}")


def by_sockets(world):
    """DB_HOST lists two socket directories."""
    world.make_cluster()
    world.make_standby(port=world.cluster.port, address="127.0.0.2")
    first, second = world.clusters
    for cluster in world.clusters:
        cluster.directory.chmod(0o755)
    world.serve(f"{first.directory},{second.directory}")


def fail_over(run, switch):
    first, second = run.world.clusters
    run.fault("the primary stops at once")
    first.stop("immediate")
    run.pause(0.5, 1.5)
    promoted = second.promote()
    run.note("the standby takes writes")
    switch()
    run.world.cluster = second
    # With a list, the promotion is the last step.
    run.healed(promoted, "the promotion")


@scenario("promote-proxy", by_proxy, goal=GOAL, known_within=0.5)
def promote_proxy(run):
    """The proxy forwards to the promoted standby."""
    fail_over(run, lambda: run.proxy.switch((run.world.clusters[1].address, run.world.clusters[1].port)))


@scenario("promote-name", by_name, goal=GOAL, known_within=0.5)
def promote_name(run):
    """The host name resolves to the promoted standby."""
    fail_over(run, lambda: run.world.hosts.write_text(f"{SECOND} db.chaos.test\n"))


@scenario("promote-list", by_list, goal=GOAL, known_within=0.5, quick=True)
def promote_list(run):
    """DB_HOST names both addresses."""
    fail_over(run, lambda: None)


@scenario("promote-list-ports", by_ports, goal=GOAL, known_within=0.5)
def promote_list_ports(run):
    """DB_HOST and DB_PORT are lists."""
    fail_over(run, lambda: None)


@scenario("promote-list-sockets", by_sockets, goal=GOAL, known_within=0.5)
def promote_list_sockets(run):
    """DB_HOST names both socket directories, so the connections have no network address."""
    fail_over(run, lambda: None)


@scenario("promote-frozen", by_list, goal=GOAL, strands_backends=True, stays_frozen=True)
def promote_frozen(run):
    """The first server of the list does not exit but stops responding, and stays so."""
    first, second = run.world.clusters
    run.fault("SIGSTOP to all of the primary")
    first.freeze()
    run.pause(1, 2)
    run.healed(second.promote(), "the promotion")
    run.world.cluster = second
    # Connection attempts still begin with the frozen server: each waits until its time limit.
    run.pause(4)


def demote(run):
    """Stops the primary, promotes the standby, and starts the old primary as its standby."""
    first, second = run.world.clusters
    run.fault("the primary stops")
    first.stop("fast")
    second.promote()
    first.follow(second)
    run.note("the old primary is a standby now")
    return first, second


@scenario("old-primary-name", by_name, goal=GOAL)
def old_primary_name(run):
    """For 2 to 3 s the name still resolves to the old primary, which refuses writes: SQLSTATE 25006."""
    _, second = demote(run)
    run.pause(2, 3)
    run.world.hosts.write_text(f"{SECOND} db.chaos.test\n")
    run.world.cluster = second
    run.healed(what="the name leads to the new primary; connections to the old one stay")


@scenario("old-primary-proxy", by_proxy, goal=GOAL)
def old_primary_proxy(run):
    """The same behind a proxy that keeps open connections to the old primary."""
    _, second = demote(run)
    run.pause(2, 3)
    run.proxy.switch((second.address, second.port))
    run.world.cluster = second
    run.healed(what="the endpoint leads to the new primary; connections to the old one stay")


@scenario("old-primary-list", by_list, goal=GOAL)
def old_primary_list(run):
    """The old primary is first in the list and read-only."""
    _, second = demote(run)
    run.world.cluster = second
    run.healed(what="both are up, the second takes writes")
