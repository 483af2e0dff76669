"""The measured programs: the project's own server, another build of it, and peers that implement the same API."""

import dataclasses
import os
import pathlib
import re
import shlex
import subprocess

from .failure import Failure
from .workload import WORKLOADS

ROOT = pathlib.Path(__file__).resolve().parents[2]
PEERS_DIRECTORY = ROOT / "Benchmarks/peers"
EVERY_WORKLOAD = tuple(WORKLOADS)
OURS = {
    "INSTANCE_ID": "bench",  # without it the server queries the metadata service at every start
    "ENVIRONMENT": "bench",
    "DRAIN_DELAY_MS": "0",
    "MAX_CONNECTIONS": "100000",  # the load determines the number of connections, not this limit
}


@dataclasses.dataclass(frozen=True)
class Program:
    name: str
    title: str  # {version} is replaced by the first version number in the output of `build`
    command: tuple
    ready_path: str = "/health"
    workloads: tuple = EVERY_WORKLOAD
    environment: dict = dataclasses.field(default_factory=dict)
    folder: pathlib.Path | None = None  # a peer's directory, which contains its `build` and `start`
    migration: tuple | None = None  # the command that creates its tables; peers use the project's tables

    def migrate(self, environment):
        done = subprocess.run(self.migration, cwd=ROOT, env=environment, capture_output=True, text=True)
        if done.returncode:
            reason = (done.stderr or done.stdout).strip() or f"exit status {done.returncode}"
            raise Failure(f"{shlex.join(self.migration)} failed: {reason}")

    def build(self):
        """Builds a peer unless it is up to date, and returns its versions as text. A failure names the
        missing requirement."""
        done = subprocess.run([self.folder / "build"], stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode:
            raise Failure(done.stderr.strip() or f"{self.folder}/build failed with {done.returncode}")
        return done.stdout.strip()

    def titled(self, versions):
        first = re.search(r"\d+\.\d+", versions)
        return " ".join(self.title.replace("{version}", first[0] if first else "").split())


def contract(name, title, command):
    """Returns a program with the API of `items serve`, started by `command`."""
    words = shlex.split(command)
    if "serve" not in words:
        raise Failure(f"the command of another build must be its `… items serve`, not: {command}")
    index = len(words) - 1 - words[::-1].index("serve")
    # Paths in `command` are relative to the project's root, whatever the current directory is.
    migration = (*words[:index], "migrate", *words[index + 1 :])
    return Program(name, title, tuple(words), "/health/ready", environment=OURS, migration=migration)


def ours(binary=None):
    binary = pathlib.Path(binary or os.environ.get("ITEMS_BINARY") or ROOT / ".build/release/items").resolve()
    if not os.access(binary, os.X_OK):
        raise Failure(f"there is no {binary}: make build")
    return contract("items", "items", shlex.join([str(binary), "serve"]))


def peer(name, title, folder, **further):
    folder = PEERS_DIRECTORY / folder
    return Program(name, title, (str(folder / "start"),), folder=folder, **further)


# In the order of the tables. Benchmarks/README.md lists what each peer omits.
PEERS = {
    program.name: program
    for program in (
        peer("cfloor", "bare epoll loop in C (parses nothing)", "cfloor", ready_path="/", workloads=("root",)),
        peer("nginx", "nginx {version}", "nginx", ready_path="/", workloads=("root",)),
        peer("hyper", "hyper 0.14 + tokio-postgres", "hyper"),
        peer("hyper-1", "the same, 1 connection a thread", "hyper", environment={"DB_CONNECTIONS_PER_THREAD": "1"}),
        peer("hyper-reader", "the same, 1 of 5 for reads", "hyper", environment={"DB_READERS_PER_THREAD": "1"}),
        peer("go", "Go {version} net/http + pgx", "go"),
        peer("flask", "Flask 3 + gunicorn + psycopg2", "flask"),
    )
}


def peers(names):
    """Returns the peers of a list such as `go,flask`; `all` selects every peer."""
    chosen = list(PEERS) if names == "all" else [name for name in names.split(",") if name]
    if unknown := [name for name in chosen if name not in PEERS]:
        raise Failure(f"there is no peer {', '.join(unknown)}; there are {', '.join(PEERS)}")
    return [PEERS[name] for name in chosen]
