"""/openapi.json of both services: what the document says is there, and nothing else."""

import os
import pathlib
import re

import pytest

from support.openapi import check, operations
from support.project import ROOT
from support.server import Server, stop_all

ORDERS = pathlib.Path(os.environ.get("ORDERS_BINARY", ROOT / ".build/debug/orders")).resolve()


class Orders(Server):
    binary = ORDERS


@pytest.fixture(scope="module")
def orders(module_database):
    server = Orders(module_database.environment)
    try:
        yield server.wait_until_healthy()
    finally:
        stop_all([server])


@pytest.fixture(scope="module")
def document(orders):
    response = orders.get("/openapi.json")
    assert response.status_code == 200 and response.headers["Content-Type"] == "application/json"
    return response.json()


def test_the_document_is_valid_and_has_no_loose_ends(document):
    check(document)


def test_the_document_names_the_service(document):
    assert document["info"]["title"] == "orders" and document["info"]["version"] == "1.0.0"
    assert document["servers"] == [{"url": "/"}]


def test_the_document_has_every_operation(document):
    assert {operation["operationId"] for _, _, operation in operations(document)} >= {
        "list_orders",
        "create_order",
        "read_order",
        "replace_order",
        "delete_order",
    }


def test_each_path_supports_the_methods_in_the_document(orders, document):
    for path, item in document["paths"].items():
        allowed = orders.request("OPTIONS", re.sub(r"{\w+}", "00000000-0000-4000-8000-000000000000", path)).headers["Allow"]
        assert set(allowed.lower().split(", ")) - {"head", "options"} == set(item), path


def test_the_example_of_a_body_is_accepted(orders, document):
    body = document["paths"]["/api/orders"]["post"]["requestBody"]["content"]["application/json"]["example"]
    assert orders.post("/api/orders", json=body).status_code == 201


def test_the_document_has_the_address_of_the_service(database):
    server = Orders({**database.environment, "BASE_PATH": "/shop"})
    try:
        server.wait_until_live()
        document = server.get("/shop/openapi.json").json()
        assert document["servers"] == [{"url": "/shop"}]
        check(document)
    finally:
        stop_all([server])


def test_a_cache_may_keep_the_document_and_asks_whether_it_is_current(orders):
    document = orders.get("/openapi.json")
    assert document.headers["Cache-Control"] == "max-age=300"
    again = orders.get("/openapi.json", headers={"If-None-Match": document.headers["ETag"]})
    assert again.status_code == 304 and again.content == b""


class TestPage:
    """/docs: it shows the document, and takes nothing from anywhere else."""

    FILES = {"/docs": "text/html", "/docs/docs.css": "text/css", "/docs/docs.js": "text/javascript"}

    def test_its_files_are_small_and_name_no_other_host(self, orders):
        answers = {path: orders.get(path) for path in self.FILES}
        for path, answer in answers.items():
            assert answer.status_code == 200 and answer.headers["Content-Type"] == f"{self.FILES[path]}; charset=utf-8"
            assert re.search(r"https?://|//\w+\.\w", answer.text) is None, path
        assert sum(len(answer.content) for answer in answers.values()) < 40 * 1024

    def test_it_allows_no_script_and_no_style_in_the_page(self, orders):
        page = orders.get("/docs")
        rules = dict(rule.strip().split(" ", 1) for rule in page.headers["Content-Security-Policy"].split(";"))
        assert rules["default-src"] == "'none'" and rules["script-src"] == rules["style-src"] == "'self'"
        assert page.headers["X-Content-Type-Options"] == "nosniff"
        assert re.search(r"<script(?![^>]*\ssrc=)|<style|\son\w+=|\sstyle=|javascript:", page.text) is None

    def test_it_works_below_a_base_path(self, database):
        server = Orders({**database.environment, "BASE_PATH": "/shop"})
        try:
            server.wait_until_live()
            page = server.get("/shop/docs").text
            names = re.findall(r'(?:href|src)="(?!data:)([^"]+)"', page)
            assert set(names) == {"openapi.json", "docs/docs.css", "docs/docs.js"}
            assert all(server.get(f"/shop/{name}").status_code == 200 for name in names)
        finally:
            stop_all([server])
