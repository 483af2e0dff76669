"""Idempotency-Key: a create that is sent twice creates one item."""

import concurrent.futures
import datetime
import hashlib
import json
import threading

import pytest

from support.server import problem
from support.waiting import until

ITEM = {"name": "once", "description": "and only once"}


def create(server, key, item=ITEM, **options):
    return server.post("/api/items", json=item, headers={"Idempotency-Key": key}, **options)


def count(database, name):
    with database.connect() as connection:
        return connection.execute("SELECT count(*) FROM items WHERE name = %s", [name]).fetchone()[0]


def waiting(database):
    """Returns how many statements wait for a lock."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = %s"
    return database.admin.execute(query, [database.name]).fetchone()[0]


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

    def test_takes_no_number_of_the_sequence(self, server):
        first = server.create("before")
        for _ in range(5):
            repeated = create(server, "number-1", {"name": "numbered"}).json()
        assert server.create("after")["id"] == repeated["id"] + 1 == first["id"] + 2

    def test_of_a_former_version_is_repeated_from_the_request(self, server, module_database):
        body = b'{"name": " former ", "description": "d"}'
        insert = "INSERT INTO idempotency_keys (key, body_hash, item_id, created_at) VALUES (%s, %s, 4712, %s)"
        with module_database.connect() as connection:
            now = connection.execute("SELECT date_trunc('second', now())").fetchone()[0]
            connection.execute(insert, ["former-1", hashlib.sha256(body).digest(), now])
        headers = {"Idempotency-Key": "former-1", "Content-Type": "application/json"}
        response = server.post("/api/items", data=body, headers=headers)
        moment = now.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.000000Z")
        assert response.status_code == 201 and response.headers["Idempotent-Replayed"] == "true"
        assert response.json() == {
            "id": 4712, "name": "former", "description": "d", "created_at": moment, "updated_at": moment,
        }

    def test_that_a_former_version_renewed_returns_the_newer_item(self, server, module_database):
        item = {"name": "renewed"}
        with module_database.connect() as connection:
            connection.execute(
                "INSERT INTO idempotency_keys VALUES ('renewed-1', %s, 4714, now(), '[4713, \"x\", null, null, null]')",
                [hashlib.sha256(json.dumps(item).encode()).digest()],
            )
        repeated = create(server, "renewed-1", item).json()
        assert repeated["id"] == 4714 and repeated["name"] == "renewed"

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
                until(lambda: waiting(module_database) == 1, what="the create to wait for the key")
                for index in range(50):
                    assert create(server, f"free-{index}", {"name": "free"}).status_code == 201
                assert not held.done()
                connection.execute("DELETE FROM idempotency_keys WHERE key = 'held-1'")
            assert held.result().status_code == 201


    @pytest.mark.parametrize("is_same", [True, False], ids=["same body", "other body"])
    def test_with_a_key_that_another_transaction_commits_meanwhile_replay_it(self, server, module_database, is_same):
        key, name = f"meanwhile-{is_same}", f"meanwhile {is_same}"
        body = json.dumps({"name": name}).encode()
        digest = hashlib.sha256(body if is_same else b"another").digest()
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            with module_database.connect() as connection, connection.transaction():
                insert = "INSERT INTO idempotency_keys (key, body_hash, item_id, created_at) VALUES (%s, %s, 4711, now())"
                connection.execute(insert, [key, digest])
                headers = {"Idempotency-Key": key, "Content-Type": "application/json"}
                held = pool.submit(server.post, "/api/items", data=body, headers=headers)
                until(lambda: waiting(module_database) == 1, what="the create to wait for the key")
            response = held.result()
        if is_same:
            assert response.status_code == 201 and response.json()["id"] == 4711
            assert response.headers["Idempotent-Replayed"] == "true"
        else:
            assert "Idempotency-Key" in problem(response, 422)["detail"]
        assert count(module_database, name) == 0


class TestAnInvalidKey:
    @pytest.mark.parametrize("key", ["", "a b", "a\tb", "ä", "x" * 256, "\x7f"], ids=["empty", "space", "tab", "not-ascii", "long", "control"])
    def test_is_400(self, server, key):
        response = server.post("/api/items", json=ITEM, headers={"Idempotency-Key": key.encode("latin-1")})
        problem(response, 400)

    def test_has_more_than_255_bytes(self, server):
        assert create(server, "x" * 255).status_code == 201

    def test_is_400_when_the_field_occurs_twice(self, server):
        from support.wire import Wire

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
