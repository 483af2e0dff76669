"""The types of problems: on which answers they are, and what their pages say."""

import concurrent.futures

import pytest

from support.server import problem
from support.waiting import until

NAMES = ["validation", "cursor", "key-reused", "unavailable", "outcome-unknown"]


def refused(server, path="/api/items", **fields):
    return server.post(path, json={"name": ""}, headers=fields)


class TestTypes:
    def test_of_a_wrong_body_is_validation_with_a_pointer_to_each_member(self, server):
        body = problem(server.post("/api/items", json={"name": "", "a/b~": 1, "description": "d" * 10_001}), 422)
        assert body["type"] == "/problems/validation"
        assert {error["pointer"]: error["field"] for error in body["errors"]} == {
            "/name": "name",
            "/description": "description",
            "/a~1b~0": "a/b~",
        }

    @pytest.mark.parametrize("body", ['{"name":1}', "[]"])
    def test_of_a_wrong_type_is_validation_too(self, server, body):
        response = server.post("/api/items", data=body, headers={"Content-Type": "application/json"})
        assert problem(response, 422)["type"] == "/problems/validation"

    def test_of_a_used_key_is_its_own(self, server):
        fields = {"Idempotency-Key": "used"}
        assert server.post("/api/items", json={"name": "first"}, headers=fields).status_code == 201
        for path, body in (("/api/items", {"name": "second"}), ("/api/items/batch", {"items": [{"name": "first"}]})):
            response = server.post(path, json=body, headers=fields)
            assert problem(response, 422)["type"] == "/problems/key-reused"

    def test_of_a_wrong_cursor_is_its_own(self, server):
        assert problem(server.get("/api/items?cursor=x"), 400)["type"] == "/problems/cursor"

    def test_of_an_answer_that_the_status_explains_is_about_blank(self, server):
        for response, status in (
            (server.get("/nothing"), 404),
            (server.get("/api/items/0"), 404),
            (server.request("PUT", "/api/items"), 405),
            (server.post("/api/items", data="{", headers={"Content-Type": "application/json"}), 400),
            (server.post("/api/items", data="x"), 415),
        ):
            assert problem(response, status)["type"] == "about:blank"

    def test_of_a_database_that_is_away_is_unavailable(self, launch, tmp_path):
        server = launch({"DB_HOST": str(tmp_path)}).wait_until_live()
        for response in (server.get("/api/items"), server.post("/api/items", json={"name": "x"})):
            body = until(lambda: problem(response, 503), what="a refusal")
            assert body["type"] == "/problems/unavailable" and response.headers["Retry-After"] == "1"

    def test_of_a_statement_that_the_server_ended_is_unavailable_and_nothing_was_done(self, database, launch):
        server = launch(database.environment, WORKERS="1", DB_POOL_MIN="1", DB_POOL_MAX="1").wait_until_healthy()
        item = server.create("before")
        waiting = "SELECT pid FROM pg_stat_activity WHERE datname = %s AND wait_event_type = 'Lock'"
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            with database.connect() as other, other.transaction():
                other.execute("SELECT FROM items FOR UPDATE")
                answer = pool.submit(server.request, "PUT", f"/api/items/{item['id']}", json={"name": "after"})
                pid = until(lambda: database.admin.execute(waiting, [database.name]).fetchone(), what="a lock")[0]
                database.admin.execute("SELECT pg_terminate_backend(%s)", [pid])
                response = answer.result()
        assert problem(response, 503)["type"] == "/problems/unavailable" and response.headers["Retry-After"] == "1"
        assert server.get(f"/api/items/{item['id']}").json() == item

    def test_is_a_path_below_the_prefix(self, database, launch):
        server = launch(database.environment, BASE_PATH="/x/y").wait_until_live()
        type = problem(refused(server, "/x/y/api/items"), 422)["type"]
        assert type == "/x/y/problems/validation" and server.get(type).json()["name"] == "validation"


class TestPages:
    @pytest.mark.parametrize("name", NAMES)
    def test_are_there_for_people_and_programs(self, server, name):
        path = f"/problems/{name}"
        data = server.get(path)
        assert data.headers["Content-Type"] == "application/json" and data.json()["name"] == name
        page = server.get(path, headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
        assert page.headers["Content-Type"] == "text/html; charset=utf-8"
        assert page.text.startswith("<!doctype html>") and data.json()["title"] in page.text
        assert page.headers["Content-Security-Policy"] == "default-src 'none'"
        assert data.headers["Vary"] == page.headers["Vary"] == "Accept"

    def test_of_other_names_are_not_there(self, server):
        for name in ("other", "Validation", ""):
            problem(server.get(f"/problems/{name}"), 404)
