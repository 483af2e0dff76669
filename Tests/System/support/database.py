"""A private PostgreSQL cluster, and databases in it."""

import itertools
import os
import re
import subprocess

import psycopg

from support.project import ROOT
from support.waiting import until


class Cluster:
    """A private PostgreSQL cluster of scripts/cluster, or an existing one that the environment names."""

    def __init__(self, directory=None):
        self.directory = directory
        if directory is None:
            self.host = os.environ["ITEMS_TEST_DB_HOST"]
            self.user = os.environ.get("ITEMS_TEST_DB_USER", "items")
        else:
            # When the tests run as root, another user owns the cluster and must be able to enter the directory.
            os.chmod(directory, 0o711)
            line = self.script("env")
            self.host = re.search(r"DB_HOST=(\S+)", line)[1]
            self.user = re.search(r"DB_USER=(\S+)", line)[1]

    def script(self, verb, *options):
        run = subprocess.run(
            [ROOT / "scripts/cluster", verb, *options, self.directory], capture_output=True, text=True, timeout=90
        )
        assert run.returncode == 0, run.stderr
        return run.stdout

    def start(self):
        self.script("start", "--fast")

    def stop(self):
        self.script("stop")

    def remove(self):
        self.script("remove")

    def connect(self, database="postgres", user=None):
        return psycopg.connect(host=self.host, user=user or self.user, dbname=database, autocommit=True)

    def environment(self, database):
        return {"DB_HOST": self.host, "DB_USER": self.user, "DB_NAME": database}


class Database:
    """An empty database for one test, and a connection from outside to observe it."""

    numbers = itertools.count(1)

    def __init__(self, cluster):
        self.cluster = cluster
        self.name = f"e2e_{os.getpid()}_{next(self.numbers)}"
        self.admin = cluster.connect()
        self.admin.execute(f'CREATE DATABASE "{self.name}"')

    @property
    def environment(self):
        return self.cluster.environment(self.name)

    def connect(self):
        return self.cluster.connect(self.name)

    def service_connections(self):
        """Returns how many connections of a service the server has; the fixture's own connection is
        in another database."""
        query = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND backend_type = 'client backend'"
        return self.admin.execute(query, [self.name]).fetchone()[0]

    def drop(self):
        until(self._is_dropped, 30, what=f"{self.name} to be left by autovacuum")
        self.admin.close()

    def _is_dropped(self):
        try:
            self.admin.execute(f'DROP DATABASE IF EXISTS "{self.name}" WITH (FORCE)')
        except psycopg.errors.InsufficientPrivilege:  # FORCE may not end an autovacuum worker; it ends by itself
            return False
        return True
