"""The document of Examples/Orders in the hands of other programs: a generator of clients, and one of requests."""

import os
import pathlib

import pytest

from support.fixtures import binary, cluster, database, module_database  # noqa: F401
from support.project import ROOT
from support.server import Server, stop_all

ORDERS = pathlib.Path(os.environ.get("ORDERS_BINARY", ROOT / ".build/debug/orders")).resolve()


class Orders(Server):
    binary = ORDERS


@pytest.fixture(scope="module")
def orders(module_database):  # noqa: F811
    server = Orders(module_database.environment)
    try:
        yield server.wait_until_healthy()
    finally:
        stop_all([server])
