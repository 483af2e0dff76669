"""The server's memory use for long pages."""

from unkind import HOST, private_kib

from support.wire import Wire

PAGE_BYTES = 1 << 20
LONGEST_PAGE = f"GET /api/items?limit=1000 HTTP/1.1\r\n{HOST}\r\n"


def fill(database, count):
    """Inserts items with descriptions of the maximum length."""
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
    # 1 MiB for each client's page, and 10 MB for each PostgreSQL response held by the loops' two connections.
    assert peak < (64 + 2 * 40) * 1024
