"""POST /api/items/batch: many items at once, all or none."""

import concurrent.futures
import json
import threading

import pytest

from support.server import problem


def batch(server, items, **options):
    return server.post("/api/items/batch", json={"items": items}, **options)


def count(database, name):
    with database.connect() as connection:
        return connection.execute("SELECT count(*) FROM items WHERE name = %s", [name]).fetchone()[0]


def created(server):
    line = next(line for line in server.get("/metrics").text.splitlines() if line.startswith("items_created_total "))
    return float(line.split()[1])


@pytest.mark.parametrize("number", [1, 2, 1000])
def test_makes_items_in_their_order(server, number):
    texts = [{"name": f" Item {place} ", "description": None if place % 3 else f"Number {place}"} for place in range(number)]
    before = created(server)
    response = batch(server, texts)
    assert response.status_code == 201 and response.json().keys() == {"items"}
    made = response.json()["items"]
    assert [(item["name"], item["description"]) for item in made] == [
        (text["name"].strip(), text["description"]) for text in texts
    ]
    numbers = [item["id"] for item in made]
    assert numbers == sorted(set(numbers))
    assert server.get(f"/api/items/{numbers[-1]}").json() == made[-1]
    assert created(server) == before + number


def test_of_any_texts_keeps_them(server):
    texts = ["Ünïcödé", "🎉", 'a"b\\c', "{1,2}", "NULL", "a,b", "'; --", "\x01"]
    made = batch(server, [{"name": "n", "description": text} for text in texts]).json()["items"]
    assert [item["description"] for item in made] == texts


def test_with_faults_makes_none_and_names_them_all(server, module_database):
    items = [{"name": "faulty"}, {"name": ""}, {"name": 7}, "x", {"name": "faulty", "description": "d" * 10_001}]
    body = problem(batch(server, items), 422)
    assert [error["pointer"] for error in body["errors"]] == ["/items/1/name", "/items/2/name", "/items/3", "/items/4/description"]
    assert all(error["message"] and error["field"] for error in body["errors"])
    assert count(module_database, "faulty") == 0


def test_lists_a_hundred_faults(server):
    assert len(problem(batch(server, [{}] * 1000), 422)["errors"]) == 100


@pytest.mark.parametrize("number", [0, 1001])
def test_of_no_or_too_many_items_is_refused(server, number):
    assert problem(batch(server, [{"name": "a"}] * number), 422)["errors"][0]["pointer"] == "/items"


@pytest.mark.parametrize(("body", "status"), [('{"items":', 400), ("[]", 422), ("{}", 422), ('{"items":[{"name":"a"}],"x":1}', 422)])
def test_of_another_form_is_refused(server, body, status):
    problem(server.post("/api/items/batch", data=body, headers={"Content-Type": "application/json"}), status)


def test_that_the_table_refuses_makes_none(database, launch):
    with database.connect() as connection:
        connection.execute(
            "CREATE TABLE items (id serial PRIMARY KEY, name varchar(255) NOT NULL UNIQUE, description text)"
        )
    server = launch(database.environment).wait_until_healthy()
    for headers in ({}, {"Idempotency-Key": "unique"}):
        problem(batch(server, [{"name": "a"}, {"name": "b"}, {"name": "a"}], headers=headers), 409)
        assert count(database, "b") == 0


def test_of_which_a_trigger_drops_some_makes_none(database, launch):
    server = launch(database.environment).wait_until_healthy()
    with database.connect() as connection:
        connection.execute(
            "CREATE FUNCTION pick() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RETURN CASE WHEN NEW.name = 'dropped' THEN NULL ELSE NEW END; END $$"
        )
        connection.execute("CREATE TRIGGER pick BEFORE INSERT ON items FOR EACH ROW EXECUTE FUNCTION pick()")
    for headers in ({}, {"Idempotency-Key": "dropped"}):
        problem(batch(server, [{"name": "kept"}, {"name": "dropped"}], headers=headers), 422)
        problem(batch(server, [{"name": "dropped"}, {"name": "dropped"}], headers=headers), 422)
        assert count(database, "kept") == 0
        assert batch(server, [{"name": "others"}, {"name": "others"}], headers=headers).status_code == 201


def test_may_be_answered_without_content(server):
    before = created(server)
    response = batch(server, [{"name": "minimal"}] * 3, headers={"Prefer": "return=minimal"})
    assert response.status_code == 201 and response.content == b""
    assert response.headers["Preference-Applied"] == "return=minimal"
    assert created(server) == before + 3


def test_takes_no_precondition_but_any(server):
    problem(batch(server, [{"name": "a"}], headers={"If-Match": '"x"'}), 412)
    assert batch(server, [{"name": "a"}], headers={"If-Match": "*"}).status_code == 201


def test_is_a_path_of_its_own(server):
    assert server.get("/api/items/batch").status_code == 405
    assert server.request("OPTIONS", "/api/items/batch").headers["Allow"] == "POST, OPTIONS"


class TestAKey:
    ITEMS = [{"name": "keyed", "description": "d"}, {"name": " keyed "}, {"name": "keyed", "description": "é\n"}]

    def test_repeats_the_first_answer(self, server, module_database):
        headers = {"Idempotency-Key": "batch-1"}
        first = batch(server, self.ITEMS, headers=headers)
        assert first.status_code == 201 and "Idempotent-Replayed" not in first.headers
        before = created(server)
        second = batch(server, self.ITEMS, headers=headers)
        assert second.status_code == 201 and second.headers["Idempotent-Replayed"] == "true"
        assert second.json() == first.json()
        assert count(module_database, "keyed") == 3 and created(server) == before
        problem(batch(server, self.ITEMS[:2], headers=headers), 422)
        problem(server.post("/api/items", json={"name": "keyed"}, headers=headers), 422)
        assert count(module_database, "keyed") == 3

    def test_of_one_item_is_not_that_of_a_batch(self, server):
        headers = {"Idempotency-Key": "single-1"}
        assert server.post("/api/items", json={"name": "single"}, headers=headers).status_code == 201
        problem(batch(server, [{"name": "single"}], headers=headers), 422)

    def test_repeats_it_when_the_items_are_others_by_then(self, server, module_database):
        headers = {"Idempotency-Key": "batch-changed"}
        items = [{"name": "first state"}, {"name": "first state"}]
        first = batch(server, items, headers=headers)
        with module_database.connect() as connection:
            connection.execute("DELETE FROM items WHERE id = %s", [first.json()["items"][0]["id"]])
            connection.execute("UPDATE items SET name = 'second state' WHERE name = 'first state'")
        assert batch(server, items, headers=headers).json() == first.json()

    def test_repeats_what_a_trigger_made_of_the_items(self, database, launch):
        server = launch(database.environment).wait_until_healthy()
        with database.connect() as connection:
            connection.execute(
                "CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS"
                " $$ BEGIN NEW.name := upper(NEW.name); NEW.updated_at := '2024-01-01'; RETURN NEW; END $$"
            )
            connection.execute("CREATE TRIGGER shout BEFORE INSERT ON items FOR EACH ROW EXECUTE FUNCTION shout()")
        headers = {"Idempotency-Key": "shout"}
        first = batch(server, self.ITEMS, headers=headers)
        assert [item["name"] for item in first.json()["items"]] == ["KEYED"] * 3
        assert batch(server, self.ITEMS, headers=headers).json() == first.json()
        problem(batch(server, self.ITEMS[:1], headers=headers), 422)
        # As the version before reads it, which has the same statement.
        problem(server.post("/api/items", json={"name": "a"}, headers=headers), 422)

    def test_of_many_clients_at_once_makes_the_items_once(self, server, module_database):
        items = [{"name": "raced"}] * 100
        ready = threading.Barrier(16)

        def send(_):
            ready.wait()
            return batch(server, items, headers={"Idempotency-Key": "raced-1"})

        with concurrent.futures.ThreadPoolExecutor(16) as threads:
            answers = list(threads.map(send, range(16)))
        assert {answer.status_code for answer in answers} == {201}
        assert len({json.dumps(answer.json()) for answer in answers}) == 1
        assert count(module_database, "raced") == 100

    def test_that_is_a_day_old_is_new_again(self, server, module_database):
        headers = {"Idempotency-Key": "batch-old"}
        first = batch(server, self.ITEMS, headers=headers).json()["items"]
        with module_database.connect() as connection:
            connection.execute("UPDATE idempotency_keys SET created_at = now() - interval '25 hours' WHERE key = 'batch-old'")
        second = batch(server, self.ITEMS, headers=headers)
        assert second.status_code == 201 and second.json()["items"][0]["id"] > first[-1]["id"]
        assert batch(server, self.ITEMS, headers=headers).json() == second.json()
