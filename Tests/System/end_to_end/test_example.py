"""Examples/Orders over HTTP: the framework's features in a service with its own table and five routes.

The binary is the one that scripts/test builds with the Swift tests; ORDERS_BINARY names another.
"""

import json
import os
import pathlib
import re
import signal
import subprocess
import uuid

import psycopg
import pytest

from support.client import Client
from support.ports import free_port
from support.project import ROOT
from support.server import Server, problem, stop_all
from support.waiting import until
from support.wire import Wire

BINARY = pathlib.Path(os.environ.get("ORDERS_BINARY", ROOT / ".build/debug/orders")).resolve()
TIMESTAMP = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}Z")
ORDER = {"customer": "Ada", "amount": "12.30", "details": {"isGift": True, "parcels": 2}}
MEMBERS = ["amount", "customer", "details", "id", "placedAt"]
NOBODY = "/api/orders/00000000-0000-4000-8000-000000000000"
LONGEST = {"customer": "é" * 200, "amount": "123456789012.34"}


class Orders(Server):
    binary = BINARY

    def place(self, **changes):
        response = self.post("/api/orders", json={**ORDER, **changes})
        assert response.status_code == 201, response.text
        return response.json()


def orders(*arguments, **environment):
    """Runs a command of the binary until it exits."""
    environment = {"PATH": os.environ["PATH"], **environment}
    return subprocess.run([BINARY, *arguments], env=environment, capture_output=True, text=True, timeout=30)


@pytest.fixture(scope="session", autouse=True)
def example():
    assert os.access(BINARY, os.X_OK), f"{BINARY} is missing: make e2e"


@pytest.fixture(scope="module")
def server(module_database):
    server = Orders(module_database.environment)
    try:
        yield server.wait_until_healthy()
    finally:
        stop_all([server])


class TestCreate:
    def test_answers_201_with_the_order_and_its_location(self, server):
        response = server.post("/api/orders", json=ORDER)
        assert response.status_code == 201 and response.headers["Content-Type"] == "application/json"
        order = response.json()
        assert list(order) == MEMBERS
        assert {name: order[name] for name in ORDER} == ORDER
        assert TIMESTAMP.fullmatch(order["placedAt"])
        assert str(uuid.UUID(order["id"])).upper() == order["id"]
        assert response.headers["Location"] == f"/api/orders/{order['id']}"
        assert server.get(response.headers["Location"]).json() == order

    @pytest.mark.parametrize("amount", ["12.30", "0", "0.00", "123456789012.34", "0.1234567890123"])
    def test_keeps_an_amount_as_it_is_written(self, server, amount):
        order = server.place(amount=amount)
        assert order["amount"] == amount
        assert server.get(f"/api/orders/{order['id']}").json()["amount"] == amount

    @pytest.mark.parametrize("body", [{"customer": "a", "amount": "1"}, {"customer": "a", "amount": "1", "details": None}])
    def test_takes_the_details_for_optional(self, server, body):
        order = server.post("/api/orders", json=body).json()
        assert order.get("details") is None

    def test_takes_the_longest_order(self, server):
        assert server.place(**LONGEST).items() >= LONGEST.items()

    @pytest.mark.parametrize(
        ("body", "fields"),
        [
            ({}, {"customer", "amount"}),
            ({"customer": "a"}, {"amount"}),
            ({"customer": "", "amount": "1"}, {"customer"}),
            ({"customer": "é" * 201, "amount": "1"}, {"customer"}),
            ({"customer": "a\0", "amount": "1"}, {"customer"}),
            ({"customer": 1, "amount": "1"}, {"customer"}),
            ({"customer": "a", "amount": "-0.01"}, {"amount"}),
            ({"customer": "a", "amount": "NaN"}, {"amount"}),
            ({"customer": "a", "amount": "1234567890123456"}, {"amount"}),
            ({"customer": "a", "amount": "many"}, {"amount"}),
            ({"customer": "a", "amount": 12.3}, {"amount"}),
            ({"customer": "a", "amount": None}, {"amount"}),
            ({"customer": "", "amount": "-1"}, {"customer", "amount"}),
            ({"customer": "a", "amount": "1", "details": {"isGift": True}}, {"details.parcels"}),
            ({"customer": "a", "amount": "1", "details": {"isGift": "yes", "parcels": 1}}, {"details.isGift"}),
            ({"customer": 1, "amount": ".5", "details": {"isGift": 1, "x": 0}}, {"customer", "amount", "details.isGift", "details.parcels", "details.x"}),
            ({"customer": "a", "amount": "1", "placedAt": "2026-01-01T00:00:00Z"}, {"placedAt"}),
        ],
    )
    def test_refuses_what_breaks_a_rule_by_its_fields(self, server, body, fields):
        errors = problem(server.post("/api/orders", json=body), 422)["errors"]
        assert {error["field"] for error in errors} == fields and all(error["message"] for error in errors)
        assert all(error["pointer"] == "/" + error["field"].replace(".", "/") for error in errors)

    @pytest.mark.parametrize("body", ["", "{", '{"customer":"a","amount":"1"} x', '{"customer":"a",}'])
    def test_refuses_invalid_json(self, server, body):
        problem(server.post("/api/orders", data=body, headers={"Content-Type": "application/json"}), 400)

    def test_refuses_another_type(self, server):
        problem(server.post("/api/orders", data="customer=a", headers={"Content-Type": "text/plain"}), 415)


class TestRead:
    @pytest.mark.parametrize(("method", "body"), [("GET", None), ("PUT", ORDER), ("DELETE", None)])
    def test_of_no_order_is_404(self, server, method, body):
        problem(server.request(method, NOBODY, json=body), 404)

    @pytest.mark.parametrize(("method", "body"), [("GET", None), ("PUT", ORDER), ("DELETE", None)])
    @pytest.mark.parametrize("change", [lambda key: key.replace("-", ""), lambda key: "{%s}" % key, lambda _: "1"])
    def test_rejects_other_spellings_of_a_key(self, server, method, body, change):
        order = server.place()
        problem(server.request(method, f"/api/orders/{change(order['id'])}", json=body), 404)
        assert server.get(f"/api/orders/{order['id']}").json() == order

    def test_reads_a_key_in_either_case(self, server):
        order = server.place()
        assert server.get(f"/api/orders/{order['id'].lower()}").json() == order

    def test_is_405_for_other_methods(self, server):
        response = server.request("PATCH", NOBODY, json=ORDER)
        problem(response, 405)
        assert set(response.headers["Allow"].split(", ")) == {"GET", "HEAD", "PUT", "DELETE", "OPTIONS"}
        assert set(server.request("DELETE", "/api/orders").headers["Allow"].split(", ")) == {"GET", "HEAD", "POST", "OPTIONS"}


class TestChange:
    def test_replaces_all_of_an_order(self, server):
        order = server.place()
        path = f"/api/orders/{order['id']}"
        response = server.request("PUT", path, json={"customer": "Grace", "amount": "1.0"})
        assert response.status_code == 200
        replaced = response.json()
        assert replaced.get("details") is None
        assert (replaced["customer"], replaced["amount"]) == ("Grace", "1.0")
        assert (replaced["id"], replaced["placedAt"]) == (order["id"], order["placedAt"])
        assert server.get(path).json() == replaced
        problem(server.request("PUT", path, json={**ORDER, "amount": "-1"}), 422)
        assert server.get(path).json() == replaced

    def test_removes_an_order_once(self, server):
        order = server.place()
        path = f"/api/orders/{order['id']}"
        response = server.request("DELETE", path)
        assert response.status_code == 200 and response.json() == order
        problem(server.request("DELETE", path), 404)
        problem(server.get(path), 404)


class TestList:
    def test_is_sorted_by_key_and_continues_after_one(self, server):
        placed = {server.place(customer=f"Customer {number}")["id"] for number in range(110)}
        first = server.get("/api/orders").json()["orders"]
        keys = [order["id"] for order in first]
        assert len(keys) == 100 and keys == sorted(keys)
        while rest := server.get(f"/api/orders?after={keys[-1]}").json()["orders"]:
            keys += [order["id"] for order in rest]
        assert keys == sorted(set(keys)) and placed <= set(keys)
        assert all(list(order) == [name for name in MEMBERS if name in order] for order in first)

    @pytest.mark.parametrize("query", ["after=x", "before=1", f"after={NOBODY[-36:]}&after={NOBODY[-36:]}", "after=%zz"])
    def test_refuses_an_invalid_key(self, server, query):
        problem(server.get(f"/api/orders?{query}"), 400)


class TestOperations:
    def test_names_the_service_in_each_answer(self, server):
        for path in ("/", "/api/orders", "/unknown", "/metrics"):
            assert server.get(path).headers["Server"] == "orders"

    def test_describes_the_service(self, server):
        root = server.get("/").json()
        assert (root["service"], root["version"]) == ("orders", "1.0.0")
        assert list(root["links"]) == ["orders", "health", "database", "metrics"]
        assert all(server.get(path).status_code == 200 for path in root["links"].values())

    @pytest.mark.parametrize("path", ["/health", "/health/ready", "/health/live"])
    def test_is_healthy(self, server, path):
        assert server.get(path).status_code == 200

    def test_is_unhealthy_without_the_database_and_alive(self, database, tmp_path):
        server = Orders({**database.environment, "DB_HOST": str(tmp_path)})
        try:
            server.wait_until_live()
            assert server.get("/health").status_code == 503
            problem(server.get("/api/orders"), 503)
        finally:
            stop_all([server])

    def test_estimates_the_orders(self, server, module_database):
        with module_database.connect() as connection:
            connection.execute("ANALYZE orders")
            count = connection.execute("SELECT count(*) FROM orders").fetchone()[0]
        status = server.get("/db").json()
        assert status["estimated_orders"] == count and status["database"] == module_database.name

    def test_calls_its_sessions_by_its_name(self, server, module_database):
        query = "SELECT DISTINCT application_name FROM pg_stat_activity WHERE datname = %s AND application_name <> ''"
        names = {row[0] for row in module_database.admin.execute(query, [module_database.name])}
        assert any(name.startswith("orders") for name in names)

    def test_measures_routes_and_statements(self, server):
        order = server.place()
        path = f"/api/orders/{order['id']}"
        assert server.get(path).ok and server.request("PUT", path, json=ORDER).ok
        assert server.request("DELETE", path).ok and server.get("/api/orders").ok
        text = server.get("/metrics").text
        routes = set(re.findall(r'^http_requests_total\{method="(\w+)",route="(/api[^"]*)",status="20[01]"\}', text, re.M))
        member = "/api/orders/{id}"
        assert routes >= {("GET", "/api/orders"), ("POST", "/api/orders"), ("GET", member), ("PUT", member), ("DELETE", member)}
        counts = dict(re.findall(r'^db_query_duration_seconds_count\{statement="(\w+)"\} (\d+)$', text, re.M))
        names = {"list_orders", "find_order", "create_order", "replace_order", "remove_order", "health", "database_status"}
        assert counts.keys() == names
        assert all(int(counts[f"{verb}_order"]) > 0 for verb in ("find", "create", "replace", "remove"))
        assert "items" not in text

    def test_writes_one_line_for_each_request(self, server):
        order = server.place()
        response = server.get(f"/api/orders?after={order['id']}", headers={"User-Agent": "test"})
        line = server.wait_for_access_log(request_id=response.headers["X-Request-Id"])
        assert line.items() >= {
            "level": "INFO",
            "msg": "Request completed",
            "method": "GET",
            "path": "/api/orders",
            "route": "/api/orders",
            "status": 200,
            "bytes": len(response.content),
            "remote_addr": "127.0.0.1",
            "user_agent": "test",
            "instance_id": "i-0123456789abcdef0",
            "environment": "test",
        }.items()
        assert line["response_time_ms"] > 0 and line["timestamp"].endswith("Z")
        assert len(server.access_logs(request_id=line["request_id"])) == 1


class TestCommands:
    def test_shows_its_version(self):
        run = orders("--version")
        assert run.returncode == 0 and run.stdout.startswith("orders 1.0.0")

    def test_its_help_uses_its_own_name(self):
        run = orders("--help")
        assert run.returncode == 0 and "Serves orders over HTTP" in run.stdout and "USAGE: orders" in run.stdout

    def test_checks_its_configuration(self):
        run = orders("check-config", DB_HOST="/tmp")
        assert run.returncode == 0, run.stderr
        assert re.search(r"\bDB_NAME\W+orders\b", run.stdout) and re.search(r"\bDB_USER\W+orders\b", run.stdout)
        bad = orders("check-config", PORT="x", DB_POOL_MAX="0")
        assert bad.returncode == 78 and "PORT" in bad.stderr and "DB_POOL_MAX" in bad.stderr

    def test_migrates_once_and_keeps_a_record_of_its_own(self, database):
        for _ in range(2):
            run = orders("migrate", **database.environment)
            assert run.returncode == 0, run.stdout + run.stderr
        with database.connect() as connection:
            assert connection.execute("SELECT count(*) FROM orders").fetchone()[0] == 0
            assert connection.execute("SELECT count(*) FROM orders_migrations").fetchone()[0] == 1
            with pytest.raises(psycopg.errors.UndefinedTable):
                connection.execute("SELECT FROM items_migrations")

    def test_knows_whether_it_is_healthy(self, server):
        assert orders("healthcheck", HOST="127.0.0.1", PORT=str(server.port)).returncode == 0
        assert orders("healthcheck", HOST="127.0.0.1", PORT=str(free_port())).returncode == 1


class Customer(Client):
    """A client that places orders."""

    def __init__(self, server):
        super().__init__(server.port)
        self.placed = []

    def request(self, connection):
        connection.request("POST", "/api/orders", json.dumps(ORDER), {"Content-Type": "application/json"})

    def take(self, status, body):
        if status == 201:
            self.placed.append(json.loads(body)["id"])
        else:
            self.failures.append(body)


def test_a_stop_under_load_loses_no_order(database):
    server = Orders({**database.environment, "DRAIN_DELAY_MS": "700"})
    clients = [Customer(server) for _ in range(8)]
    try:
        server.wait_until_healthy()
        for client in clients:
            client.start()
        until(lambda: all(len(client.placed) > 20 for client in clients))
        server.signal(signal.SIGTERM)
        until(lambda: server.get("/health").status_code == 503, 0.5, what="the health check to fail")
        before = sum(len(client.placed) for client in clients)
        until(lambda: sum(len(client.placed) for client in clients) > before + 50, 5, what="orders while it drains")
        with Wire(server) as wire:
            body = json.dumps(ORDER)
            head = "POST /api/orders HTTP/1.1\r\nHost: orders.test\r\nContent-Type: application/json\r\n"
            wire.send(f"{head}Content-Length: {len(body)}\r\n\r\n{body[:5]}")
            for client in clients:
                client.enough.set()
            for client in clients:
                client.join(10)
            until(lambda: any("no new connections" in line.get("msg", "") for line in server.logs()), 5)
            wire.send(body[5:])
            assert wire.read().status_code == 201 and wire.closed()
        assert server.wait() == 0
        assert [failure for client in clients for failure in client.failures] == []
        with database.connect() as connection:
            kept = {str(row[0]).upper() for row in connection.execute("SELECT id FROM orders")}
        placed = {key for client in clients for key in client.placed}
        assert placed <= kept and len(kept) == len(placed) + 1
    finally:
        stop_all([server])
