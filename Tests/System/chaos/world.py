"""The environment of a scenario: clusters, proxies and one service. Used for one run, or for several."""

import contextlib
import dataclasses
import os
import pathlib
import shutil
import tempfile

from proxy import Proxy
from service import Service

from support.ports import free_port
from support.postgresql import Cluster

PASSWORD = "first-password"


@dataclasses.dataclass
class Usage:
    descriptors: dict  # number by kind, without the connections to the database
    threads: int
    memory: float


class World:
    """Stops everything it started, in reverse order, even after an error."""

    def __init__(self, rng):
        self.rng = rng
        self.stack = contextlib.ExitStack()
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="items-chaos.", dir="/tmp"))
        os.chmod(self.directory, 0o755)
        self.stack.callback(shutil.rmtree, self.directory, ignore_errors=True)
        self.clusters = []
        self.cluster = None  # the cluster that accepts writes at the end of the run
        self.proxy = None
        self.service = None
        self.ports = set()  # ports of the database, to classify the service's sockets
        self.secrets = self.bouncer = self.password_file = self.hosts = self.replication = None

    def close(self):
        self.stack.close()

    def make_cluster(self, address="127.0.0.1", port=None, **settings):
        port = port or free_port(address)
        cluster = Cluster(self.directory / f"pg{len(self.clusters)}", port, address, **settings)
        self.stack.callback(cluster.remove)
        cluster.create().start()
        cluster.provide(PASSWORD)
        self.clusters.append(cluster)
        self.cluster = cluster
        self.ports.add(port)
        return cluster

    def make_standby(self, address="127.0.0.1", port=None, way=None):
        port = port or free_port(address)
        directory = self.directory / f"pg{len(self.clusters)}"
        self.stack.callback(shutil.rmtree, directory, ignore_errors=True)
        standby = self.cluster.standby(directory, port, address, way)
        self.stack.callback(standby.remove)
        self.clusters.append(standby)
        self.ports.add(port)
        return standby

    def make_proxy(self, upstream=None, **address):
        self.proxy = Proxy(upstream or (self.cluster.address, self.cluster.port), **address)
        self.stack.callback(self.proxy.close)
        self.ports.add(self.proxy.port)
        return self.proxy

    def serve(self, host=None, port=None, hosts=None, **environment):
        environment = {
            "DB_HOST": host or self.cluster.address,
            "DB_PORT": str(port or self.cluster.port),
            "DB_PASSWORD": PASSWORD,
            **environment,
        }
        environment = {name: value for name, value in environment.items() if value is not None}
        self.service = Service(self.directory, environment, hosts)
        self.stack.callback(self.service.stop)
        return self.service.wait_until_healthy()

    def usage(self):
        service = self.service
        descriptors = service.descriptors(self.ports)
        for kind in ("database", "duplicate"):
            descriptors.pop(kind, None)
        return Usage(descriptors, service.threads(), service.resident_mebibytes())

    def heal(self):
        """Undoes the faults that an interrupted run left in force."""
        for cluster in self.clusters:
            with contextlib.suppress(OSError):
                cluster.thaw()
        if self.proxy:
            self.proxy.heal()


def direct(world):
    """Connects the service directly to PostgreSQL."""
    world.make_cluster()
    world.serve()


def proxied(world):
    """Connects the service to PostgreSQL through a proxy with switchable faults."""
    world.make_cluster()
    world.make_proxy()
    world.serve("127.0.0.1", world.proxy.port)
