"""Pages of other sites: CORS_ORIGINS, preflights, and writes that a browser says come from elsewhere."""

import re

import pytest

from support.server import Server, items, problem, stop_all

PAGE = "https://app.example.com"
OTHER = "https://other.example.com"
EXPOSED = {"ETag", "Link", "Location", "Retry-After", "RateLimit", "X-Request-Id", "Idempotent-Replayed"}


@pytest.fixture(scope="module")
def shared(module_database):
    """A server of the same database that pages of two origins may use."""
    server = Server({**module_database.environment, "CORS_ORIGINS": f"{PAGE}, http://localhost:3000"})
    try:
        yield server.wait_until_healthy()
    finally:
        stop_all([server])


def lines(response, name):
    return [value for field, value in response.raw.headers.items() if field.lower() == name.lower()]


class TestAllowedOrigins:
    @pytest.mark.parametrize("origin", [PAGE, "http://localhost:3000"])
    def test_may_read_answers_and_refusals(self, shared, origin):
        for method, path, status in (
            ("GET", "/api/items", 200),
            ("GET", "/health", 200),
            ("GET", "/api/items/0", 404),
            ("GET", "/nothing", 404),
            ("PATCH", "/api/items", 405),
            ("POST", "/api/items", 415),
        ):
            response = shared.request(method, path, headers={"Origin": origin, "Sec-Fetch-Site": "cross-site"})
            assert response.status_code == status
            assert response.headers["Access-Control-Allow-Origin"] == origin
            assert "Origin" in lines(response, "Vary")
            assert EXPOSED <= set(response.headers["Access-Control-Expose-Headers"].split(", "))
            assert "Access-Control-Allow-Credentials" not in response.headers

    def test_may_write(self, shared):
        fields = {"Origin": PAGE, "Sec-Fetch-Site": "cross-site"}
        created = shared.post("/api/items", json={"name": "From a page"}, headers=fields)
        assert created.status_code == 201
        assert shared.request("DELETE", created.headers["Location"], headers=fields).status_code == 204

    def test_ask_before_they_write(self, shared):
        response = shared.request(
            "OPTIONS",
            "/api/items/1",
            headers={
                "Origin": PAGE,
                "Access-Control-Request-Method": "PUT",
                "Access-Control-Request-Headers": "content-type,if-match",
            },
        )
        assert response.status_code == 204 and response.content == b""
        assert response.headers["Access-Control-Allow-Origin"] == PAGE
        methods = re.split(", ", response.headers["Access-Control-Allow-Methods"])
        assert {"GET", "PUT", "PATCH", "DELETE"} <= set(methods)
        assert {"Content-Type", "If-Match", "Idempotency-Key"} <= set(
            response.headers["Access-Control-Allow-Headers"].split(", ")
        )
        assert response.headers["Access-Control-Max-Age"] == "600"
        assert lines(response, "Vary") == ["Origin"]

    def test_have_an_answer_of_their_own_in_every_cache(self, shared):
        for fields in ({}, {"Origin": OTHER}):
            for path in ("/api/items", "/nothing", "/metrics"):
                response = shared.get(path, headers=fields)
                assert "Origin" in lines(response, "Vary") and "Access-Control-Allow-Origin" not in response.headers


class TestOtherSites:
    WRITES = [("POST", "/api/items"), ("PUT", "/api/items/1"), ("PATCH", "/api/items/1"), ("DELETE", "/api/items/1")]

    @pytest.mark.parametrize("site", ["cross-site", "same-site"])
    @pytest.mark.parametrize("method, path", WRITES)
    def test_may_change_nothing(self, server, shared, method, path, site):
        item = server.create("Stays")
        path = path.replace("1", str(item["id"]))
        for instance in (server, shared):
            for origin in ({}, {"Origin": OTHER}, {"Origin": "null"}):
                fields = {"Sec-Fetch-Site": site, **origin}
                body = problem(instance.request(method, path, json={"name": "Changed"}, headers=fields), 403)
                assert body["type"] == "about:blank"
        assert server.get(f"/api/items/{item['id']}").json() == item

    @pytest.mark.parametrize("site", ["same-origin", "none"])
    def test_are_not_the_services_own_pages(self, server, site):
        response = server.post("/api/items", json={"name": "Own"}, headers={"Sec-Fetch-Site": site, "Origin": server.url})
        assert response.status_code == 201

    def test_may_read(self, server):
        assert server.get("/api/items", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200


def test_without_the_variable_no_answer_mentions_an_origin(server):
    response = server.get("/api/items", headers={"Origin": PAGE})
    assert lines(response, "Vary") == ["Accept-Encoding"]
    assert not [name for name in response.headers if name.lower().startswith("access-control")]


@pytest.mark.parametrize("text", ["*", "null", "app.example.com", "https://a/", "https://*.a", "https://a b", "https://a,", ","])
def test_a_value_that_is_no_list_of_origins_ends_the_start(text):
    run = items("check-config", DB_HOST="/tmp", CORS_ORIGINS=text)
    assert run.returncode == 78 and "CORS_ORIGINS must be origins like https://app.example.com" in run.stderr


def test_too_many_origins_end_the_start():
    text = ",".join(f"https://a{number}.example" for number in range(33))
    run = items("check-config", DB_HOST="/tmp", CORS_ORIGINS=text)
    assert run.returncode == 78 and "CORS_ORIGINS must be at most 32 origins" in run.stderr
