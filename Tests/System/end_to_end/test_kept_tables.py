"""Tables that existed before the service are kept, completed, and served."""

import concurrent.futures
import re
import threading

import psycopg
import pytest
import requests

from support.server import items, problem
from support.waiting import until

EPOCH = "1970-01-01T00:00:00.000000Z"
FIRST = "0001-01-01T00:00:00.000000Z"
LAST = "9999-12-31T23:59:59.999999Z"


def run(database, *statements):
    with database.connect() as connection:
        for statement in statements:
            connection.execute(statement)


def value(database, query):
    with database.connect() as connection:
        return connection.execute(query).fetchone()[0]


def keyed(server, key, item=None, **options):
    return server.post("/api/items", json=item or {"name": "keyed"}, headers={"Idempotency-Key": key}, **options)


class TestTimes:
    def test_that_are_null_are_served_as_the_epoch(self, database, launch):
        run(
            database,
            "CREATE TABLE items (id serial PRIMARY KEY, name text NOT NULL, description text, created_at timestamptz)",
            "INSERT INTO items (name, created_at) VALUES ('null', NULL), ('known', '2024-11-01T12:00:00Z')",
        )
        server = launch(database.environment).wait_until_healthy()
        run(
            database,
            # As another program may have left it: the service's own trigger would set it.
            "ALTER TABLE items DISABLE TRIGGER USER",
            "ALTER TABLE items ALTER updated_at DROP NOT NULL",
            "UPDATE items SET updated_at = NULL WHERE id = 1",
        )
        listed = server.get("/api/items").json()["items"]
        assert [(item["created_at"], item["updated_at"] == EPOCH) for item in listed] == [
            (EPOCH, True),
            ("2024-11-01T12:00:00.000000Z", False),
        ]
        assert server.get("/api/items/1").json() == listed[0]

    def test_of_a_column_without_a_default_are_filled_in_for_new_items(self, database, launch):
        run(
            database,
            "CREATE TABLE items (id serial PRIMARY KEY, name text NOT NULL, description text, created_at timestamptz,"
            " updated_at timestamp)",
        )
        server = launch(database.environment).wait_until_healthy()
        item = server.create("new")
        assert item["created_at"] == item["updated_at"] > "2024"

    @pytest.mark.parametrize("prepared", ["1", "0"])
    def test_without_a_time_zone_use_that_of_the_session(self, database, launch, prepared):
        run(
            database,
            "CREATE TABLE items (id serial PRIMARY KEY, name text NOT NULL, description text,"
            " created_at timestamp DEFAULT now())",
            f'ALTER ROLE items IN DATABASE "{database.name}" SET timezone = \'America/New_York\'',
            "INSERT INTO items (name, created_at) VALUES ('old', '2024-11-01 12:00:00')",
        )
        server = launch(database.environment, DB_PREPARED=prepared).wait_until_healthy()
        assert server.get("/api/items/1").json()["created_at"] == "2024-11-01T16:00:00.000000Z"
        for item in (server.create("new"), keyed(server, "zone").json(), keyed(server, "zone").json()):
            assert item["created_at"] == item["updated_at"]
            assert server.get(f"/api/items/{item['id']}").json() == item

    @pytest.mark.parametrize(
        ("stored", "served"),
        [
            ("infinity", LAST),
            ("-infinity", FIRST),
            ("294276-12-31 23:59:59.999999+00", LAST),
            ("10000-01-01 00:00:00+00", LAST),
            ("9999-12-31 23:59:59.999999+00", LAST),
            ("9999-12-31 23:59:59.999998+00", "9999-12-31T23:59:59.999998Z"),
            ("0001-01-01 00:00:00.000001+00", "0001-01-01T00:00:00.000001Z"),
            ("0001-12-31 00:00:00+00 BC", FIRST),
            ("4713-01-01 00:00:00+00 BC", FIRST),
        ],
    )
    def test_beyond_the_range_of_rfc_3339_are_clamped(self, server, module_database, stored, served):
        with module_database.connect() as connection:
            query = "INSERT INTO items (name, created_at) VALUES ('far', %s) RETURNING id"
            number = connection.execute(query, [stored]).fetchone()[0]
        assert server.get(f"/api/items/{number}").json()["created_at"] == served

    def test_may_be_dates(self, database, launch):
        run(
            database,
            "CREATE TABLE items (id serial PRIMARY KEY, name text NOT NULL, description text,"
            " created_at date DEFAULT '2024-11-01')",
        )
        server = launch(database.environment).wait_until_healthy()
        first = keyed(server, "date")
        assert first.json()["created_at"] == "2024-11-01T00:00:00.000000Z"
        assert keyed(server, "date").json() == first.json()


class TestIdentifiers:
    def test_below_zero_are_listed_and_found(self, database, launch):
        server = launch(database.environment).wait_until_healthy()
        numbers = [-(2**63), -7, -3, 0, 5, 2**63 - 1]
        with database.connect() as connection:
            for number in numbers:
                connection.execute("INSERT INTO items (id, name) VALUES (%s, 'x')", [number])
        for order, expected in (("asc", numbers), ("desc", numbers[::-1])):
            found, cursor = [], ""
            while cursor is not None:
                page = server.get(f"/api/items?limit=1&order={order}{cursor}")
                assert page.status_code == 200, page.text
                found += [item["id"] for item in page.json()["items"]]
                cursor = page.json()["next_cursor"]
                if cursor is not None:
                    assert f"cursor={cursor}>" in page.headers["Link"]
                    cursor = f"&cursor={cursor}"
            assert found == expected
        for number in numbers:
            assert server.get(f"/api/items/{number}").json()["id"] == number

    SHAPES = {
        "serial": ["CREATE TABLE items (id serial PRIMARY KEY, name text NOT NULL, description text)"],
        "smallserial": ["CREATE TABLE items (id smallserial PRIMARY KEY, name text NOT NULL, description text)"],
        "sequence of its own": [
            "CREATE SEQUENCE s",
            "CREATE TABLE items (id bigint PRIMARY KEY DEFAULT nextval('s'), name text NOT NULL, description text)",
        ],
        "always identity": [
            "CREATE TABLE items (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, description text)"
        ],
        "trigger": [
            "CREATE SEQUENCE s",
            "CREATE TABLE items (id bigint PRIMARY KEY, name text NOT NULL, description text)",
            "CREATE FUNCTION number() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN NEW.id := nextval('s'); RETURN NEW; END $$",
            "CREATE TRIGGER number BEFORE INSERT ON items FOR EACH ROW EXECUTE FUNCTION number()",
        ],
    }

    @pytest.mark.parametrize("shape", SHAPES)
    def test_are_generated_by_the_database(self, database, launch, shape):
        run(database, *self.SHAPES[shape])
        server = launch(database.environment).wait_until_healthy()
        first = server.create("plain")
        second = keyed(server, "shape")
        assert second.status_code == 201
        third = keyed(server, "shape", {"name": "keyed"})
        assert third.json() == second.json() and third.headers["Idempotent-Replayed"] == "true"
        # A replay uses no number of the sequence.
        assert [first["id"], second.json()["id"], server.create("plain")["id"]] == [1, 2, 3]
        assert [item["id"] for item in server.get("/api/items").json()["items"]] == [1, 2, 3]

    @pytest.mark.parametrize(
        ("columns", "named"),
        [
            ("id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name text NOT NULL, description text", "items.id is uuid"),
            ("id text PRIMARY KEY, name text NOT NULL, description text", "items.id is text"),
            ("id numeric PRIMARY KEY DEFAULT 1, name text NOT NULL, description text", "items.id is numeric"),
            ("id bigint PRIMARY KEY, name text NOT NULL, description text", "items.id has no default"),
            ("id bigserial, name jsonb NOT NULL, description text", "items.name is jsonb"),
            ("id bigserial, name text NOT NULL, description bytea", "items.description is bytea"),
            ("id bigserial, name text NOT NULL, description text, created_at bigint", "items.created_at is bigint"),
            ("id bigserial, name text NOT NULL, description text, updated_at text", "items.updated_at is text"),
            ("id bigserial, title text", "items has no column name"),
            ("name text, description text", "items has no column id"),
        ],
    )
    def test_and_other_columns_of_unsupported_types_are_refused_by_name(self, database, columns, named):
        run(database, f"CREATE TABLE items ({columns})")
        ended = items("migrate", **database.environment)
        assert ended.returncode == 1 and named in ended.stderr, ended.stdout + ended.stderr
        # The schema is unchanged.
        assert value(database, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 1

    def test_without_a_primary_key_get_one(self, database, launch):
        run(
            database,
            "CREATE TABLE items (id bigserial, name text NOT NULL, description text)",
            "INSERT INTO items (name) VALUES ('kept')",
        )
        server = launch(database.environment).wait_until_healthy()
        assert server.get("/api/items/1").json()["name"] == "kept"
        with pytest.raises(psycopg.errors.UniqueViolation):
            run(database, "INSERT INTO items (id, name) VALUES (1, 'again')")


class TestRules:
    def test_of_the_table_are_422_and_409(self, database, launch):
        run(
            database,
            "CREATE TABLE owners (name text PRIMARY KEY)",
            "INSERT INTO owners VALUES ('short'), ('again')",
            "CREATE TABLE items (id serial PRIMARY KEY, name varchar(80) NOT NULL UNIQUE REFERENCES owners,"
            " description text NOT NULL CHECK (description <> 'refused'))",
        )
        server = launch(database.environment).wait_until_healthy()
        server.create("short", "given")
        cases = [
            ({"name": "x" * 81, "description": "d"}, 422, None),
            ({"name": "again", "description": None}, 422, "description"),
            ({"name": "again", "description": "refused"}, 422, "description"),
            ({"name": "short", "description": "d"}, 409, None),
            ({"name": "nobody", "description": "d"}, 409, None),
        ]
        for index, (item, status, field) in enumerate(cases):
            for response in (server.post("/api/items", json=item), keyed(server, f"rule-{index}", item)):
                body = problem(response, status)
                assert "Retry-After" not in response.headers
                assert [error["field"] for error in body.get("errors", [])] == ([field] if field else [])
                for internal in ("varchar", "character varying", "constraint", "owners", "items_", "relation"):
                    assert internal not in response.text
        assert value(database, "SELECT count(*) FROM items") == 1
        assert value(database, "SELECT count(*) FROM idempotency_keys") == 0

    def test_of_a_partition_are_reported_as_those_of_the_table(self, database, launch):
        run(
            database,
            "CREATE SEQUENCE numbers",
            "CREATE TABLE items (id bigint NOT NULL DEFAULT nextval('numbers'), name text NOT NULL, description text"
            " CONSTRAINT items_description_check CHECK (char_length(description) < 5), UNIQUE (name))"
            " PARTITION BY HASH (name)",
            "CREATE TABLE items_0 PARTITION OF items FOR VALUES WITH (MODULUS 1, REMAINDER 0)",
        )
        server = launch(database.environment).wait_until_healthy()
        server.create("taken")
        for key, item in (("twice", {"name": "taken"}), ("long", {"name": "free", "description": "a long one"})):
            for response in (server.post("/api/items", json=item), keyed(server, key, item)):
                body = problem(response, 409 if key == "twice" else 422)
                assert [error["field"] for error in body.get("errors", [])] == ([] if key == "twice" else ["description"])
        # Without a partition every insert fails.
        run(database, "ALTER TABLE items DETACH PARTITION items_0")
        problem(server.post("/api/items", json={"name": "lost"}), 500)

    @pytest.mark.parametrize("constraint", ["CONSTRAINT number UNIQUE", "CONSTRAINT number PRIMARY KEY"])
    def test_on_the_identifier_are_not_blamed_on_the_request(self, database, launch, constraint):
        run(
            database,
            f"CREATE TABLE items (id serial {constraint}, name text NOT NULL, description text)",
            "INSERT INTO items (id, name) VALUES (1, 'ahead'), (2, 'ahead')",
        )
        server = launch(database.environment).wait_until_healthy()
        problem(server.post("/api/items", json={"name": "behind"}), 500)
        problem(keyed(server, "behind"), 500)
        assert server.create("free")["id"] == 3

    def test_that_one_create_violates_do_not_affect_others(self, database, launch):
        run(database, "CREATE TABLE items (id serial PRIMARY KEY, name varchar(80) NOT NULL UNIQUE, description text)")
        server = launch(database.environment, WORKERS="1", DB_POOL_MIN="1", DB_POOL_MAX="1").wait_until_healthy()
        server.create("taken")
        gate = threading.Barrier(48)

        def create(index):
            gate.wait()
            name = "taken" if index % 6 == 0 else "x" * 81 if index % 6 == 1 else f"free {index}"
            return server.post("/api/items", json={"name": name}).status_code

        with concurrent.futures.ThreadPoolExecutor(48) as pool:
            statuses = list(pool.map(create, range(48)))
        assert statuses == [409 if index % 6 == 0 else 422 if index % 6 == 1 else 201 for index in range(48)]

    def test_of_a_unique_name_do_not_keep_a_key_from_being_repeated(self, database, launch):
        run(database, "CREATE TABLE items (id serial PRIMARY KEY, name text NOT NULL UNIQUE, description text)")
        server = launch(database.environment, DB_POOL_MAX="16").wait_until_healthy()
        for turn in range(10):
            gate = threading.Barrier(8)

            def send(_):
                gate.wait()
                return keyed(server, f"unique-{turn}", {"name": f"unique {turn}"})

            with concurrent.futures.ThreadPoolExecutor(8) as pool:
                responses = list(pool.map(send, range(8)))
            assert {response.status_code for response in responses} == {201}
            assert len({response.json()["id"] for response in responses}) == 1


class TestTriggers:
    def test_that_change_a_row_do_not_change_its_replay(self, database, launch):
        run(
            database,
            "CREATE TABLE items (id serial PRIMARY KEY, name text NOT NULL, description text)",
            "CREATE FUNCTION change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.name := upper(NEW.name);"
            " NEW.description := NULL; NEW.created_at := '2001-02-03 04:05:06.789012+00'; NEW.updated_at := 'infinity';"
            " RETURN NEW; END $$",
            "CREATE TRIGGER change BEFORE INSERT ON items FOR EACH ROW EXECUTE FUNCTION change()",
        )
        server = launch(database.environment).wait_until_healthy()
        first = keyed(server, "changed", {"name": "a\"\\\u0001é", "description": "text"})
        assert first.json()["name"] == "A\"\\\u0001É" and first.json()["description"] is None
        assert first.json()["created_at"] == "2001-02-03T04:05:06.789012Z" and first.json()["updated_at"] == LAST
        assert server.get(first.headers["Location"]).json() == first.json()
        again = keyed(server, "changed", {"name": "a\"\\\u0001é", "description": "text"})
        assert again.headers["Idempotent-Replayed"] == "true" and again.json() == first.json()

    @pytest.mark.parametrize(
        ("column", "changed", "answered"),
        [
            ("name", "upper(NEW.name)", "PLAIN"),
            ("description", "'another'", "another"),
            ("description", "NULL", None),
            ("created_at", "'2001-02-03 04:05:06+00'", "2001-02-03T04:05:06.000000Z"),
            ("updated_at", "'2001-02-03 04:05:06+00'", "2001-02-03T04:05:06.000000Z"),
        ],
    )
    def test_that_change_one_column_do_not_change_its_replay(self, database, launch, column, changed, answered):
        server = launch(database.environment).wait_until_healthy()
        run(
            database,
            "CREATE FUNCTION change() RETURNS trigger LANGUAGE plpgsql AS"
            f" $$ BEGIN NEW.{column} := {changed}; RETURN NEW; END $$",
            "CREATE TRIGGER change BEFORE INSERT ON items FOR EACH ROW EXECUTE FUNCTION change()",
        )
        item = {"name": "plain", "description": "text"}
        first = keyed(server, "one-column", item)
        assert first.status_code == 201 and first.json()[column] == answered
        again = keyed(server, "one-column", item)
        assert again.headers["Idempotent-Replayed"] == "true" and again.json() == first.json()

    def test_that_drop_a_row_leave_no_key(self, database, launch):
        server = launch(database.environment).wait_until_healthy()
        run(
            database,
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$",
            "CREATE TRIGGER refuse BEFORE INSERT ON items FOR EACH ROW EXECUTE FUNCTION refuse()",
        )
        for _ in range(2):
            problem(keyed(server, "dropped"), 422)
        assert value(database, "SELECT count(*) FROM idempotency_keys") == 0

    def test_that_drop_a_change_or_a_deletion_are_rules_of_the_table(self, database, launch):
        server = launch(database.environment).wait_until_healthy()
        item = server.post("/api/items", json={"name": "kept"}).json()
        run(
            database,
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$",
            "CREATE TRIGGER refuse BEFORE UPDATE OR DELETE ON items FOR EACH ROW EXECUTE FUNCTION refuse()",
        )
        path = f"/api/items/{item['id']}"
        problem(server.request("PUT", path, json={"name": "other"}), 422)
        problem(server.request("PATCH", path, json={"name": "other"}), 422)
        problem(server.request("DELETE", path), 409)
        assert server.get(path).json() == item


class TestRights:
    @pytest.fixture
    def role(self, own_cluster):
        with own_cluster.connect(user="postgres") as connection:
            connection.execute("DROP ROLE IF EXISTS reader")
            connection.execute("CREATE ROLE reader LOGIN")
        return "reader"

    @pytest.fixture
    def own_database(self, own_cluster):
        from support.database import Database

        database = Database(own_cluster)
        yield database
        database.drop()

    GRANTS = [
        "GRANT SELECT, INSERT ON items TO reader",
        "GRANT SELECT, INSERT, UPDATE, DELETE ON idempotency_keys TO reader",
    ]

    @pytest.mark.parametrize("migrates", ["0", "1"])
    def test_on_the_tables_alone_are_enough_to_serve(self, own_database, role, launch, migrates):
        assert items("migrate", **own_database.environment).returncode == 0
        run(own_database, *self.GRANTS)
        environment = {**own_database.environment, "DB_USER": role, "MIGRATE_ON_START": migrates}
        server = launch(environment).wait_until_healthy()
        first = keyed(server, "rights")
        assert first.status_code == 201
        assert keyed(server, "rights").json() == first.json()
        assert server.create("plain")["id"] == first.json()["id"] + 1
        assert len(server.get("/api/items").json()["items"]) == 2
        run(own_database, "UPDATE idempotency_keys SET created_at = now() - interval '25 hours'")
        assert keyed(server, "rights").json()["id"] > first.json()["id"]
        assert server.get("/db").status_code == 200

    def test_on_the_tables_alone_do_not_migrate(self, own_database, role):
        with own_database.connect() as connection:
            connection.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        ended = items("migrate", **{**own_database.environment, "DB_USER": role})
        assert ended.returncode == 1 and "permission denied" in ended.stderr


class TestEncodings:
    @pytest.fixture
    def encoded(self, cluster):
        """Returns a factory of databases with another encoding than UTF-8."""
        from support.database import Database

        made = []

        def make(encoding):
            database = Database(cluster)
            made.append(database)
            database.admin.execute(f'DROP DATABASE "{database.name}"')
            database.admin.execute(
                f"CREATE DATABASE \"{database.name}\" ENCODING '{encoding}' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'"
            )
            return database

        yield make
        for database in made:
            database.drop()

    def warnings(self, server):
        return [line for line in server.logs() if line["level"] == "WARNING" and "encoding" in line["msg"]]

    def test_of_utf8_is_not_warned_of(self, server):
        assert self.warnings(server) == []

    def test_that_lacks_a_character_is_422(self, encoded, launch):
        server = launch(encoded("LATIN1").environment).wait_until_healthy()
        assert [line["server_encoding"] for line in self.warnings(server)] == ["LATIN1"]
        assert server.create("é")["name"] == "é"
        for item in ({"name": "😀"}, {"name": "x", "description": "Ω"}):
            for response in (server.post("/api/items", json=item), keyed(server, "latin", item)):
                problem(response, 422)
        assert keyed(server, "latin", {"name": "ü"}).json()["name"] == "ü"
        assert keyed(server, "latin", {"name": "ü"}).headers["Idempotent-Replayed"] == "true"

    @pytest.mark.parametrize("prepared", ["1", "0"])
    def test_of_bytes_does_not_fail_a_page_because_of_one_row(self, encoded, launch, prepared):
        database = encoded("SQL_ASCII")
        server = launch(database.environment, DB_PREPARED=prepared).wait_until_healthy()
        assert [line["server_encoding"] for line in self.warnings(server)] == ["SQL_ASCII"]
        assert server.create("é😀")["name"] == "é😀"
        run(
            database,
            "INSERT INTO items (name, description) VALUES (convert_from('\\xe9', 'SQL_ASCII'),"
            " convert_from('\\x61ff2262c3', 'SQL_ASCII'))",
        )
        listed = server.get("/api/items").json()["items"]
        assert [(item["name"], item["description"]) for item in listed] == [("é😀", None), ("\ufffd", 'a\ufffd"b\ufffd')]
        assert server.get("/api/items/2").json() == listed[1]
        body = problem(server.post("/api/items", json={"name": "é" * 200}), 422)
        assert [error["field"] for error in body["errors"]] == ["name"]
        first = keyed(server, "bytes", {"name": "é"})
        assert first.json()["name"] == "é" and keyed(server, "bytes", {"name": "é"}).json() == first.json()


def test_a_list_goes_on_behind_an_item_that_is_larger_than_a_page(database, launch):
    run(
        database,
        "CREATE TABLE items (id serial PRIMARY KEY, name text NOT NULL, description text)",
        "INSERT INTO items (name, description)"
        " SELECT 'item ' || n, CASE WHEN n = 3 THEN repeat('x', 2097152) END FROM generate_series(1, 5) AS n",
    )
    server = launch(database.environment).wait_until_healthy()
    seen, cursor = [], ""
    for _ in range(10):
        page = server.get(f"/api/items?limit=100{cursor}").json()
        seen += [item["id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == [1, 2, 3, 4, 5]


class TestLongItems:
    """Items longer than new ones may be: a table that existed before the service has no constraint against them."""

    MEBIBYTE = 1 << 20

    @staticmethod
    def fill(database, *lengths):
        """Inserts items with descriptions of these lengths in bytes."""
        run(database, "CREATE TABLE items (id serial PRIMARY KEY, name text NOT NULL, description text)")
        with database.connect() as connection:
            for length in lengths:
                connection.execute("INSERT INTO items (name, description) VALUES ('long', repeat('x', %s))", [length])

    @staticmethod
    def peak(server):
        """Returns the peak resident memory of the server's process in bytes."""
        with open(f"/proc/{server.process.pid}/status") as status:
            return 1024 * int(re.search(r"VmHWM:\s+(\d+) kB", status.read())[1])

    @staticmethod
    def pages(server, limit, order="asc"):
        path = f"/api/items?limit={limit}&order={order}"
        while path:
            response = server.get(path)
            assert response.status_code == 200, response.text
            yield response
            path = response.links.get("next", {}).get("url")

    @pytest.mark.parametrize("prepared", ["1", "0"])
    def test_a_page_of_20_ends_at_the_same_size_as_a_page_of_1000(self, database, launch, prepared):
        self.fill(database, *[100_000] * 30)
        server = launch(database.environment, DB_PREPARED=prepared).wait_until_healthy()
        pages = list(self.pages(server, 20))
        assert [item["id"] for page in pages for item in page.json()["items"]] == list(range(1, 31))
        assert [len(page.json()["items"]) for page in pages] == [10, 10, 10]
        assert all(len(item["description"]) == 100_000 for page in pages for item in page.json()["items"])

    @pytest.mark.parametrize("order", ["asc", "desc"])
    def test_that_are_longer_than_a_page_have_their_own_page(self, database, launch, order):
        lengths = [10, 3 * self.MEBIBYTE, 20, 3 * self.MEBIBYTE, 3 * self.MEBIBYTE, 30]
        self.fill(database, *lengths)
        server = launch(database.environment).wait_until_healthy()
        for limit in [1, 3, 20, 1000]:
            found = [page.json()["items"] for page in self.pages(server, limit, order)]
            turned = lengths if order == "asc" else lengths[::-1]
            assert [len(item["description"]) for page in found for item in page] == turned
            assert all(len(page) == 1 for page in found if any(len(item["description"]) > self.MEBIBYTE for item in page))
        for number, length in enumerate(lengths, 1):
            assert len(server.get(f"/api/items/{number}").json()["description"]) == length

    @pytest.mark.parametrize("prepared", ["1", "0"])
    def test_with_long_names_are_served_unchanged(self, database, launch, prepared):
        run(
            database,
            "CREATE TABLE items (id serial PRIMARY KEY, name text NOT NULL, description text)",
            "INSERT INTO items (name) SELECT repeat('n', 5000) || n FROM generate_series(1, 3) AS n",
        )
        server = launch(database.environment, DB_PREPARED=prepared).wait_until_healthy()
        names = ["n" * 5000 + str(number) for number in (1, 2, 3)]
        assert [server.get(f"/api/items/{number}").json()["name"] for number in (1, 2, 3)] == names
        for limit in (2, 3, 1000):
            assert [item["name"] for page in self.pages(server, limit) for item in page.json()["items"]] == names

    @pytest.mark.parametrize("limit", [1, 20, 1000])
    def test_that_are_longer_than_any_answer_are_refused_and_take_no_memory(self, database, launch, limit):
        self.fill(database, 10, *[8 * self.MEBIBYTE] * 20)
        server = launch(database.environment).wait_until_healthy()
        before = self.peak(server)
        lone = server.get("/api/items/2")
        assert problem(lone, 500)["detail"] == "Item 2 is longer than the 4 MiB that this server sends of one."
        first = next(self.pages(server, 1))
        assert [item["id"] for item in first.json()["items"]] == [1]
        listed = server.get(f"/api/items?limit={limit}&cursor=a1")
        assert problem(listed, 500)["detail"] == problem(lone, 500)["detail"]
        newest = server.get(f"/api/items?limit={limit}&order=desc")
        assert "Item 21 " in problem(newest, 500)["detail"]
        line = server.wait_for_access_log(path="/api/items/2")
        assert "item 2 " in line["error"]
        assert self.peak(server) < before + 16 * self.MEBIBYTE

    def test_that_many_ask_for_at_once_take_no_more_than_the_budget(self, database, launch):
        self.fill(database, *[3 * self.MEBIBYTE] * 64)
        server = launch(database.environment, MEMORY_MIB="48").wait_until_healthy()

        def outcome(number):
            try:
                return server.get(f"/api/items/{number}").status_code
            except requests.exceptions.ChunkedEncodingError:
                return None  # the response did not fit the socket's buffer, and there was no memory to keep the rest

        with concurrent.futures.ThreadPoolExecutor(64) as threads:
            assert set(threads.map(outcome, range(1, 65))) <= {200, 503, None}
        assert self.peak(server) < 128 * self.MEBIBYTE
        # By then the connections whose buffers have grown are closed.
        until(lambda: [outcome(number) for number in range(1, 5)] == [200] * 4, 20, what="the items to be served again")
