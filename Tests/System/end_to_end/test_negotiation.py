"""What a client accepts, what a cache may keep, and where a program finds the document."""

import pytest

from support.server import problem

JSON = ["application/json", "*/*", "application/*", "text/html, */*;q=0.1", "application/json;charset=utf-8", ""]
OTHERS = ["text/html", "application/xml", "application/json;q=0", "application/json;q=0, */*", "image/*", "text/csv, text/*"]


def with_type(accept):
    return {"Accept": accept, "Content-Type": "application/json"}


class TestAccept:
    @pytest.mark.parametrize("accept", JSON)
    def test_of_json_is_met(self, server, accept):
        for path in ("/", "/api/items", "/db", "/openapi.json"):
            assert server.get(path, headers={"Accept": accept}).status_code == 200, path
        assert server.post("/api/items", data='{"name":"Accepted"}', headers=with_type(accept)).status_code == 201

    @pytest.mark.parametrize("accept", OTHERS)
    def test_of_nothing_that_there_is_is_refused_as_a_problem(self, server, accept):
        item = server.create("Stays")
        path = f"/api/items/{item['id']}"
        for method, target in (("GET", "/api/items"), ("GET", path), ("PUT", path), ("PATCH", path), ("GET", "/db")):
            body = problem(server.request(method, target, data='{"name":"x"}' * (method != "GET"), headers=with_type(accept)), 406)
            assert body["type"] == "about:blank" and "application/json" in body["detail"]

    def test_that_cannot_be_met_is_refused_before_anything_is_written(self, server):
        before = server.get("/api/items?limit=1000&order=desc").json()
        for path, body in (("/api/items", '{"name":"x"}'), ("/api/items/batch", '{"items":[{"name":"x"}]}')):
            problem(server.post(path, data=body, headers=with_type("text/html")), 406)
        assert server.get("/api/items?limit=1000&order=desc").json() == before

    def test_has_no_effect_where_there_is_no_content(self, server):
        item = server.create("Goes")
        response = server.request("DELETE", f"/api/items/{item['id']}", headers={"Accept": "text/html"})
        assert response.status_code == 204

    @pytest.mark.parametrize("path", ["/health", "/health/live", "/health/ready", "/healthz", "/metrics"])
    def test_keeps_no_balancer_and_no_scraper_out(self, server, path):
        assert server.get(path, headers={"Accept": "image/png"}).status_code == 200

    def test_of_a_page_gets_the_page(self, server):
        assert server.get("/docs", headers={"Accept": "text/html"}).status_code == 200
        problem(server.get("/docs", headers={"Accept": "application/json"}), 406)
        problem(server.get("/problems/cursor", headers={"Accept": "image/png"}), 406)


class TestCaches:
    @pytest.mark.parametrize("path", ["/health", "/health/live", "/health/ready", "/healthz", "/db", "/metrics"])
    def test_keep_no_state_of_the_service(self, server, path):
        assert server.get(path).headers["Cache-Control"] == "no-store"

    def test_keep_no_problem(self, server):
        for response in (server.get("/nothing"), server.get("/api/items/0"), server.post("/api/items", json={})):
            assert problem(response, response.status_code) and response.headers["Cache-Control"] == "no-store"

    def test_ask_before_they_use_items_again(self, server):
        item = server.create("Kept")
        for path in (f"/api/items/{item['id']}", "/api/items"):
            first = server.get(path)
            second = server.get(path, headers={"If-None-Match": first.headers["ETag"]})
            assert (first.status_code, second.status_code) == (200, 304)
            assert first.headers["Cache-Control"] == second.headers["Cache-Control"] == "no-cache"

    @pytest.mark.parametrize(
        "path",
        ["/openapi.json", "/docs", "/docs/docs.css", "/docs/docs.js", "/problems/cursor", "/.well-known/api-catalog"],
    )
    def test_keep_documents_for_five_minutes(self, server, path):
        for accept in ("*/*", "text/html, */*;q=0.1"):
            first = server.get(path, headers={"Accept": accept})
            assert first.status_code == 200 and first.headers["Cache-Control"] == "max-age=300"
            second = server.get(path, headers={"Accept": accept, "If-None-Match": first.headers["ETag"]})
            assert second.status_code == 304 and second.headers["Cache-Control"] == "max-age=300"
            assert second.headers["ETag"] == first.headers["ETag"] and second.content == b""
            refused = server.get(path, headers={"Accept": accept, "If-Match": '"other"'})
            problem(refused, 412)

    def test_keep_the_two_forms_of_a_page_apart(self, server):
        forms = [server.get("/problems/cursor", headers={"Accept": accept}) for accept in ("text/html", "application/json")]
        assert len({form.headers["ETag"] for form in forms}) == 2
        assert all("Accept" in form.headers["Vary"] for form in forms)


def test_no_browser_guesses_a_type(server):
    item = server.create("Typed")
    for method, path in (
        ("GET", "/"), ("GET", "/api/items"), ("GET", f"/api/items/{item['id']}"), ("GET", "/nothing"), ("GET", "/docs"),
        ("GET", "/metrics"), ("GET", "/health"), ("DELETE", f"/api/items/{item['id']}"), ("OPTIONS", "/"),
    ):  # fmt: skip
        assert server.request(method, path).headers["X-Content-Type-Options"] == "nosniff", path


class TestCatalog:
    TYPE = 'application/linkset+json; profile="https://www.rfc-editor.org/info/rfc9727"'

    def test_leads_to_the_document_the_page_and_the_health(self, server):
        response = server.get("/.well-known/api-catalog")
        assert response.headers["Content-Type"] == self.TYPE
        [entry] = response.json()["linkset"]
        assert entry.pop("anchor") == "/"
        assert set(entry) == {"service-desc", "service-doc", "status"}
        for [link] in entry.values():
            target = server.get(link["href"])
            assert target.status_code == 200 and target.headers["Content-Type"].split(";")[0] == link["type"]

    def test_names_itself_to_head(self, server):
        response = server.request("HEAD", "/.well-known/api-catalog")
        assert response.links["api-catalog"]["url"] == "/.well-known/api-catalog"

    def test_is_below_the_base_path(self, database, launch):
        server = launch(database.environment, BASE_PATH="/x").wait_until_live()
        [entry] = server.get("/x/.well-known/api-catalog").json()["linkset"]
        assert entry["anchor"] == "/x" and entry["service-desc"][0]["href"] == "/x/openapi.json"
        assert server.get("/x").links["service-desc"]["url"] == "/x/openapi.json"

    def test_is_linked_from_the_root(self, server):
        links = server.get("/").links
        assert {name: link["url"] for name, link in links.items()} == {
            "service-desc": "/openapi.json",
            "service-doc": "/docs",
            "api-catalog": "/.well-known/api-catalog",
        }
        assert links["service-desc"]["type"] == "application/json"
