"""The private PostgreSQL cluster that every server uses, created by `scripts/cluster start --tcp`."""

import os
import subprocess

from . import process
from .failure import Failure

# Servers connect by DB_HOST and DB_PORT; this program connects as a superuser by the directory in DB_SOCKET.
VARIABLES = ("DB_HOST", "DB_PORT", "DB_USER", "DB_NAME", "DB_PASSWORD")
SOCKET = "DB_SOCKET"


class Cluster:
    def __init__(self, environment=os.environ, transport="tcp"):
        """`transport` is how servers connect: `tcp` or `socket` (Unix domain)."""
        if missing := [name for name in (*VARIABLES, SOCKET) if not environment.get(name)]:
            raise Failure(f"{', '.join(missing)} must name a private cluster: start this with scripts/bench")
        self.environment = {name: environment[name] for name in VARIABLES}
        self.socket = environment[SOCKET]
        if transport == "socket":
            self.environment["DB_HOST"] = self.socket
        self.version = self.ask("SHOW server_version").split()[0]
        # When run as root, the postmaster belongs to another user, whose files root may read.
        with open(self.ask("SHOW data_directory") + "/postmaster.pid") as file:
            self.postmaster = int(file.readline())
        # An automatic vacuum would slow down one server and not the next.
        self.ask("ALTER SYSTEM SET autovacuum = off")
        self.ask("SELECT pg_reload_conf()")

    def ask(self, *statements, user="postgres", database="postgres"):
        """Returns psql's output as text; each statement commits by itself."""
        words = [
            "psql",
            "-qXAt",
            "-v",
            "ON_ERROR_STOP=1",
            "-h",
            self.socket,
            "-p",
            self.environment["DB_PORT"],
            "-U",
            user,
            "-d",
            database,
        ]
        for statement in statements:
            words += ["-c", statement]
        # Variables named PG* would change libpq's settings.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        done = subprocess.run(words, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode:
            raise Failure(f"PostgreSQL: {done.stderr.strip()}")
        return done.stdout.strip()

    def empty(self):
        """Recreates the database without tables."""
        name, user = self.environment["DB_NAME"], self.environment["DB_USER"]
        statements = [
            "SET client_min_messages = warning",
            "DROP SCHEMA public CASCADE",
            f"CREATE SCHEMA public AUTHORIZATION {user}",
        ]
        self.ask(*statements, database=name)

    def fill(self, rows):
        """Inserts `rows` items into the existing table, then vacuums and checkpoints so that neither
        happens during a load."""
        self.ask(
            "INSERT INTO items (name, description)"
            f" SELECT 'Item ' || i, 'Description of item number ' || i FROM generate_series(1, {rows}) AS i ORDER BY i",
            "VACUUM ANALYZE items",
            user=self.environment["DB_USER"],
            database=self.environment["DB_NAME"],
        )
        self.ask("CHECKPOINT")

    def cpu_seconds(self):
        return process.cpu_seconds(self.postmaster)

    def connections(self):
        """Returns the number of connections of the server under test."""
        return int(self.ask(f"SELECT count(*) FROM pg_stat_activity WHERE usename = '{self.environment['DB_USER']}'"))
