"""What the server keeps in memory."""

import re

from conftest import until
from unkind import private_kib

IDLE_KIB = 12 * 1024


def resident_kib(server):
    with open(f"/proc/{server.process.pid}/status") as status:
        return int(re.search(r"VmRSS:\s+(\d+) kB", status.read())[1])


def test_an_idle_server_lets_go_of_what_its_start_took(database, launch):
    server = launch(database.environment).wait_until_healthy()
    until(lambda: resident_kib(server) < IDLE_KIB, seconds=5, what="the pages of the start to be released")
    assert private_kib(server) < IDLE_KIB / 2


def test_what_was_let_go_comes_back_when_it_is_needed(database, launch):
    server = launch(database.environment).wait_until_healthy()
    until(lambda: resident_kib(server) < IDLE_KIB, seconds=5, what="the pages of the start to be released")
    created = server.create("Kept", "after the release")
    assert server.get(f"/api/items/{created['id']}").json() == created
    assert server.get("/metrics").status_code == 200
    assert server.get("/db").status_code == 200
