"""What the server keeps in memory."""

import re

from conftest import Wire, until
from unkind import HOST, private_kib

IDLE_KIB = 12 * 1024
PAGE_BYTES = 1 << 20
LONGEST_PAGE = f"GET /api/items?limit=1000 HTTP/1.1\r\n{HOST}\r\n"


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


def fill(database, count):
    """Items with descriptions as long as they may be."""
    with database.connect() as connection:
        connection.execute(
            "INSERT INTO items (name, description) SELECT 'Long', repeat('d', 10000) FROM generate_series(1, %s)", [count]
        )


def test_a_page_of_long_items_ends_early_and_the_next_goes_on(database, launch):
    server = launch(database.environment).wait_until_healthy()
    fill(database, 250)
    ids, path, pages = [], "/api/items?limit=1000", 0
    while path:
        page = server.get(path)
        assert len(page.content) < PAGE_BYTES + 20_000
        body = page.json()
        ids += [item["id"] for item in body["items"]]
        pages += 1
        path = page.links.get("next", {}).get("url")
        assert (path is None) == (body["next_cursor"] is None)
    assert len(ids) == 250 and ids == sorted(set(ids))
    assert pages == 3


def test_clients_that_all_ask_for_the_longest_page_take_bounded_memory(database, launch):
    server = launch(database.environment, MEMORY_MIB="128").wait_until_healthy()
    fill(database, 1000)
    wires = [Wire(server) for _ in range(64)]
    peak = 0
    for _ in range(3):
        for wire in wires:
            wire.send(LONGEST_PAGE)
        for wire in wires:
            assert wire.read().status_code == 200
            peak = max(peak, private_kib(server))
    for wire in wires:
        wire.socket.close()
    # Each client's page of 1 MiB, and what the loops' two connections hold of PostgreSQL's answers, 10 MB each.
    assert peak < (64 + 2 * 40) * 1024
