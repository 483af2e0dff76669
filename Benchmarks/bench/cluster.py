"""The private PostgreSQL that every server gets, as `scripts/cluster start --tcp` made it."""

import os
import subprocess

from . import process
from .failure import Failure

# What a server is told, and where a superuser is let in.
VARIABLES = ("DB_HOST", "DB_PORT", "DB_USER", "DB_NAME", "DB_PASSWORD")
SOCKET = "DB_SOCKET"


class Cluster:
    def __init__(self, environment=os.environ, transport="tcp"):
        """Servers reach it by `transport`: over TCP, or by its socket."""
        if missing := [name for name in (*VARIABLES, SOCKET) if not environment.get(name)]:
            raise Failure(f"{', '.join(missing)} must name a private cluster: start this with scripts/bench")
        self.environment = {name: environment[name] for name in VARIABLES}
        self.socket = environment[SOCKET]
        if transport == "socket":
            self.environment["DB_HOST"] = self.socket
        self.version = self.ask("SHOW server_version").split()[0]
        # As root the postmaster is another user's, whose files root may read.
        with open(self.ask("SHOW data_directory") + "/postmaster.pid") as file:
            self.postmaster = int(file.readline())
        # A vacuum that begins by itself would meet one server and spare the next.
        self.ask("ALTER SYSTEM SET autovacuum = off")
        self.ask("SELECT pg_reload_conf()")

    def ask(self, *statements, user="postgres", database="postgres"):
        """The answer's text, of statements that each commit by themselves."""
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
        # The rest of what libpq reads is no caller's to choose.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        done = subprocess.run(words, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode:
            raise Failure(f"PostgreSQL: {done.stderr.strip()}")
        return done.stdout.strip()

    def empty(self):
        """The database without a table."""
        name, user = self.environment["DB_NAME"], self.environment["DB_USER"]
        statements = [
            "SET client_min_messages = warning",
            "DROP SCHEMA public CASCADE",
            f"CREATE SCHEMA public AUTHORIZATION {user}",
        ]
        self.ask(*statements, database=name)

    def fill(self, rows):
        """The items, into a table that stands; then nothing is left to be done beside the load."""
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
        """How many the server under test holds."""
        return int(self.ask(f"SELECT count(*) FROM pg_stat_activity WHERE usename = '{self.environment['DB_USER']}'"))
