"""Read, replace, patch and delete one item, with preconditions."""

import concurrent.futures
import threading

import pytest
import requests

from support.server import items, problem

PATCH = "application/merge-patch+json"


def path(item):
    return f"/api/items/{item['id']}"


def tag(item):
    return f'"{item["updated_at"]}"'


def put(server, item, body, **fields):
    return server.request("PUT", path(item), json=body, headers=named(fields))


def patch(server, item, body, **fields):
    return server.request("PATCH", path(item), json=body, headers={**named(fields), "Content-Type": PATCH})


def delete(server, item, **fields):
    return server.request("DELETE", path(item), headers=named(fields))


def named(fields):
    """if_match="*" as {"If-Match": "*"}."""
    return {name.replace("_", "-").title(): value for name, value in fields.items()}


def stored(server, item):
    return server.get(path(item)).json()


@pytest.fixture
def item(server):
    return server.create("Item", "Description")


class TestTags:
    def test_are_the_time_of_the_last_change_as_the_json_has_it(self, server, item):
        for method in ("GET", "HEAD"):
            response = server.request(method, path(item))
            assert response.status_code == 200 and response.headers["ETag"] == tag(item)
            assert response.headers["Cache-Control"] == "no-cache" and response.headers["Vary"] == "Accept-Encoding"

    def test_of_a_created_item_are_in_the_answer(self, server):
        response = server.post("/api/items", json={"name": "New"})
        assert response.headers["ETag"] == tag(response.json())
        assert server.get(response.headers["Location"]).headers["ETag"] == tag(response.json())

    def test_are_repeated_with_a_key(self, server):
        first, again = (
            server.post("/api/items", json={"name": "Keyed"}, headers={"Idempotency-Key": "tags"}) for _ in range(2)
        )
        assert again.headers["Idempotent-Replayed"] == "true" and again.headers["ETag"] == first.headers["ETag"]

    def test_of_every_entry_of_a_list_are_good_for_a_change(self, server, item):
        entry = next(entry for entry in server.get("/api/items?limit=1000").json()["items"] if entry["id"] == item["id"])
        assert put(server, entry, {"name": "From a list"}, if_match=tag(entry)).status_code == 200

    def test_grow_with_each_change(self, server, item):
        tags = [tag(item)]
        for number in range(20):
            response = patch(server, item, {"name": f"Change {number}"})
            tags.append(response.headers["ETag"])
            assert response.headers["ETag"] == tag(response.json()) == server.get(path(item)).headers["ETag"]
        assert tags == sorted(set(tags))

    def test_grow_with_other_programs_changes(self, server, item, module_database):
        tags = [tag(item)]
        with module_database.connect() as connection:
            for change in ("name = 'a'", "name = 'b', updated_at = created_at", "updated_at = 'epoch'"):
                connection.execute(f"UPDATE items SET {change} WHERE id = %s", [item["id"]])
                tags.append(server.get(path(item)).headers["ETag"])
        assert tags == sorted(set(tags))


class TestConditionalReads:
    @pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}', "{}, W/\"x\"", "*"])
    def test_of_the_current_state_are_304(self, server, item, form):
        for method in ("GET", "HEAD"):
            response = server.request(method, path(item), headers={"If-None-Match": form.format(tag(item))})
            assert (response.status_code, response.content) == (304, b"")
            assert response.headers["ETag"] == tag(item)
            assert response.headers["Cache-Control"] == "no-cache" and response.headers["Vary"] == "Accept-Encoding"
            assert "Content-Type" not in response.headers and "Content-Length" not in response.headers

    def test_of_another_state_are_answered(self, server, item):
        changed = patch(server, item, {"name": "Changed"})
        for value in (tag(item), f"W/{tag(item)}", '""', f'"{item["updated_at"]}x"'):
            response = server.get(path(item), headers={"If-None-Match": value})
            assert response.status_code == 200 and response.json() == changed.json()

    def test_with_if_match_are_412_unless_it_is_the_current_state(self, server, item):
        assert server.get(path(item), headers={"If-Match": tag(item)}).status_code == 200
        assert server.get(path(item), headers={"If-Match": "*"}).status_code == 200
        for value in ('"other"', f"W/{tag(item)}"):
            problem(server.get(path(item), headers={"If-Match": value}), 412)

    def test_of_no_item_are_404(self, server):
        for fields in ({"If-None-Match": "*"}, {"If-Match": "*"}, {"If-Match": '"x"'}):
            problem(server.get("/api/items/999999999", headers=fields), 404)

    @pytest.mark.parametrize("value", ["x", '"x', "*, *", '"x" "y"', "w/\"x\"", ", ".join(['"x"'] * 65)])
    def test_with_a_malformed_field_are_400(self, server, item, value):
        for field in ("If-Match", "If-None-Match"):
            assert field in problem(server.get(path(item), headers={field: value}), 400)["detail"]

    def test_keep_the_connection(self, server, item):
        session = requests.Session()
        for _ in range(3):
            response = session.get(server.url + path(item), headers={"If-None-Match": tag(item)})
            assert response.status_code == 304 and "Connection" not in response.headers
        assert session.get(server.url + path(item)).json() == item


class TestPut:
    def test_replaces_the_item_and_has_no_tag(self, server, item):
        response = put(server, item, {"name": " Replaced ", "description": "Anew"})
        assert response.status_code == 200 and response.headers["Content-Location"] == path(item)
        assert "ETag" not in response.headers
        body = response.json()
        assert (body["name"], body["description"]) == ("Replaced", "Anew")
        assert (body["id"], body["created_at"]) == (item["id"], item["created_at"])
        assert body["updated_at"] > item["updated_at"] and stored(server, item) == body

    def test_without_a_description_removes_it(self, server, item):
        assert put(server, item, {"name": "Item"}).json()["description"] is None
        assert stored(server, item)["description"] is None

    def test_takes_an_item_as_it_was_read(self, server, item):
        response = put(server, item, {**item, "name": "Edited"}, if_match=tag(item))
        assert response.status_code == 200 and response.json() == {**item, **response.json(), "name": "Edited"}

    def test_that_changes_nothing_writes_nothing(self, server, item, module_database):
        with module_database.connect() as connection:
            query = "SELECT ctid, xmin::text FROM items WHERE id = %s"
            before = connection.execute(query, [item["id"]]).fetchone()
            for fields in ({}, {"if_match": "*"}, {"if_match": tag(item)}, {"if_match": '"old"'}):
                response = put(server, item, item, **fields)
                assert response.status_code == 200 and response.json() == item
            assert connection.execute(query, [item["id"]]).fetchone() == before

    def test_creates_no_item(self, server):
        missing = {"id": 999_999_999}
        for fields in ({}, {"if_match": "*"}, {"if_match": '"x"'}, {"if_none_match": "*"}):
            problem(put(server, missing, {"name": "x"}, **fields), 404)
        assert server.get("/api/items/999999999").status_code == 404

    @pytest.mark.parametrize(
        "body, wrong",
        [
            ({}, {"name"}),
            ({"name": None}, {"name"}),
            ({"name": " "}, {"name"}),
            ({"name": "n" * 256, "description": "d" * 10_001}, {"name", "description"}),
            ({"name": "x", "id": 0}, {"id"}),
            ({"name": "x", "id": None}, {"id"}),
            ({"name": "", "colour": "red", "tags": []}, {"name", "colour", "tags"}),
        ],
    )
    def test_names_every_wrong_member(self, server, item, body, wrong):
        for if_match in ("*", '"other"'):
            found = problem(put(server, item, body, if_match=if_match), 422)["errors"]
            assert {error["field"] for error in found} == wrong
        assert stored(server, item) == item

    def test_needs_json(self, server, item):
        for type in ("text/plain", "application/x-www-form-urlencoded", None):
            headers = {"Content-Type": type, "If-Match": '"other"'}
            problem(server.request("PUT", path(item), data='{"name":"x"}', headers=headers), 415)
        assert stored(server, item) == item


class TestPatch:
    @pytest.mark.parametrize(
        "change, expected",
        [
            ({"name": "Only"}, {"name": "Only"}),
            ({"description": "Only"}, {"description": "Only"}),
            ({"description": None}, {"description": None}),
            ({"name": "Both", "description": "too \n\u0001"}, {"name": "Both", "description": "too \n\u0001"}),
            ({"name": "With", "id": None, "created_at": "x", "updated_at": 1}, None),
        ],
    )
    @pytest.mark.parametrize("type", [PATCH, "application/json"])
    def test_changes_what_it_names(self, server, item, change, expected, type):
        response = server.request("PATCH", path(item), json=change, headers={"Content-Type": type})
        if expected is None:
            assert {error["field"] for error in problem(response, 422)["errors"]} == {"id"}
            return
        body = response.json()
        assert response.status_code == 200 and response.headers["ETag"] == tag(body)
        assert body == {**item, **expected, "updated_at": body["updated_at"]}
        assert body["updated_at"] > item["updated_at"] and stored(server, item) == body

    @pytest.mark.parametrize("change", [{}, {"name": "Item"}, {"description": "Description"}, {"name": " Item "}])
    def test_of_nothing_writes_nothing(self, server, item, change):
        for fields in ({}, {"if_match": tag(item)}, {"if_match": '"old"'}):
            response = patch(server, item, change, **fields)
            assert response.status_code == 200 and response.json() == item and response.headers["ETag"] == tag(item)

    @pytest.mark.parametrize("body", ["[]", "null", "1", '"x"', '{"name":null}', '{"name":""}', '{"x":1}', '{"name":1}'])
    def test_that_breaks_a_rule_is_422(self, server, item, body):
        problem(server.request("PATCH", path(item), data=body, headers={"Content-Type": PATCH}), 422)
        assert stored(server, item) == item

    @pytest.mark.parametrize("type", ["application/json-patch+json", "text/plain", "application/x+json"])
    def test_of_another_kind_is_415(self, server, item, type):
        response = server.request("PATCH", path(item), data="[]", headers={"Content-Type": type})
        problem(response, 415)
        assert response.headers["Accept-Patch"] == PATCH

    def test_is_told_by_options(self, server, item):
        response = server.request("OPTIONS", path(item))
        assert response.headers["Allow"] == "GET, HEAD, PUT, PATCH, DELETE, OPTIONS"
        assert response.headers["Accept-Patch"] == PATCH
        assert "Accept-Patch" not in server.request("OPTIONS", "/api/items").headers


class TestDelete:
    def test_removes_the_item(self, server, item):
        response = delete(server, item)
        assert (response.status_code, response.content) == (204, b"")
        for method in ("GET", "DELETE"):
            problem(server.request(method, path(item)), 404)
        problem(patch(server, item, {"name": "x"}), 404)
        assert item["id"] not in [entry["id"] for entry in server.get("/api/items?limit=1000").json()["items"]]

    def test_of_another_state_is_412(self, server, item):
        for fields in ({"if_match": '"other"'}, {"if_match": f"W/{tag(item)}"}, {"if_none_match": tag(item)}):
            problem(delete(server, item, **fields), 412)
        assert stored(server, item) == item
        assert delete(server, item, if_match=f'"other", {tag(item)}').status_code == 204


class TestPreconditions:
    WRITES = [
        lambda server, item, **fields: put(server, item, {"name": "Written"}, **fields),
        lambda server, item, **fields: patch(server, item, {"name": "Written"}, **fields),
        delete,
    ]

    @pytest.mark.parametrize("write", WRITES, ids=["put", "patch", "delete"])
    def test_that_fail_leave_the_item_as_it_is(self, server, item, write):
        for fields in (
            {"if_match": '"other"'},
            {"if_match": ""},
            {"if_match": f"W/{tag(item)}"},
            {"if_match": tag(item).lower()},
            {"if_none_match": "*"},
            {"if_none_match": tag(item)},
            {"if_none_match": f"W/{tag(item)}"},
            {"if_match": tag(item), "if_none_match": tag(item)},
        ):
            problem(write(server, item, **fields), 412)
            assert stored(server, item) == item

    @pytest.mark.parametrize("write", WRITES, ids=["put", "patch", "delete"])
    def test_that_hold_let_the_write_run(self, server, write):
        for number, form in enumerate(["*", "{}", '"other", {}', '"x-gzip", {}']):
            item = server.create(f"Held {number}")
            fields = {"if_match": form.format(tag(item)), "if_none_match": '"other"'}
            assert write(server, item, **fields).status_code in (200, 204)

    @pytest.mark.parametrize("write", WRITES, ids=["put", "patch", "delete"])
    def test_of_a_missing_item_are_404(self, server, write):
        for fields in ({"if_match": '"x"'}, {"if_match": "*"}, {"if_none_match": "*"}):
            problem(write(server, {"id": 999_999_999}, **fields), 404)

    def test_are_repeated_after_a_lost_answer_with_success(self, server, item):
        for write in self.WRITES[:2]:
            item = server.create("Again")
            first = write(server, item, if_match=tag(item))
            again = write(server, item, if_match=tag(item))
            assert first.status_code == again.status_code == 200 and first.json() == again.json()

    def test_on_the_collection_are_412_except_an_asterisk(self, server):
        def create(**fields):
            return server.post("/api/items", json={"name": "Conditional"}, headers=named(fields))

        assert create(if_match="*").status_code == 201
        for fields in ({"if_match": '"x"'}, {"if_none_match": "*"}, {"if_none_match": '"x"'}):
            problem(create(**fields), 412)

    def test_may_be_required(self, database, launch):
        server = launch(database.environment, REQUIRE_PRECONDITIONS="1").wait_until_healthy()
        item = server.create("Guarded")
        for write in self.WRITES:
            assert "If-Match" in problem(write(server, item), 428)["detail"]
            problem(write(server, item, if_none_match='"x"'), 428)
        assert stored(server, item) == item
        assert put(server, item, {"name": "With a tag"}, if_match=tag(item)).status_code == 200
        assert delete(server, item, if_match="*").status_code == 204


class TestPreferences:
    PREFER = {"Prefer": "return=minimal"}

    def test_of_a_minimal_answer_are_applied(self, server):
        created = server.post("/api/items", json={"name": "Minimal"}, headers=self.PREFER)
        assert (created.status_code, created.content) == (201, b"") and "Content-Type" not in created.headers
        location = created.headers["Location"]
        item = server.get(location).json()
        assert created.headers["ETag"] == tag(item)
        patched = patch(server, item, {"name": "Patched"}, prefer="return=minimal")
        assert (patched.status_code, patched.content) == (204, b"")
        assert patched.headers["ETag"] == server.get(location).headers["ETag"]
        replaced = put(server, item, {"name": "Replaced"}, prefer="return=minimal", if_match=patched.headers["ETag"])
        assert (replaced.status_code, replaced.content) == (204, b"") and "ETag" not in replaced.headers
        for response in (created, patched, replaced):
            assert response.headers["Preference-Applied"] == "return=minimal"
        assert stored(server, item)["name"] == "Replaced"

    def test_of_another_answer_change_nothing(self, server, item):
        response = patch(server, item, {"name": "Whole"}, prefer="return=representation")
        assert response.status_code == 200 and "Preference-Applied" not in response.headers


class TestConcurrentWriters:
    """No change is lost, whether it has preconditions or not."""

    WRITERS = 8
    CHANGES = 25

    def together(self, write):
        with concurrent.futures.ThreadPoolExecutor(self.WRITERS) as pool:
            return list(pool.map(write, range(self.WRITERS)))

    def test_with_tags_lose_none_of_their_own_texts(self, server, item):
        """Each appends its own text to what it has read, so no two changes are the same."""
        assert put(server, item, {"name": "Log", "description": ""}).status_code == 200

        def write(writer):
            session = requests.Session()
            for number in range(self.CHANGES):
                while True:
                    read = session.get(server.url + path(item))
                    text = read.json()["description"] + f"{writer}.{number} "
                    change = {"description": text}
                    headers = {"If-Match": read.headers["ETag"], "Content-Type": PATCH}
                    if session.patch(server.url + path(item), json=change, headers=headers).status_code == 200:
                        break

        self.together(write)
        words = stored(server, item)["description"].split()
        assert sorted(words) == sorted(f"{writer}.{number}" for writer in range(self.WRITERS) for number in range(self.CHANGES))

    def test_without_tags_keep_each_others_members_and_make_a_state_each(self, server, item):
        def write(writer):
            session, made = requests.Session(), []
            member = "name" if writer % 2 else "description"
            for number in range(self.CHANGES):
                body = {member: f"{writer}.{number}"}
                response = session.patch(server.url + path(item), json=body, headers={"Content-Type": PATCH})
                assert response.status_code == 200 and response.json()[member] == body[member]
                made.append(response.headers["ETag"])
            assert made == sorted(set(made))
            return made

        made = [state for states in self.together(write) for state in states]
        assert len(set(made)) == self.WRITERS * self.CHANGES
        last = stored(server, item)
        assert tag(last) == max(made)
        # The last change of each member is one writer's last.
        assert last["name"].endswith(f".{self.CHANGES - 1}") and last["description"].endswith(f".{self.CHANGES - 1}")

    def test_that_delete_succeed_once(self, server, item):
        barrier = threading.Barrier(self.WRITERS)

        def write(_):
            barrier.wait()
            return delete(server, item).status_code

        assert sorted(self.together(write)) == [204] + [404] * (self.WRITERS - 1)

    def test_of_different_items_do_not_wait_for_a_locked_one(self, server, item, module_database):
        other = server.create("Other")
        with module_database.connect() as connection, connection.transaction():
            connection.execute("SELECT FROM items WHERE id = %s FOR UPDATE", [item["id"]])
            assert put(server, other, {"name": "Written"}).status_code == 200
            assert server.get(path(item)).status_code == 200


class TestKeptTables:
    @pytest.mark.parametrize("type", ["timestamptz", "timestamp", "date"])
    @pytest.mark.parametrize("prepared", ["1", "0"])
    def test_have_tags_whatever_the_type_of_the_time(self, database, launch, type, prepared):
        with database.connect() as connection:
            connection.execute(
                "CREATE TABLE items (id serial PRIMARY KEY, name varchar(80) NOT NULL, description varchar,"
                f" created_at {type} DEFAULT now(), updated_at {type} DEFAULT now())"
            )
        server = launch(database.environment, DB_PREPARED=prepared).wait_until_healthy()
        item = server.create("Kept")
        states = [item]
        for number in range(3):
            stale = patch(server, item, {"name": "Stale"}, if_match='"2000-01-01T00:00:00.000000Z"')
            problem(stale, 412)
            response = put(server, item, {"name": f"Change {number}"}, if_match=tag(states[-1]))
            assert response.status_code == 200, response.text
            states.append(response.json())
            assert states[-1] == stored(server, item)
        times = [state["updated_at"] for state in states]
        assert times == sorted(set(times))
        assert delete(server, item, if_match=tag(states[-1])).status_code == 204

    def test_have_rules_of_their_own(self, database, launch):
        with database.connect() as connection:
            connection.execute(
                "CREATE TABLE items (id serial PRIMARY KEY, name varchar(9) UNIQUE NOT NULL, description text,"
                " CHECK (description <> 'bad'))"
            )
            connection.execute("CREATE TABLE parts (item_id int REFERENCES items)")
            server = launch(database.environment).wait_until_healthy()
            first, second = server.create("first"), server.create("second")
            connection.execute("INSERT INTO parts VALUES (%s)", [first["id"]])
        problem(put(server, first, {"name": "second"}), 409)
        problem(put(server, first, {"name": "far too long"}), 422)
        problem(patch(server, first, {"description": "bad"}), 422)
        assert "refers to the item" in problem(delete(server, first), 409)["detail"]
        assert stored(server, first) == first
        assert delete(server, second).status_code == 204

    def test_may_have_longer_texts_than_new_items(self, database, launch):
        with database.connect() as connection:
            connection.execute("CREATE TABLE items (id serial PRIMARY KEY, name text NOT NULL, description text)")
            connection.execute("INSERT INTO items (name, description) VALUES ('long', repeat('x', 3000000))")
        server = launch(database.environment).wait_until_healthy()
        item = stored(server, {"id": 1})
        patched = patch(server, item, {"name": "longer"}, if_match=tag(item))
        assert patched.status_code == 200 and len(patched.json()["description"]) == 3_000_000
        assert patched.headers["ETag"] == tag(patched.json()) and patched.json() == stored(server, item)
        assert put(server, item, {"name": "short"}).json()["description"] is None

    def test_are_written_with_rights_on_the_tables_alone(self, own_cluster, launch):
        from support.database import Database

        database = Database(own_cluster)
        try:
            assert items("migrate", **database.environment).returncode == 0
            with own_cluster.connect(user="postgres") as connection:
                connection.execute("DROP ROLE IF EXISTS writer")
                connection.execute("CREATE ROLE writer LOGIN")
            with database.connect() as connection:
                connection.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON items TO writer")
                connection.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON idempotency_keys TO writer")
            server = launch({**database.environment, "DB_USER": "writer"}).wait_until_healthy()
            item = server.create("Rights")
            assert put(server, item, {"name": "Written"}, if_match=tag(item)).status_code == 200
            assert delete(server, item).status_code == 204
            server.stop()
        finally:
            database.drop()

    def test_that_are_not_migrated_yet_are_written(self, database, launch):
        """A new instance beside former ones, which leaves the migration to a command that has not run."""
        assert items("migrate", **database.environment).returncode == 0
        with database.connect() as connection:
            connection.execute("DROP TRIGGER zz_items_advance_updated_at ON items")
            connection.execute("DROP FUNCTION items_advance_updated_at")
            connection.execute("DELETE FROM items_migrations WHERE name = 'items_updated_at'")
        server = launch(database.environment, MIGRATE_ON_START="0").wait_until_healthy()
        item = server.create("Before")
        times = [item["updated_at"]]
        for number in range(3):
            times.append(put(server, item, {"name": f"Change {number}"}).json()["updated_at"])
        assert times == sorted(set(times))
        assert items("migrate", **database.environment).stdout.startswith("Applied: items_updated_at")
        assert put(server, item, {"name": "After"}).json()["updated_at"] > times[-1]
