"""A PostgreSQL cluster on TCP with password authentication, and a database in it for each test."""

import contextlib

import pytest
from psycopg import sql

from support import postgresql as clusters
from support.bouncer import Bouncer, carries_statements  # noqa: F401, for tests
from support.certificates import Authority
from support.database import Database
from support.directories import temporary_directory
from support.ports import free_port
from support.waiting import until

PASSWORD = "first-password"


class NetworkCluster(clusters.Cluster):
    """Listens on 127.0.0.1 and has the role `items`; its superuser connects by the Unix domain socket
    without a password."""

    def __init__(self, directory, access=None, **settings):
        super().__init__(directory, free_port(), **settings)
        self.access = access

    def create(self):
        super().create()
        if self.access:
            (self.data / "pg_hba.conf").write_text(self.access)
        return self

    def environment(self, database):
        # By host name: certificates contain names, and not every libpq version compares addresses.
        return {
            "DB_HOST": "localhost",
            "DB_PORT": str(self.port),
            "DB_USER": "items",
            "DB_NAME": database,
            "DB_PASSWORD": PASSWORD,
        }

    def set_password(self, password, role="items"):
        with self.connect() as admin:
            admin.execute(
                sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(role), sql.Literal(password))
            )

    def install(self, certificate, key):
        """Installs the server's TLS certificate and key; the server reads them when it starts or reloads."""
        for name, text in (("server.crt", certificate), ("server.key", key)):
            file = self.data / name
            file.write_text(text)
            file.chmod(0o600)
            clusters.own(file)

    def reload(self):
        """Reloads the configuration; returns when new connections use the new files."""
        loaded = "SELECT pg_conf_load_time()"
        before = self.execute(loaded)
        self.execute("SELECT pg_reload_conf()")
        until(lambda: self.execute(loaded) != before, what="the server to read its files again")

    def mark(self):
        """Returns a position in the server's log for `since`, which returns what was written after it."""
        return self.log.stat().st_size

    def since(self, mark):
        return self.log.read_bytes()[mark:].decode(errors="replace")


class NetworkDatabase(Database):
    """A database owned by the role that the service logs in as."""

    def __init__(self, cluster):
        super().__init__(cluster)
        self.admin.execute(f'ALTER DATABASE "{self.name}" OWNER TO items')

    def end_connections(self):
        """Terminates the database's connections; returns their pids when they are gone."""
        query = "SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
        ended = [row[0] for row in self.admin.execute(query, [self.name])]
        remaining = "SELECT count(*) FROM pg_stat_activity WHERE pid = ANY(%s)"
        until(lambda: self.admin.execute(remaining, [ended]).fetchone()[0] == 0, what="the connections to end")
        return ended

    def drop(self):
        if self.admin.closed:  # the test restarted the server
            self.admin = self.cluster.connect()
        super().drop()


@pytest.fixture(scope="module")
def directory():
    with temporary_directory() as directory:
        yield directory


@pytest.fixture(scope="module")
def authority(directory):
    return Authority(directory, "authority")


@pytest.fixture(scope="module")
def stranger(directory):
    """An authority that no client trusts."""
    return Authority(directory, "stranger")


@contextlib.contextmanager
def network_cluster(access=None, prepare=None, **settings):
    """Yields a running cluster; calls `prepare` between its creation and its first start."""
    with temporary_directory() as directory:
        cluster = NetworkCluster(directory / "pg", access, **settings)
        try:
            cluster.create()
            if prepare:
                prepare(cluster)
            cluster.start()
            cluster.provide(PASSWORD)
            yield cluster
        finally:
            cluster.remove()


def unreachable_lines(server):
    """Returns the service's log lines about an unreachable database."""
    return [line for line in server.logs() if line["msg"] == "Database is unreachable"]


def attempts(server):
    """Returns the log lines of failed connection attempts; needs LOG_LEVEL=debug."""
    return [line for line in server.logs() if line["msg"] == "Database connection attempt failed"]


def wait_until_steady(server, seconds=10):
    """Waits until twenty health checks in a row succeed: each event loop reconnects independently."""

    def steady():
        return all(server.get("/health").status_code == 200 for _ in range(20))

    until(steady, seconds, what="every event loop to find the database")
