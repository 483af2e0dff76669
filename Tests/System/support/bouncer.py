"""Runs pgbouncer in front of a cluster, for the role `items` and any database; in transaction mode by default."""

import re
import shutil
import signal
import subprocess

import psycopg

from support.ports import free_port
from support.postgresql import Missing, as_owner, own
from support.waiting import until

CONFIGURATION = """[databases]
* = host={address} port={server} user=items password='{password}'
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {directory}/users
admin_users = items
pool_mode = {mode}
default_pool_size = 5
max_client_conn = 100
server_login_retry = 1
logfile = {directory}/pgbouncer.log
pidfile = {directory}/pgbouncer.pid
{settings}
"""


def version():
    """Returns the version of the installed pgbouncer, or (0, 0)."""
    binary = shutil.which("pgbouncer") or shutil.which("/usr/sbin/pgbouncer")
    if binary is None:
        return (0, 0)
    text = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=10).stdout
    return tuple(int(number) for number in re.search(r"PgBouncer (\d+)\.(\d+)", text).groups())


def carries_statements():
    """Returns whether pgbouncer supports prepared statements across its server connections."""
    return version() >= (1, 21)


class Bouncer:
    """A pgbouncer process, which the caller stops. The server and the clients use `password`; `settings` are additional
    lines of its configuration."""

    def __init__(self, directory, cluster, password, mode="transaction", settings=""):
        self.binary = shutil.which("pgbouncer") or shutil.which("/usr/sbin/pgbouncer")
        if self.binary is None:
            raise Missing("pgbouncer")
        self.directory = directory
        self.directory.mkdir()
        own(self.directory)
        self.port = free_port()
        self.password = password
        (self.directory / "pgbouncer.ini").write_text(
            CONFIGURATION.format(
                address=cluster.address,
                server=cluster.port,
                password=password,
                port=self.port,
                directory=self.directory,
                mode=mode,
                settings=settings,
            )
        )
        (self.directory / "users").write_text(f'"items" "{password}"\n')
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
        until(self._answers, 10, what="pgbouncer to answer")

    def connect(self, database):
        """Connects as a client; the database `pgbouncer` is the admin console."""
        return psycopg.connect(
            host="127.0.0.1",
            port=self.port,
            user="items",
            password=self.password,
            dbname=database,
            autocommit=True,
            connect_timeout=2,
        )

    def _answers(self):
        try:
            self.connect("items").close()
            return True
        except psycopg.OperationalError:
            return False

    def stop(self, number=signal.SIGKILL):
        if self.process and self.process.poll() is None:
            self.process.send_signal(number)
            self.process.wait(10)
