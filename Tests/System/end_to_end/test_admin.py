"""ADMIN_PORT: operational endpoints on a separate port."""

import pytest
import requests

from support.ports import free_port
from support.server import Server, items, stop_all
from support.waiting import until


@pytest.fixture(scope="module")
def admin_port():
    return free_port()


@pytest.fixture(scope="module")
def server(module_database, admin_port):
    server = Server({**module_database.environment, "ADMIN_PORT": str(admin_port)})
    try:
        yield server.wait_until_healthy()
    finally:
        stop_all([server])


@pytest.mark.parametrize("path", ["/metrics", "/db"])
def test_operations_are_not_found_where_clients_are_served(server, path):
    assert server.get(path).status_code == 404


@pytest.mark.parametrize("path", ["/metrics", "/db"])
def test_operations_are_served_on_the_admin_port(server, admin_port, path):
    assert requests.get(f"http://127.0.0.1:{admin_port}{path}", timeout=5).status_code == 200


def test_requests_of_both_ports_are_counted_together(server, admin_port):
    server.get("/health/live")
    text = requests.get(f"http://127.0.0.1:{admin_port}/metrics", timeout=5).text
    assert 'route="/health/live"' in text


def test_the_root_of_each_port_links_to_the_ports_endpoints(database, launch):
    port = free_port()
    server = launch(database.environment, ADMIN_PORT=str(port), BASE_PATH="/x")
    # BASE_PATH changes the path of the health check too.
    until(lambda: items("healthcheck", PORT=str(server.port), HOST="127.0.0.1", BASE_PATH="/x").returncode == 0)
    roots = {f"{server.url}/x": server.url, f"http://127.0.0.1:{port}/": f"http://127.0.0.1:{port}"}
    names = []
    for root, origin in roots.items():
        links = requests.get(root, timeout=5).json()["links"]
        names.append(list(links))
        for path in links.values():
            assert requests.get(origin + path, timeout=5).status_code == 200
    assert names == [["items", "health"], ["items", "health", "database", "metrics"]]


def test_a_service_with_two_ports_logs_its_end_once(database, launch):
    server = launch(database.environment, ADMIN_PORT=str(free_port())).wait_until_live()
    server.stop()
    assert [line["msg"] for line in server.logs()].count("Drained") == 1
