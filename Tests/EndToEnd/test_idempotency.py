"""Idempotency-Key: what is sent twice is made once."""

import concurrent.futures
import threading

import pytest
from conftest import problem, until

ITEM = {"name": "once", "description": "and only once"}


def create(server, key, item=ITEM, **options):
    return server.post("/api/items", json=item, headers={"Idempotency-Key": key}, **options)


def count(database, name):
    with database.connect() as connection:
        return connection.execute("SELECT count(*) FROM items WHERE name = %s", [name]).fetchone()[0]


class TestAKeyThatIsNew:
    def test_makes_an_item_like_any_other(self, server):
        response = create(server, "new-1")
        assert response.status_code == 201
        item = response.json()
        assert response.headers["Location"] == f"/api/items/{item['id']}"
        assert "Idempotent-Replayed" not in response.headers
        assert server.get(response.headers["Location"]).json() == item

    def test_that_names_no_item_leaves_nothing_behind(self, server):
        problem(create(server, "refused-1", {"name": ""}), 422)
        assert create(server, "refused-1").status_code == 201


class TestAKeyThatWasUsed:
    def test_repeats_the_first_answer(self, server, module_database):
        item = {"name": "repeated", "description": None}
        first = create(server, "again-1", item)
        second = create(server, "again-1", item)
        assert second.status_code == 201
        assert second.json() == first.json()
        assert second.headers["Location"] == first.headers["Location"]
        assert second.headers["Idempotent-Replayed"] == "true"
        assert count(module_database, "repeated") == 1

    def test_is_known_by_the_sha256_of_its_body(self, server, module_database):
        body = '{"name": "hashed", "description": "é中\\u0001"}'.encode()
        headers = {"Idempotency-Key": "hashed-1", "Content-Type": "application/json"}
        assert server.post("/api/items", data=body, headers=headers).status_code == 201
        with module_database.connect() as connection:
            query = "SELECT body_hash = sha256(convert_to(%s, 'UTF8')) FROM idempotency_keys WHERE key = 'hashed-1'"
            assert connection.execute(query, [body.decode()]).fetchone()[0]

    def test_repeats_it_even_when_the_item_is_gone(self, server, module_database):
        first = create(server, "gone-1", {"name": "gone"})
        with module_database.connect() as connection:
            connection.execute("DELETE FROM items WHERE name = 'gone'")
        assert create(server, "gone-1", {"name": "gone"}).json() == first.json()
        assert count(module_database, "gone") == 0

    def test_with_another_body_is_422(self, server, module_database):
        create(server, "other-1", {"name": "first body"})
        body = problem(create(server, "other-1", {"name": "second body"}), 422)
        assert "Idempotency-Key" in body["detail"]
        assert count(module_database, "second body") == 0

    def test_counts_one_item_in_the_metrics(self, server):
        def created():
            line = next(line for line in server.get("/metrics").text.splitlines() if line.startswith("items_created_total "))
            return float(line.split()[1])

        before = created()
        for _ in range(3):
            assert create(server, "counted-1").status_code == 201
        assert created() == before + 1

    def test_a_day_ago_is_new_again(self, server, module_database):
        first = create(server, "old-1", {"name": "old"})
        with module_database.connect() as connection:
            connection.execute(
                "UPDATE idempotency_keys SET created_at = now() - interval '24 hours 1 second' WHERE key = 'old-1'"
            )
        second = create(server, "old-1", {"name": "another body"})
        assert second.status_code == 201
        assert second.json()["id"] != first.json()["id"]
        assert "Idempotent-Replayed" not in second.headers
        assert create(server, "old-1", {"name": "another body"}).json() == second.json()


class TestRequestsAtOnce:
    def test_with_one_key_make_one_item(self, server, module_database):
        for round_ in range(10):
            name = f"crowd {round_}"
            gate = threading.Barrier(16)

            def send():
                gate.wait()
                return create(server, f"crowd-{round_}", {"name": name})

            with concurrent.futures.ThreadPoolExecutor(16) as pool:
                responses = [future.result() for future in [pool.submit(send) for _ in range(16)]]
            assert {response.status_code for response in responses} == {201}
            assert len({response.json()["id"] for response in responses}) == 1
            assert sum("Idempotent-Replayed" not in response.headers for response in responses) == 1
            assert count(module_database, name) == 1

    def test_that_wait_for_each_other_hold_up_nobody_else(self, server, module_database):
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            with module_database.connect() as connection, connection.transaction():
                connection.execute("INSERT INTO idempotency_keys VALUES ('held-1', '', 0, now())")
                held = pool.submit(create, server, "held-1", {"name": "held"})
                waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = %s"
                until(
                    lambda: module_database.admin.execute(waiting, [module_database.name]).fetchone()[0] == 1,
                    what="the create to wait for the key",
                )
                for index in range(50):
                    assert create(server, f"free-{index}", {"name": "free"}).status_code == 201
                assert not held.done()
                connection.execute("DELETE FROM idempotency_keys WHERE key = 'held-1'")
            assert held.result().status_code == 201


class TestAKeyThatIsNone:
    @pytest.mark.parametrize("key", ["", "a b", "a\tb", "ä", "x" * 256, "\x7f"], ids=["empty", "space", "tab", "not-ascii", "long", "control"])
    def test_is_400(self, server, key):
        response = server.post("/api/items", json=ITEM, headers={"Idempotency-Key": key.encode("latin-1")})
        problem(response, 400)

    def test_is_no_limit_short_of_it(self, server):
        assert create(server, "x" * 255).status_code == 201

    def test_because_there_are_two_is_400(self, server):
        from conftest import Wire

        body = b'{"name":"two"}'
        with Wire(server) as wire:
            wire.send(
                b"POST /api/items HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nIdempotency-Key: a\r\n"
                b"Idempotency-Key: b\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
            )
            assert wire.read().status_code == 400


class TestAKeyOverManyWrites:
    def test_is_exact_under_load_with_every_client_sending_twice(self, server, module_database):
        def twice(index):
            item = {"name": f"twice {index}"}
            return create(server, f"twice-{index}", item).json(), create(server, f"twice-{index}", item).json()

        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            for first, second in pool.map(twice, range(300)):
                assert first == second
        with module_database.connect() as connection:
            rows = connection.execute("SELECT count(*), count(DISTINCT name) FROM items WHERE name LIKE 'twice %'").fetchone()
        assert rows == (300, 300)
