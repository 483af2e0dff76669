"""A transaction pooler (pgbouncer) between the service and PostgreSQL, without prepared statements."""

import signal

from scenario import scenario
from world import PASSWORD

from support.bouncer import Bouncer


def pooled(world, **options):
    world.make_cluster()
    world.bouncer = Bouncer(world.directory / "pgbouncer", world.cluster, PASSWORD, **options)
    world.stack.callback(world.bouncer.stop)
    world.bouncer.start()
    world.ports.add(world.bouncer.port)
    world.serve("127.0.0.1", world.bouncer.port, DB_PREPARED="0")


def pooled_and_reset(world):
    """A pooler that resets the session after every transaction, so that clients share no session state."""
    pooled(world, settings="server_reset_query = DISCARD ALL\nserver_reset_query_always = 1")


@scenario("pooler-restart", pooled, known_within=0.5)
def pooler_restart(run):
    """pgbouncer is killed and started again."""
    run.fault("SIGKILL to pgbouncer")
    run.world.bouncer.stop()
    run.pause(1, 2)
    run.world.bouncer.start()
    run.healed(what="pgbouncer takes connections")


# pgbouncer itself retries after server_login_retry, 1 s.
@scenario("pooler-server-restart", pooled, goal=2.0)
def pooler_server_restart(run):
    """PostgreSQL restarts behind a pgbouncer that keeps running."""
    run.fault("stop -m immediate")
    run.cluster.stop("immediate")
    run.pause(1, 2)
    run.healed(run.cluster.start())


@scenario("pooler-terminate", pooled)
def pooler_terminate(run):
    """pgbouncer's connections to PostgreSQL end; those to the service stay until their next statement."""
    run.fault("pg_terminate_backend of all")
    for _ in range(3):
        run.cluster.terminate()
        run.healed(what="all terminated")
        run.pause(0.3, 0.6)


@scenario("pooler-frozen", pooled, strands_backends=True, known_within=5.0)
def pooler_frozen(run):
    """pgbouncer stops responding: the kernel accepts connections, but no process serves them."""
    run.fault("SIGSTOP to pgbouncer")
    run.world.bouncer.process.send_signal(signal.SIGSTOP)
    try:
        run.pause(7, 8)
    finally:
        run.world.bouncer.process.send_signal(signal.SIGCONT)
    run.healed(what="SIGCONT")


@scenario("pooler-discards", pooled_and_reset, mixes=True)
def pooler_discards(run):
    """The pooler sends DISCARD ALL after every transaction, in sessions shared with other clients: no request fails."""
    run.fault("the sessions are reset after every transaction, as before")
    run.pause(1.5, 2)
    run.healed(what="the observation ends")
    run.so_far_no_request_fails()
