"""Create, read and list items."""

import concurrent.futures
import json
import re

import pytest
import requests

from support.server import problem

TIMESTAMP = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}Z")
MOST = 9_223_372_036_854_775_807


def post_json(server, text, content_type="application/json"):
    body = text if isinstance(text, bytes) else text.encode()
    return server.post("/api/items", data=body, headers={"Content-Type": content_type})


def fields(response):
    return {error["field"] for error in problem(response, 422)["errors"]}


def pages(server, query):
    """Yields every page, following the cursor to the last one."""
    cursor = ""
    while True:
        page = server.get(f"/api/items?{query}{cursor}")
        assert page.status_code == 200, page.text
        yield page
        token = page.json()["next_cursor"]
        assert ('rel="next"' in page.headers.get("Link", "")) == (token is not None)
        if token is None:
            return
        cursor = "&cursor=" + requests.utils.quote(token, safe="")


@pytest.fixture(scope="module")
def forty(server):
    return [server.create(f"Item {number}", f"Number {number}") for number in range(1, 41)]


class TestCreate:
    def test_answers_201_with_the_item_and_its_location(self, server):
        response = server.post("/api/items", json={"name": "Item 1", "description": "First item"})
        assert response.status_code == 201
        assert response.headers["Content-Type"].split(";")[0] == "application/json"
        item = response.json()
        assert item.keys() == {"id", "name", "description", "created_at", "updated_at"}
        assert (item["name"], item["description"]) == ("Item 1", "First item")
        assert TIMESTAMP.fullmatch(item["created_at"]) and TIMESTAMP.fullmatch(item["updated_at"])
        assert response.headers["Location"] == f"/api/items/{item['id']}"
        assert server.get(response.headers["Location"]).json() == item

    @pytest.mark.parametrize("body", ['{"name":"a"}', '{"name":"a","description":null}'])
    def test_takes_the_description_for_optional(self, server, body):
        assert post_json(server, body).json()["description"] is None

    def test_trims_the_name(self, server):
        assert server.create(" \t Item \r\n ")["name"] == "Item"

    def test_counts_the_name_after_trimming(self, server):
        assert server.create(" " * 50 + "n" * 255 + " " * 50)["name"] == "n" * 255

    @pytest.mark.parametrize("character", ["n", "ü", "漢", "🎉"])
    def test_counts_characters_not_bytes(self, server, character):
        assert server.create(character * 255, character * 10_000)["name"] == character * 255
        assert fields(server.post("/api/items", json={"name": character * 256})) == {"name"}
        body = {"name": "a", "description": character * 10_001}
        assert fields(server.post("/api/items", json=body)) == {"description"}

    @pytest.mark.parametrize(
        "name",
        ["Ünïcödé", "日本語", "🎉👩‍👩‍👧", 'a"b\\c/d', "'; DROP TABLE items; --", "100% $1 \\x00", "a\u2028\u202eb"],
    )
    def test_keeps_a_name_as_it_was_sent(self, server, name):
        item = server.create(name, name + "\n\t\x7f\x01")
        assert item["name"] == name
        assert server.get(f"/api/items/{item['id']}").json()["description"] == name + "\n\t\x7f\x01"

    def test_reads_escapes_and_surrogate_pairs(self, server):
        item = post_json(server, r'{"name":"\u00dc \ud83c\udf89 \/ \" x","description":"\n\t\b\f\r"}').json()
        assert item["name"] == 'Ü 🎉 / " x'
        assert item["description"] == "\n\t\b\f\r"

    @pytest.mark.parametrize(
        "type", ["application/json; charset=utf-8", "APPLICATION/JSON", "application/json;charset=UTF-8"]
    )
    def test_takes_json_by_any_spelling_of_its_type(self, server, type):
        assert post_json(server, '{"name":"a"}', type).status_code == 201

    @pytest.mark.parametrize(
        "type", ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", "text/json2"]
    )
    def test_answers_415_to_other_types(self, server, type):
        problem(post_json(server, '{"name":"a"}', type), 415)

    def test_gives_every_concurrent_client_its_own_item(self, server):
        texts = [(f"Concurrent {number}", None if number % 3 else f"Number {number}") for number in range(200)]
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            made = list(pool.map(lambda text: server.create(*text), texts))
        assert len({item["id"] for item in made}) == 200
        assert [(item["name"], item["description"]) for item in made] == texts
        assert [server.get(f"/api/items/{item['id']}").json() for item in made] == made


class TestValidation:
    @pytest.mark.parametrize(
        "body, wrong",
        [
            ({}, {"name"}),
            ({"name": None}, {"name"}),
            ({"name": 1}, {"name"}),
            ({"name": ["a"]}, {"name"}),
            ({"name": ""}, {"name"}),
            ({"name": " \t\r\n "}, {"name"}),
            ({"name": "n" * 256}, {"name"}),
            ({"name": "a\u0000b"}, {"name"}),
            ({"name": "a", "description": 1}, {"description"}),
            ({"name": "a", "description": False}, {"description"}),
            ({"name": "a", "description": "d" * 10_001}, {"description"}),
            ({"name": "a", "description": "a\u0000b"}, {"description"}),
            ({"name": "", "description": "d" * 10_001}, {"name", "description"}),
        ],
    )
    def test_answers_422_with_every_wrong_field(self, server, body, wrong):
        response = server.post("/api/items", json=body)
        assert fields(response) == wrong
        assert all(isinstance(error["message"], str) and error["message"] for error in response.json()["errors"])

    @pytest.mark.parametrize("body", ["[]", "null", "1", '"name"', "true"])
    def test_refuses_json_that_is_not_an_object(self, server, body):
        response = post_json(server, body)
        problem(response, response.status_code)
        assert response.status_code in (400, 422)

    @pytest.mark.parametrize(
        "body",
        ['{"name": }', '{"name":"a"', "{'name':'a'}", '{"name":"a",}', '{"name":"a"} x', '{"name":"\\q"}', "{", "nul"],
    )
    def test_answers_400_with_the_position_of_malformed_json(self, server, body):
        assert re.search(r"\d", problem(post_json(server, body), 400)["detail"])

    @pytest.mark.parametrize("body", [b"", b" ", b'{"name":"\xff"}', b'{"name":"\xc0\x80"}', b"\xff\xfe{\x00}\x00"])
    def test_answers_400_to_bodies_that_are_no_utf_8_json(self, server, body):
        problem(post_json(server, body), 400)

    def test_refuses_half_a_surrogate_pair(self, server):
        assert post_json(server, r'{"name":"\ud83c"}').status_code in (400, 422)

    def test_survives_deep_nesting(self, server):
        for body in ("[" * 100_000, '{"name":' * 50_000, '{"name":' + "[" * 500 + "]" * 500 + "}"):
            assert post_json(server, body).status_code in (400, 422)
        assert server.get("/health/live").status_code == 200

    def test_puts_nothing_of_a_refused_body_into_the_table(self, server):
        before = [item["id"] for page in pages(server, "limit=1000") for item in page.json()["items"]]
        assert server.post("/api/items", json={"name": ""}).status_code == 422
        after = [item["id"] for page in pages(server, "limit=1000") for item in page.json()["items"]]
        assert after == before


class TestRead:
    def test_answers_the_item(self, server, forty):
        response = server.get(f"/api/items/{forty[0]['id']}")
        assert response.status_code == 200
        assert response.json() == forty[0]

    def test_head_answers_as_get_without_the_body(self, server, forty):
        path = f"/api/items/{forty[0]['id']}"
        head, get = server.request("HEAD", path), server.get(path)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["Content-Length"] == str(len(get.content))
        assert head.headers["Content-Type"] == get.headers["Content-Type"]

    @pytest.mark.parametrize("id", [0, -1, MOST, MOST + 1, 10**40, "x", "1x", "1.0", "+1", "1%20"])
    def test_answers_404_to_an_invalid_id(self, server, id):
        problem(server.get(f"/api/items/{id}"), 404)
        assert server.request("HEAD", f"/api/items/{id}").status_code == 404


class TestList:
    def test_answers_items_and_the_next_cursor(self, server, forty):
        response = server.get("/api/items?limit=1000")
        body = response.json()
        assert body.keys() == {"items", "next_cursor", "prev_cursor"}
        assert [item for item in body["items"] if item["id"] in {made["id"] for made in forty}] == forty

    def test_shows_a_hundred_ascending_by_default(self, server, forty):
        for number in range(70):
            server.create(f"More {number}")
        page = server.get("/api/items").json()
        ids = [item["id"] for item in page["items"]]
        assert len(ids) == 100 and ids == sorted(ids) and page["next_cursor"]

    @pytest.mark.parametrize("limit", [1, 7, 40, 1000])
    @pytest.mark.parametrize("order", ["asc", "desc", None])
    def test_pages_hold_every_item_once_and_in_order(self, server, forty, limit, order):
        query = f"limit={limit}" + (f"&order={order}" if order else "")
        read = list(pages(server, query))
        ids = [item["id"] for page in read for item in page.json()["items"]]
        assert ids == sorted(set(ids), reverse=order == "desc")
        assert {item["id"] for item in forty} <= set(ids)
        assert all(len(page.json()["items"]) == limit for page in read[:-1])

    def test_the_link_leads_through_the_same_pages(self, server, forty):
        session, path, ids = requests.Session(), "/api/items?limit=9&order=desc", []
        while path:
            page = session.get(requests.compat.urljoin(server.url, path))
            assert page.status_code == 200
            ids += [item["id"] for item in page.json()["items"]]
            path = page.links.get("next", {}).get("url")
        assert ids == [item["id"] for page in pages(server, "limit=1000&order=desc") for item in page.json()["items"]]

    def test_the_last_full_page_has_no_next_one(self, server, forty):
        count = sum(len(page.json()["items"]) for page in pages(server, "limit=1000"))
        assert count < 1000
        page = server.get(f"/api/items?limit={count}")
        assert page.json()["next_cursor"] is None and "next" not in page.links

    def test_an_item_created_between_two_pages_moves_none(self, server, forty):
        first = server.get("/api/items?limit=10&order=desc").json()
        between = server.create("Between")
        cursor = requests.utils.quote(first["next_cursor"], safe="")
        second = server.get(f"/api/items?limit=10&order=desc&cursor={cursor}").json()
        ids = [item["id"] for item in first["items"] + second["items"]]
        assert ids == sorted(set(ids), reverse=True) and between["id"] not in ids

    @pytest.mark.parametrize("limit", [1, 1000])
    def test_takes_every_limit_within_the_bounds(self, server, limit):
        assert server.get(f"/api/items?limit={limit}").status_code == 200

    @pytest.mark.parametrize("limit", ["0", "1001", "-1", "x", "1.5", "1e2", "", "99999999999999999999"])
    def test_answers_400_to_a_limit_out_of_bounds(self, server, limit):
        assert "limit" in json.dumps(problem(server.get(f"/api/items?limit={limit}"), 400))

    @pytest.mark.parametrize(
        "query", ["order=sideways", "order=ASC;", "cursor=x", "cursor=%00", "cursor=-1", "cursor=" + "9" * 40]
    )
    def test_answers_400_to_an_invalid_order_or_cursor(self, server, query):
        problem(server.get(f"/api/items?{query}"), 400)
