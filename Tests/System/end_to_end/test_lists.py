"""Lists of items: cursors in both directions, filters, searches, entity tags."""

import datetime
import random
import re

import psycopg
import pytest

from support.database import Database
from support.server import Server, items, problem, stop_all
from support.waiting import until

# As in Sources/Items/Search.swift.
PROBE = 1_000


def walk(server, query, relation="next", start=None):
    """Every page from the first one, or from a path, along a relation of Link."""
    path = start or f"/api/items?{query}"
    while path:
        page = server.get(path)
        assert page.status_code == 200, page.text
        body = page.json()
        assert body.keys() == {"items", "next_cursor", "prev_cursor"}
        assert ("next" in page.links) == (body["next_cursor"] is not None)
        assert ("prev" in page.links) == (body["prev_cursor"] is not None)
        assert "first" in page.links
        yield page
        path = page.links.get(relation, {}).get("url")


def ids(pages):
    return [item["id"] for page in pages for item in page.json()["items"]]


def fill(database, count, name="'Item ' || n", more=""):
    with database.connect() as connection:
        connection.execute(
            f"INSERT INTO items (name, created_at) SELECT {name}, timestamptz '2024-01-01' + n * interval '1 minute'"
            f" FROM generate_series(1, {count}) AS n {more}"
        )


@pytest.fixture(scope="module")
def filled(server, module_database):
    """200 items whose times are two to a minute, in another order than their ids."""
    with module_database.connect() as connection:
        connection.execute(
            "INSERT INTO items (name, created_at) SELECT"
            " CASE WHEN n % 3 = 0 THEN 'Fizz ' ELSE 'Item ' END || n, timestamptz '2024-01-01' + (n * 37 % 100) * interval '1 minute'"
            " FROM generate_series(1, 200) AS n"
        )
        rows = connection.execute("SELECT id, name, created_at FROM items ORDER BY id").fetchall()
    return rows


LISTS = {
    "all": ("", lambda row: True, False),
    "q": ("&q=FIZZ", lambda row: "fizz" in row[1].lower(), False),
    "after": (
        "&created_after=2024-01-01T00:20:00Z",
        lambda row: row[2] > datetime.datetime(2024, 1, 1, 0, 20, tzinfo=datetime.UTC),
        True,
    ),
    "between": (
        "&created_after=2024-01-01T00:20:00Z&created_before=2024-01-01T01:00:00Z",
        lambda row: datetime.datetime(2024, 1, 1, 0, 20, tzinfo=datetime.UTC) < row[2]
        < datetime.datetime(2024, 1, 1, 1, tzinfo=datetime.UTC),
        True,
    ),
    "q before": (
        "&q=fizz&created_before=2024-01-01T01:00:00Z",
        lambda row: "fizz" in row[1].lower() and row[2] < datetime.datetime(2024, 1, 1, 1, tzinfo=datetime.UTC),
        True,
    ),
}


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("limit", [1, 7, 1000])
@pytest.mark.parametrize("name", LISTS)
class TestAWalk:
    def expected(self, filled, name, order):
        _, chosen, is_by_time = LISTS[name]
        rows = [row for row in filled if chosen(row)]
        rows.sort(key=lambda row: (row[2], row[0]) if is_by_time else row[0], reverse=order == "desc")
        return [row[0] for row in rows]

    def test_shows_every_item_of_the_list_once_and_in_order(self, server, filled, name, limit, order):
        pages = list(walk(server, f"limit={limit}&order={order}{LISTS[name][0]}"))
        assert ids(pages) == self.expected(filled, name, order)
        assert all(len(page.json()["items"]) == limit for page in pages[:-1])
        assert "prev" not in pages[0].links and "next" not in pages[-1].links

    def test_back_shows_the_same_pages(self, server, filled, name, limit, order):
        pages = list(walk(server, f"limit={limit}&order={order}{LISTS[name][0]}"))
        if len(pages) == 1:
            return
        back = list(walk(server, "", "prev", start=pages[-1].links["prev"]["url"]))
        assert [page.json()["items"] for page in back] == [page.json()["items"] for page in pages[-2::-1]]
        assert "prev" not in back[-1].links
        again = server.get(back[0].links["next"]["url"])
        assert again.json()["items"] == pages[-1].json()["items"]

    def test_begins_at_the_first_link_again(self, server, filled, name, limit, order):
        first = server.get(f"/api/items?limit={limit}&order={order}{LISTS[name][0]}")
        last = list(walk(server, f"limit={limit}&order={order}{LISTS[name][0]}"))[-1]
        assert server.get(last.links["first"]["url"]).json()["items"] == first.json()["items"]


class TestAWalkDuringChanges:
    @pytest.mark.parametrize("relation", ["next", "prev"])
    @pytest.mark.parametrize("query", ["limit=7", "limit=7&order=desc", "limit=7&q=stays", "limit=7&created_after=2023-01-01T00:00:00Z"])
    def test_shows_an_item_that_is_there_all_the_time_exactly_once(self, database, launch, query, relation):
        server = launch(database.environment, WORKERS="1").wait_until_healthy()
        with database.connect() as connection:
            connection.execute("INSERT INTO items (name) SELECT 'Comes and goes' FROM generate_series(1, 50)")
            connection.execute("INSERT INTO items (name) SELECT 'Stays ' || n FROM generate_series(1, 200) AS n")
            connection.execute("INSERT INTO items (name) SELECT 'Comes and goes' FROM generate_series(1, 50)")
            stays = {row[0] for row in connection.execute("SELECT id FROM items WHERE name LIKE 'Stays %'")}
            start = None
            if relation == "prev":
                last = list(walk(server, query))[-1]
                start, seen = last.links["prev"]["url"], ids([last])
            else:
                seen = []
            dice = random.Random(7)
            for page in walk(server, query, relation, start):
                seen += ids([page])
                for _ in range(3):
                    connection.execute("INSERT INTO items (name) VALUES ('Comes and goes')")
                # Also where the walk stands, so that its cursor's item is gone.
                gone = [number for number in ids([page]) if number not in stays]
                connection.execute("DELETE FROM items WHERE id = ANY(%s)", [gone])
                connection.execute(
                    "DELETE FROM items WHERE name LIKE 'Comes%%' AND id %% 5 = %s", [dice.randrange(5)]
                )
                # A change moves no item.
                connection.execute("UPDATE items SET description = 'changed' WHERE id = %s", [dice.choice(sorted(stays))])
                if len(seen) > 2_000:
                    break
        counts = {number: seen.count(number) for number in stays}
        assert set(counts.values()) == {1}

    def test_goes_back_from_a_page_that_became_empty(self, server, module_database):
        made = [server.create("Soon gone")["id"] for _ in range(3)]
        page = server.get("/api/items?limit=1&q=soon gone")
        page = server.get(page.links["next"]["url"])
        with module_database.connect() as connection:
            connection.execute("DELETE FROM items WHERE id = ANY(%s)", [made[1:]])
        empty = server.get(page.links["next"]["url"])
        assert empty.json()["items"] == [] and empty.json()["next_cursor"] is None
        assert ids([server.get(empty.links["prev"]["url"])]) == made[:1]


class TestCursors:
    def test_of_another_list_are_refused(self, server, filled):
        lists = ["limit=2", "limit=2&order=desc", "limit=2&q=item", "limit=2&q=items", "limit=2&created_before=2030-01-01T00:00:00Z"]
        cursors = [server.get(f"/api/items?{query}").json()["next_cursor"] for query in lists]
        for place, cursor in enumerate(cursors):
            for other, query in enumerate(lists):
                response = server.get(f"/api/items?{query}&cursor={cursor}") if cursor else None
                if response is None or place == other:
                    continue
                assert problem(response, 400)["type"] == "/problems/cursor"

    def test_that_are_altered_or_cut_are_refused(self, server, filled):
        cursor = server.get("/api/items?limit=2").json()["next_cursor"]
        wrong = [cursor[:-1], cursor + "A", cursor[::-1], cursor.swapcase(), "", "x", "a0x"]
        wrong += [cursor[:place] + ("B" if cursor[place] == "A" else "A") + cursor[place + 1 :] for place in range(len(cursor))]
        for text in wrong:
            assert problem(server.get("/api/items", params={"cursor": text}), 400)["type"] == "/problems/cursor"

    def test_may_be_used_with_another_limit(self, server, filled):
        cursor = server.get("/api/items?limit=2").json()["next_cursor"]
        assert ids([server.get(f"/api/items?limit=5&cursor={cursor}")]) == [row[0] for row in filled[2:7]]

    def test_of_the_version_before_are_understood(self, server, filled):
        assert ids([server.get(f"/api/items?limit=2&cursor=a{filled[4][0]}")]) == [row[0] for row in filled[5:7]]
        assert ids([server.get(f"/api/items?limit=2&order=desc&cursor=d{filled[4][0]}")]) == [filled[3][0], filled[2][0]]

    def test_of_a_problem_are_below_the_base_path(self, database, launch):
        server = launch(database.environment, BASE_PATH="/x").wait_until_live()
        assert server.get("/x/api/items?cursor=x").json()["type"] == "/x/problems/cursor"


class TestParameters:
    @pytest.mark.parametrize("query", ["sort=name", "Q=a", "limit=1&page=2", "next_cursor=a", "q%00=a"])
    def test_that_are_unknown_are_named(self, server, query):
        detail = problem(server.get(f"/api/items?{query}"), 400)["detail"]
        assert re.split(r"[=&]", query)[-2] in detail or "%00" in query

    @pytest.mark.parametrize("name", ["limit", "cursor", "order", "q", "created_after", "created_before", "ids"])
    def test_that_are_repeated_are_named(self, server, name):
        values = {"limit": "1", "order": "asc", "ids": "1", "q": "a"}
        value = values.get(name, "2024-01-01T00:00:00Z")
        assert name in problem(server.get(f"/api/items?{name}={value}&{name}={value}"), 400)["detail"]


class TestIds:
    def test_are_those_that_exist_in_order(self, server, filled):
        a, b, c = filled[30][0], filled[3][0], filled[7][0]
        page = server.get(f"/api/items?ids={a},{b},999999999,{c},{b},-5")
        assert ids([page]) == [b, c, a] and page.json()["next_cursor"] is None
        assert ids([server.get(f"/api/items?ids={a},{b},{c}&order=desc")]) == [a, c, b]

    def test_have_pages(self, server, filled):
        numbers = [row[0] for row in filled[10:60]]
        query = "limit=7&ids=" + ",".join(map(str, numbers))
        pages = list(walk(server, query))
        assert ids(pages) == numbers
        back = list(walk(server, "", "prev", start=pages[-1].links["prev"]["url"]))
        assert [page.json()["items"] for page in back] == [page.json()["items"] for page in pages[-2::-1]]


class TestLinks:
    def test_are_left_out_where_proxies_would_not_take_them(self, server, filled):
        for query in ("ids=" + ",".join(str(2**62 + number) for number in range(100)), "q=" + "%F0%9F%8E%89" * 255):
            response = server.get(f"/api/items?{query}")
            assert response.status_code == 200 and "Link" not in response.headers
            assert {"items", "next_cursor", "prev_cursor"} == response.json().keys()
            again = server.get(f"/api/items?{query}", headers={"If-None-Match": response.headers["ETag"]})
            assert again.status_code == 304
            assert server.get(f"/api/items?{query}", headers={"If-None-Match": '"x"'}).content == response.content


class TestEntityTags:
    def test_of_an_unchanged_page_answer_304(self, server, filled):
        for query in ("limit=3", "limit=3&order=desc", "limit=3&q=fizz", "limit=3&created_before=2030-01-01T00:00:00Z"):
            first = server.get(f"/api/items?{query}")
            tag = first.headers["ETag"]
            assert re.fullmatch(r'W/"[0-9a-f]{16}"', tag) and first.headers["Cache-Control"] == "no-cache"
            for method in ("GET", "HEAD"):
                second = server.request(method, f"/api/items?{query}", headers={"If-None-Match": f'"x", {tag}'})
                assert second.status_code == 304 and second.content == b""
                assert second.headers["ETag"] == tag and second.headers["Cache-Control"] == "no-cache"
            assert server.get(f"/api/items?{query}", headers={"If-None-Match": '"x"'}).content == first.content

    def test_change_with_every_item_of_the_page_and_with_the_next_page(self, server, module_database):
        made = [server.create("Tagged")["id"] for _ in range(3)]
        path = "/api/items?q=tagged&limit=3"
        tags = [server.get(path).headers["ETag"]]
        with module_database.connect() as connection:
            for change in (
                f"UPDATE items SET description = 'x', updated_at = clock_timestamp() WHERE id = {made[1]}",
                "INSERT INTO items (name) VALUES ('tagged')",
                f"DELETE FROM items WHERE id = {made[0]}",
            ):
                connection.execute(change)
                tags.append(server.get(path).headers["ETag"])
        assert len(set(tags)) == 4

    def test_are_weak_so_a_list_never_matches_if_match(self, server, filled):
        tag = server.get("/api/items?limit=3").headers["ETag"]
        problem(server.get("/api/items?limit=3", headers={"If-Match": tag}), 412)
        assert server.get("/api/items?limit=3", headers={"If-Match": "*"}).status_code == 200


class TestSearches:
    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("Straße Nr. 7", "STRASSE"),
            ("ÄPFEL", "äpfel"),
            ("100% sure", "% S"),
            ("under_score", "R_S"),
            ("back\\slash", "\\S"),
            ("a  b", "  "),
            ("日本語", "本"),
            ("🎉 party", "🎉"),
            ("x", "X"),
        ],
    )
    def test_find_a_part_of_the_name_in_any_case(self, server, name, text):
        made = server.create(name)["id"]
        server.create("nothing of that")
        found = server.get("/api/items", params={"q": text, "limit": 1000}).json()["items"]
        # PostgreSQL's lower case has no SS for a sharp s.
        assert (made in [item["id"] for item in found]) == (name != "Straße Nr. 7")
        assert all(text.lower() in item["name"].lower() for item in found)

    @pytest.fixture(scope="class")
    @classmethod
    def large(cls, cluster):
        database = Database(cluster)
        server = Server(database.environment)
        try:
            server.wait_until_healthy()
            # Rare in the first and the last probe, common in the middle one, and short.
            fill(
                database,
                4 * PROBE,
                f"""CASE WHEN n IN (17, {4 * PROBE - 5}) THEN 'Rare one '
                    WHEN n BETWEEN {PROBE + 1} AND {2 * PROBE} AND n % 2 = 0 THEN 'Common one '
                    ELSE 'Item ' END || CASE WHEN n % 1000 = 0 THEN 'zq' ELSE '' END || n""",
            )
            with database.connect() as connection:
                connection.execute("ANALYZE items")
            yield server, database
        finally:
            stop_all([server])
            database.drop()

    @pytest.mark.parametrize("order", ["asc", "desc"])
    @pytest.mark.parametrize("time", ["", "&created_after=2023-01-01T00:00:00Z"])
    def test_find_a_rare_word_by_the_index_at_once(self, large, order, time):
        server, _ = large
        page = server.get(f"/api/items?q=rare&order={order}{time}")
        expected = [17, 4 * PROBE - 5]
        assert ids([page]) == (expected if order == "asc" else expected[::-1])
        assert page.json()["next_cursor"] is None
        absent = server.get(f"/api/items?q=absent&order={order}{time}").json()
        assert (absent["items"], absent["next_cursor"]) == ([], None)

    @pytest.mark.parametrize("order", ["asc", "desc"])
    @pytest.mark.parametrize("time", ["", "&created_after=2023-01-01T00:00:00Z"])
    @pytest.mark.parametrize(("text", "count"), [("zq", 4 * PROBE // 1000), ("common", PROBE // 2), ("one", PROBE // 2 + 2)])
    def test_give_short_pages_with_a_cursor_for_the_rest(self, large, order, time, text, count):
        server, _ = large
        pages = list(walk(server, f"q={text}&limit=1000&order={order}{time}"))
        found = ids(pages)
        assert len(found) == count and found == sorted(set(found), reverse=order == "desc")
        assert any(len(page.json()["items"]) < 1000 and "next" in page.links for page in pages)
        assert len(pages) <= 4 + 1 + count // 1000
        back = list(walk(server, "", "prev", start=pages[-1].links["prev"]["url"]))
        assert sorted(ids(back) + ids(pages[-1:])) == sorted(found)

    def test_do_without_the_index(self, large):
        server, database = large
        with database.connect() as connection:
            definition = connection.execute("SELECT pg_get_indexdef('items_name_search'::regclass)").fetchone()[0]
            connection.execute("DROP INDEX items_name_search")
            try:
                pages = list(walk(server, "q=rare"))
                assert ids(pages) == [17, 4 * PROBE - 5] and 4 <= len(pages) <= 5
            finally:
                connection.execute(definition)

    def test_for_what_the_database_cannot_store_are_refused(self, cluster, launch):
        database = Database(cluster)
        try:
            database.admin.execute(f'DROP DATABASE "{database.name}"')
            database.admin.execute(
                f"CREATE DATABASE \"{database.name}\" OWNER items ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
            )
            server = launch(database.environment).wait_until_healthy()
            made = server.create("Füllung")["id"]
            assert ids([server.get("/api/items", params={"q": "FüLL"})]) == [made]
            assert "q" in problem(server.get("/api/items", params={"q": "日"}), 400)["detail"]
        finally:
            database.drop()

    def test_are_not_blamed_for_what_an_item_contains(self, cluster, launch):
        database = Database(cluster)
        try:
            database.admin.execute(f'DROP DATABASE "{database.name}"')
            database.admin.execute(
                f"CREATE DATABASE \"{database.name}\" OWNER items ENCODING 'WIN1252' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
            )
            server = launch(database.environment).wait_until_healthy()
            with database.connect() as connection:
                # A byte without a character in that encoding.
                connection.execute("INSERT INTO items (id, name) VALUES (7, E'\\x81')")
            for path in ("/api/items", "/api/items/7", "/api/items?ids=7"):
                assert "q" not in problem(server.get(path), 500)["detail"].split()
            problem(server.get("/api/items?q=a%00"), 400)
            problem(server.get("/api/items", params={"q": "日"}), 400)
        finally:
            database.drop()

    # Every name has the letters of these texts, and no name contains them: by the index each name would be looked at.
    ABSENT = ["aaaa", "battery aaa", "aaa battery battery", "ttery aaa"]

    @pytest.fixture(scope="class", params=["ANALYZE items", "SELECT"], ids=["analysed", "never analysed"])
    @classmethod
    def similar(cls, request, cluster):
        database = Database(cluster)
        server = Server(database.environment)
        try:
            server.wait_until_healthy()
            with database.connect() as connection:
                connection.execute("ALTER TABLE items SET (autovacuum_enabled = off)")
                # One in a hundred is rare, and the last one alone.
                fill(
                    database,
                    120_000,
                    "'AAA battery ' || CASE WHEN n = 120000 THEN 'Unique' WHEN n % 100 = 7 THEN 'Seldom' ELSE '' END",
                )
                connection.execute(request.param)
            yield server
        finally:
            stop_all([server])
            database.drop()

    def indexed(self, server):
        """How often the index was used."""
        lines = server.get("/metrics").text.splitlines()
        counts = re.compile(r'db_query_duration_seconds_count\{.*statement="search_items\w*_indexed".*\} (\d+)')
        return sum(int(found[1]) for found in map(counts.match, lines) if found)

    @pytest.mark.parametrize("order", ["asc", "desc"])
    @pytest.mark.parametrize("time", ["", "&created_after=2023-01-01T00:00:00Z"])
    def test_for_common_letters_do_not_look_at_every_name(self, similar, order, time):
        before = self.indexed(similar)
        for text in [*self.ABSENT, "seldom"]:
            page = similar.get(f"/api/items?q={text}&order={order}{time}").json()
            assert page["next_cursor"] is not None
            assert len(page["items"]) == (PROBE // 100 if text == "seldom" else 0)
        assert self.indexed(similar) == before
        found = similar.get(f"/api/items?q=aaa+battery+unique&order={order}{time}").json()
        assert len(found["items"]) == 1 and found["next_cursor"] is None
        assert self.indexed(similar) == before + 1


class TestTablesFromBefore:
    @pytest.mark.parametrize("prepared", ["1", "0"])
    @pytest.mark.parametrize("time", ["timestamptz", "timestamp", "date"])
    @pytest.mark.parametrize("number", ["smallint", "bigint"])
    @pytest.mark.parametrize("name", ["varchar(80)", "char(20)", "text"])
    def test_of_other_types_have_filtered_lists(self, database, launch, prepared, time, number, name):
        if prepared == "0" and (number, name) != ("smallint", "varchar(80)"):
            pytest.skip("one of them is enough")
        with database.connect() as connection:
            connection.execute(
                f"CREATE TABLE items (id {number} GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, name {name}, description text,"
                f" created_at {time})"
            )
            connection.execute(
                "INSERT INTO items (name, created_at) SELECT 'Item ' || n, timestamp '2024-01-01' + n * interval '1 day'"
                " FROM generate_series(1, 30) AS n"
            )
            connection.execute("INSERT INTO items (name, created_at) VALUES ('Item of no time', NULL), (NULL, 'infinity')")
        server = launch(database.environment, DB_PREPARED=prepared).wait_until_healthy()
        for query, expected in {
            "q=ITEM&limit=7": [*range(1, 32)],
            "created_after=2024-01-10T12:00:00Z&limit=7": [*range(10, 31), 32],
            "created_before=2024-01-10T12:00:00Z&limit=7": [*range(1, 10)],
            "q=item&created_after=2024-01-10T12:00:00Z&limit=7": [*range(10, 31)],
            "ids=3,32,31&limit=1": [3, 31, 32],
        }.items():
            pages = list(walk(server, query))
            assert ids(pages) == expected, query
            assert ids(walk(server, query + "&order=desc")) == expected[::-1]
            back = list(walk(server, "", "prev", start=pages[-1].links["prev"]["url"]))
            assert sorted(ids(back) + ids(pages[-1:])) == expected

    def test_that_are_partitioned_have_no_lists_by_time_until_there_is_an_index(self, database, launch):
        with database.connect() as connection:
            connection.execute(
                "CREATE TABLE items (id bigint GENERATED BY DEFAULT AS IDENTITY, name text NOT NULL, description text,"
                " created_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (id)) PARTITION BY RANGE (id)"
            )
            connection.execute("CREATE TABLE items_1 PARTITION OF items FOR VALUES FROM (MINVALUE) TO (MAXVALUE)")
            server = launch(database.environment).wait_until_healthy()
            made = server.create("Partitioned")["id"]
            assert ids([server.get("/api/items?q=partitioned")]) == [made]
            for query in ("created_after=2024-01-01T00:00:00Z", "q=a&created_after=2024-01-01T00:00:00Z"):
                assert "created_at" in problem(server.get(f"/api/items?{query}"), 400)["detail"]
            connection.execute("CREATE INDEX items_created_at_id ON items (created_at, (id + 0))")
        assert ids([server.get("/api/items?created_after=2024-01-01T00:00:00Z")]) == [made]

    def test_with_long_texts_have_pages_of_a_mebibyte(self, database, launch):
        with database.connect() as connection:
            connection.execute("CREATE TABLE items (id serial PRIMARY KEY, name text NOT NULL, description text)")
            connection.execute("INSERT INTO items (name, description) SELECT 'Long', repeat('x', 100000) FROM generate_series(1, 30)")
        server = launch(database.environment).wait_until_healthy()
        for query in ("q=long", "created_after=2024-01-01T00:00:00Z", "ids=" + ",".join(map(str, range(1, 31)))):
            pages = list(walk(server, query))
            assert [len(page.json()["items"]) for page in pages] == [10, 10, 10]
            assert all(len(item["description"]) == 100_000 for page in pages for item in page.json()["items"])
        with database.connect() as connection:
            connection.execute("UPDATE items SET description = repeat('x', 2000000) WHERE id IN (2, 3, 30)")
        rest = [*range(4, 30)]
        for query in ("q=long", "created_after=2024-01-01T00:00:00Z", "ids=" + ",".join(map(str, range(1, 31)))):
            pages = list(walk(server, query))
            # An item longer than a page is one of its own, and the list goes on.
            assert [ids([page]) for page in pages if page.json()["items"]] == [[1], [2], [3], rest[:10], rest[10:20], rest[20:], [30]]
            assert len(pages[1].json()["items"][0]["description"]) == 2_000_000
            assert sorted(ids(walk(server, query + "&order=desc"))) == [*range(1, 31)]
            back = list(walk(server, "", "prev", start=pages[-1].links["prev"]["url"]))
            assert sorted(ids(back) + ids(pages[-1:])) == [*range(1, 31)]
        with database.connect() as connection:
            connection.execute("UPDATE items SET description = repeat('x', 5000000) WHERE id = 2")
        pages = walk(server, "q=long")
        assert ids([next(pages)]) == [1]
        with pytest.raises(AssertionError, match="Item 2 is longer than the 4 MiB that this server sends of one"):
            next(pages)
        with database.connect() as connection:
            connection.execute("UPDATE items SET name = 'long' || repeat('y', 2000) || 'Needle', description = NULL WHERE id = 2")
        assert ids([server.get("/api/items?q=needle")]) == []
        assert 2 in ids([server.get("/api/items?q=longyyy")])


class TestIndexes:
    EXIST = "SELECT count(*) FROM pg_index WHERE indrelid = 'items'::regclass AND indisvalid AND indexrelid::regclass::text IN" \
        " ('items_created_at_id', 'items_name_search')"

    def test_are_made_without_keeping_writers_of_a_large_table_waiting(self, database, launch):
        with database.connect() as connection:
            connection.execute("CREATE TABLE items (id serial PRIMARY KEY, name text NOT NULL, description text)")
            connection.execute("INSERT INTO items (name, description) SELECT 'Item ' || n, repeat('x', 900) FROM generate_series(1, 40000) AS n")
        with database.connect() as writer:
            # A transaction that writes: CREATE INDEX would wait for it, and every later writer for CREATE INDEX.
            with writer.transaction():
                writer.execute("INSERT INTO items (name) VALUES ('Open')")
                server = launch(database.environment).wait_until_live()
            server.wait_until_healthy()
            until(lambda: writer.execute(self.EXIST).fetchone()[0] == 2, 30, what="the indexes")
        assert len(ids([server.get("/api/items?q=item 40000")])) == 1

    def test_that_were_not_completed_are_made_again(self, database, launch):
        assert items("migrate", **database.environment).returncode == 0
        with database.connect() as connection:
            connection.execute("INSERT INTO items (name) SELECT 'Item ' || n FROM generate_series(1, 100) AS n")
            connection.execute("DROP INDEX items_created_at_id")
            connection.execute("UPDATE items SET created_at = '2024-01-01'")
            with pytest.raises(psycopg.errors.UniqueViolation):
                connection.execute("CREATE UNIQUE INDEX CONCURRENTLY items_created_at_id ON items (created_at)")
            assert connection.execute(self.EXIST).fetchone()[0] == 1
            run = items("migrate", **database.environment)
            assert run.returncode == 0, run.stderr
            assert connection.execute(self.EXIST).fetchone()[0] == 2

    def large(self, database, launch):
        """A server whose table lacks its indexes, and a transaction for whose end CREATE INDEX CONCURRENTLY waits."""
        assert items("migrate", **database.environment).returncode == 0
        writer = database.connect()
        fill(database, 20_000)
        writer.execute("DROP INDEX items_created_at_id, items_name_search")
        writer.execute("BEGIN")
        writer.execute("INSERT INTO items (name) VALUES ('Open')")
        return launch(database.environment).wait_until_healthy(), writer

    def logged(self, server, outcome):
        return [line for line in server.logs() if line["msg"] == f"Later change of the schema {outcome}"]

    CREATING = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'CREATE INDEX CONCURRENTLY%'"

    def test_are_waited_for_while_they_are_made(self, database, launch):
        server, writer = self.large(database, launch)
        for query in ("created_after=2024-01-01T00:00:00Z", "q=a&created_after=2024-01-01T00:00:00Z"):
            response = server.get(f"/api/items?{query}")
            assert problem(response, 503)["type"] == "/problems/unavailable"
            assert int(response.headers["Retry-After"]) > 0
        assert server.get("/api/items?q=item 7").status_code == 200
        writer.execute("COMMIT")
        until(lambda: writer.execute(self.EXIST).fetchone()[0] == 2, 30, what="the indexes")
        assert server.get("/api/items?created_after=2024-01-01T00:00:00Z").status_code == 200

    @pytest.mark.parametrize("fault", ["pg_terminate_backend", "pg_cancel_backend"])
    def test_are_tried_again_after_a_failure(self, database, launch, fault):
        server, writer = self.large(database, launch)
        with database.connect() as other:
            process = until(lambda: other.execute(self.CREATING).fetchone(), 20, what="an index that is being created")
            other.execute(f"SELECT {fault}(%s)", process)
            until(lambda: self.logged(server, "failed"), 20, what="a line")
            writer.execute("COMMIT")
            until(lambda: other.execute(self.EXIST).fetchone()[0] == 2, 60, what="the indexes")
            invalid = "SELECT count(*) FROM pg_index WHERE indrelid = 'items'::regclass AND NOT indisvalid"
            assert other.execute(invalid).fetchone()[0] == 0
        until(lambda: len(self.logged(server, "made")) >= 2, 10, what="two lines")
        assert self.logged(server, "failed")[0]["level"] == "WARNING"

    def test_are_missed_by_nobody_when_the_role_may_not_make_the_extension(self, own_cluster, launch):
        with own_cluster.connect(user="postgres") as admin:
            admin.execute("CREATE ROLE lowly LOGIN")
            admin.execute("CREATE DATABASE lowly")
            with own_cluster.connect("lowly", user="postgres") as connection:
                connection.execute("GRANT CREATE ON SCHEMA public TO lowly")
            environment = {**own_cluster.environment("lowly"), "DB_USER": "lowly"}
            run = items("migrate", **environment)
            assert run.returncode == 0, run.stderr
            server = launch(environment).wait_until_healthy()
            made = server.create("Found without it")["id"]
            assert ids([server.get("/api/items?q=without")]) == [made]
            with own_cluster.connect("lowly", user="postgres") as connection:
                assert connection.execute("SELECT count(*) FROM pg_extension WHERE extname = 'pg_trgm'").fetchone()[0] == 0
