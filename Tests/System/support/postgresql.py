"""PostgreSQL clusters that tests may kill, stop, freeze and promote, and whose passwords they may change.

Unlike those of scripts/cluster they listen on TCP on loopback and require passwords (scram-sha-256); the superuser
connects by the Unix domain socket. They run with fsync=off: when a process dies, the kernel keeps its writes, so
acknowledged data survives everything the tests do. A loss of power is not tested.
"""

import contextlib
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import time

import psycopg

from support.waiting import until

OWNER = "postgres" if os.geteuid() == 0 else None  # PostgreSQL refuses to run as root
START_SECONDS = 60
# The standby's name in the primary's synchronous_standby_names.
STANDBY = "standby"

SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "on",  # so that a synchronous standby has every acknowledged commit
    "full_page_writes": "off",
    "max_connections": "60",
    "superuser_reserved_connections": "3",
    "max_wal_senders": "8",
    "wal_level": "replica",
    "hot_standby": "on",
    "hot_standby_feedback": "on",
    "wal_retrieve_retry_interval": "100ms",  # a promotion may wait this long
    "log_line_prefix": "'%m [%p] %u '",
    "log_connections": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
}

ACCESS = """local all all trust
host all all 127.0.0.0/8 scram-sha-256
local replication all trust
host replication all 127.0.0.0/8 scram-sha-256
"""


class Missing(Exception):
    """A program that a scenario needs is not installed."""


def binaries():
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[4]))
    if found:
        return found[-1].parent
    if shutil.which("postgres") and shutil.which("initdb"):
        return pathlib.Path(shutil.which("postgres")).parent
    raise Missing("PostgreSQL's server binaries")


def as_owner():
    """Returns Popen's arguments for a process that runs as the owner of the clusters."""
    if OWNER is None:
        return {}
    entry = pwd.getpwnam(OWNER)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def own(path):
    if OWNER is not None:
        entry = pwd.getpwnam(OWNER)
        os.chown(path, entry.pw_uid, entry.pw_gid)


def run(*command, **options):
    done = subprocess.run(
        [str(word) for word in command],
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=90,
        **as_owner(),
        **options,
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}: {done.stdout}")
    return done.stdout


class Cluster:
    """One cluster in its own directory, on one address and port of loopback."""

    def __init__(self, directory, port, address="127.0.0.1", **settings):
        self.directory = pathlib.Path(directory)
        self.address, self.port = address, port
        self.settings = {**SETTINGS, **settings}
        self.data = self.directory / "data"
        self.log = self.directory / "log"
        self.bin = binaries()
        self.directory.mkdir(mode=0o755)
        own(self.directory)

    # Lifecycle.

    def create(self):
        run(
            self.bin / "initdb",
            "--pgdata",
            self.data,
            "--username",
            "postgres",
            "--auth",
            "trust",
            "--encoding",
            "UTF8",
            "--locale",
            "C.UTF-8",
            "--no-instructions",
            "--no-sync",
        )
        (self.data / "pg_hba.conf").write_text(ACCESS)
        return self

    def start(self):
        """Starts the cluster and returns the time at which it accepted a connection."""
        words = [f"-c {name}={value}" for name, value in self.settings.items() if name != "log_line_prefix"]
        words += [
            f"-c port={self.port}",
            f"-c listen_addresses={self.address}",
            f"-c unix_socket_directories={self.directory}",
            "-c log_line_prefix='%m [%p] %u '",
        ]
        run(
            self.bin / "pg_ctl",
            "start",
            "--silent",
            "--no-wait",
            "--pgdata",
            self.data,
            "--log",
            self.log,
            "--options",
            " ".join(words),
        )
        return self.wait_until_up()

    def wait_until_up(self, seconds=START_SECONDS):
        def up():
            with contextlib.suppress(psycopg.OperationalError):
                self.connect().close()
                return True

        until(up, seconds, what=f"PostgreSQL on port {self.port}; its log is {self.log}")
        return time.monotonic()

    def stop(self, mode="immediate"):
        """`immediate` is like a crash: no checkpoint, and clients are not notified."""
        if self.postmaster() is not None:
            self.thaw()
            run(self.bin / "pg_ctl", "stop", "--silent", "--wait", "--mode", mode, "--pgdata", self.data)

    def remove(self):
        with contextlib.suppress(RuntimeError, subprocess.TimeoutExpired):
            self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def kill(self):
        """Sends SIGKILL to all processes, as if the host lost power: data in their sockets is lost,
        even of frozen ones."""
        self.freeze()  # otherwise a new child might be missed
        pids = self.processes()
        segment = (self.data / "postmaster.pid").read_text().splitlines()[6].split()[1]
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        until(lambda: not any(os.path.exists(f"/proc/{pid}/cwd") for pid in pids), 10, what="the processes to end")
        # The postmaster may be a zombie, and the lock files count as long as a process with its pid exists.
        for lock in (self.data / "postmaster.pid", self.directory / f".s.PGSQL.{self.port}.lock"):
            lock.unlink()
        # System V shared memory outlives its processes.
        run("ipcrm", "--shmem-id", segment)

    def standby(self, directory, port, address="127.0.0.1", way=None):
        """Starts a streaming standby that every commit waits for from now on.

        `way` is the address and port of a proxy for its WAL.
        """
        other = Cluster(directory, port, address, **{**self.settings, "cluster_name": STANDBY})
        run(
            self.bin / "pg_basebackup",
            "--pgdata",
            other.data,
            "--host",
            self.directory,
            "--port",
            self.port,
            "--username",
            "postgres",
            "--write-recovery-conf",
            "--wal-method",
            "stream",
            "--checkpoint",
            "fast",
            "--no-sync",
        )
        if way:
            self.execute(f"ALTER ROLE postgres PASSWORD '{STANDBY}'")
            other.follow_by(f"host={way[0]} port={way[1]} user=postgres password={STANDBY}")
        other.start()
        self.wait_for_commits_of(other)
        return other

    def wait_for_commits_of(self, standby):
        with self.connect() as admin:
            admin.execute(f"ALTER SYSTEM SET synchronous_standby_names = '{STANDBY}'")
            admin.execute("SELECT pg_reload_conf()")
            query = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync' AND state = 'streaming'"
            until(lambda: admin.execute(query).fetchone()[0] == 1, 30, what="the standby to be synchronous")

    def promote(self):
        """Makes a standby the primary; returns the time at which it accepts writes."""
        with self.connect() as admin:
            # Commits of the new primary do not wait for a standby.
            admin.execute("SELECT pg_promote(wait => false)")
            until(lambda: not admin.execute("SELECT pg_is_in_recovery()").fetchone()[0], 30, what="the promotion")
        return time.monotonic()

    def follow(self, primary):
        """Starts a stopped primary as the standby of another cluster."""
        (self.data / "standby.signal").touch()
        own(self.data / "standby.signal")
        self.follow_by(f"host={primary.directory} port={primary.port} user=postgres")
        with open(self.data / "postgresql.auto.conf", "a") as file:
            file.write("recovery_target_timeline = 'latest'\nsynchronous_standby_names = ''\n")
        return self.start()

    def follow_by(self, connection):
        """Sets the source of its WAL from its next start on; the last line of a setting counts."""
        with open(self.data / "postgresql.auto.conf", "a") as file:
            file.write(f"primary_conninfo = '{connection}'\n")

    # Processes.

    def postmaster(self):
        try:
            pid = int((self.data / "postmaster.pid").read_text().split()[0])
            return pid if os.path.samefile(f"/proc/{pid}/cwd", self.data) else None
        except (OSError, ValueError, IndexError):
            return None

    def processes(self):
        postmaster = self.postmaster()
        if postmaster is None:
            return []
        children = pathlib.Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
        return [postmaster, *map(int, children)]

    def freeze(self, pids=None):
        """Sends SIGSTOP, to the postmaster first, so that no new child is missed."""
        for pid in pids or [self.postmaster()]:
            os.kill(pid, signal.SIGSTOP)
        if pids is None:
            for pid in self.processes()[1:]:
                os.kill(pid, signal.SIGSTOP)

    def thaw(self):
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    # Queries.

    def connect(self, database="postgres", **options):
        """Connects as the superuser, by the Unix domain socket."""
        return psycopg.connect(
            host=str(self.directory),
            port=self.port,
            user="postgres",
            dbname=database,
            autocommit=True,
            connect_timeout=5,
            application_name="chaos",
            **options,
        )

    def execute(self, sql, *parameters):
        with self.connect() as admin:
            cursor = admin.execute(sql, parameters or None)
            return cursor.fetchall() if cursor.description else []

    def backends(self):
        """Returns the pids of the backends of the service, whichever of its roles they use."""
        rows = self.execute("SELECT pid FROM pg_stat_activity WHERE usename LIKE 'items%' ORDER BY pid")
        return [pid for (pid,) in rows]

    def terminate(self):
        return self.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename LIKE 'items%'")

    def provide(self, password):
        """Creates the service's role and database."""
        self.execute(f"CREATE ROLE items LOGIN PASSWORD '{password}'")
        self.execute("CREATE DATABASE items OWNER items")

    def tail(self, count=15):
        with contextlib.suppress(OSError):
            return self.log.read_text(errors="replace").splitlines()[-count:]
        return []
