"""The fixtures for clusters, databases and servers.

ITEMS_TEST_DB_HOST and ITEMS_TEST_DB_USER name a running cluster to use.
"""

import os
import shutil
import tempfile

import pytest

from support.database import Cluster, Database
from support.project import BINARY
from support.server import Server, stop_all


@pytest.fixture(scope="session", autouse=True)
def binary():
    assert os.access(BINARY, os.X_OK), f"{BINARY} is missing: make build"
    return BINARY


@pytest.fixture(scope="session")
def cluster():
    """The cluster that most tests share."""
    if "ITEMS_TEST_DB_HOST" in os.environ:
        yield Cluster()
        return
    yield from _own_cluster()


@pytest.fixture(scope="module")
def own_cluster():
    """A running cluster that a test may stop, if it starts it again."""
    yield from _own_cluster()


def _own_cluster():
    directory = tempfile.mkdtemp(prefix="items-e2e.", dir="/tmp")
    cluster = Cluster(directory)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.remove()
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def database(cluster):
    database = Database(cluster)
    yield database
    database.drop()


@pytest.fixture(scope="module")
def module_database(cluster):
    database = Database(cluster)
    yield database
    database.drop()


@pytest.fixture
def launch():
    """Returns a factory: launch(environment) starts a server and returns at once. At the end each is stopped
    and must exit with 0."""
    servers = []

    def launch(environment=None, listener=None, wrapper=(), **more):
        servers.append(Server({**(environment or {}), **more}, listener=listener, wrapper=wrapper))
        return servers[-1]

    yield launch
    stop_all(servers)


@pytest.fixture(scope="module")
def server(module_database):
    """A healthy server that the tests of a module share."""
    server = Server(module_database.environment)
    try:
        yield server.wait_until_healthy()
    finally:
        stop_all([server])
