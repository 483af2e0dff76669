"""A transaction pooler between the service and PostgreSQL: pgbouncer, with statements that are not prepared."""

import shutil
import signal
import subprocess

import psycopg

from cluster import Missing, as_owner, own, until
from scenario import scenario
from service import free_port
from world import PASSWORD

CONFIGURATION = """[databases]
items = host={address} port={server} dbname=items user=items password={password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {directory}/users
admin_users = items
pool_mode = transaction
default_pool_size = 5
max_client_conn = 100
server_login_retry = 1
logfile = {directory}/pgbouncer.log
pidfile = {directory}/pgbouncer.pid
"""


class Bouncer:
    def __init__(self, world):
        self.binary = shutil.which("pgbouncer") or shutil.which("/usr/sbin/pgbouncer")
        if self.binary is None:
            raise Missing("pgbouncer")
        self.directory = world.directory / "pgbouncer"
        self.directory.mkdir()
        own(self.directory)
        self.port = free_port()
        cluster = world.cluster
        (self.directory / "pgbouncer.ini").write_text(
            CONFIGURATION.format(
                address=cluster.address,
                server=cluster.port,
                password=PASSWORD,
                port=self.port,
                directory=self.directory,
            )
        )
        (self.directory / "users").write_text(f'"items" "{PASSWORD}"\n')
        self.process = None

    def start(self):
        self.process = subprocess.Popen(
            [self.binary, "--quiet", self.directory / "pgbouncer.ini"],
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **as_owner(),
        )
        until(self._answers, 10, "pgbouncer to answer")

    def _answers(self):
        try:
            psycopg.connect(
                host="127.0.0.1", port=self.port, user="items", password=PASSWORD, dbname="items", connect_timeout=2
            ).close()
            return True
        except psycopg.OperationalError:
            return False

    def stop(self, number=signal.SIGKILL):
        if self.process and self.process.poll() is None:
            self.process.send_signal(number)
            self.process.wait(10)


def pooled(world):
    world.make_cluster()
    world.bouncer = Bouncer(world)
    world.stack.callback(world.bouncer.stop)
    world.bouncer.start()
    world.ports.add(world.bouncer.port)
    world.serve("127.0.0.1", world.bouncer.port, DB_PREPARED="0")


@scenario("pooler-restart", pooled, known_within=0.5)
def pooler_restart(run):
    """pgbouncer dies and comes back."""
    run.fault("SIGKILL to pgbouncer")
    run.world.bouncer.stop()
    run.pause(1, 2)
    run.world.bouncer.start()
    run.healed(what="pgbouncer takes connections")


# pgbouncer itself tries again after server_login_retry, a second.
@scenario("pooler-server-restart", pooled, goal=2.0)
def pooler_server_restart(run):
    """PostgreSQL restarts behind a pgbouncer that stays."""
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
    """pgbouncer falls silent: the kernel takes connections that nobody answers."""
    run.fault("SIGSTOP to pgbouncer")
    run.world.bouncer.process.send_signal(signal.SIGSTOP)
    try:
        run.pause(7, 8)
    finally:
        run.world.bouncer.process.send_signal(signal.SIGCONT)
    run.healed(what="SIGCONT")
