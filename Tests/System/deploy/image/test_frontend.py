"""The page beside the service: Debian's nginx with its configuration, as the container's user and without capabilities."""

import json
import os
import pathlib
import shutil
import signal
import subprocess

import pytest
import requests

from support.directories import temporary_directory
from support.ports import free_port
from support.project import ROOT
from support.waiting import until

FOLDER = ROOT / "deploy/frontend"
USER = 101


@pytest.fixture(scope="module")
def nginx():
    """The running server: its URL, its process, and its log once it has ended."""
    if not shutil.which("nginx") or os.getuid() != 0:
        pytest.skip("nginx is not installed, or the tests cannot start it as another user")
    with temporary_directory() as folder:
        yield from serve(folder)


def serve(folder):
    port = free_port()
    pages = folder / "pages"
    pages.mkdir()
    for name in ("index.html", "items.js", "style.css"):
        shutil.copy(FOLDER / name, pages)
    text = (FOLDER / "nginx.conf").read_text()
    for old, new in (("/usr/share/nginx/html", str(pages)), ("3000", str(port)), ("nginx.pid", f"nginx-{port}.pid")):
        assert old in text
        text = text.replace(old, new)
    configuration = folder / "nginx.conf"
    configuration.write_text(text)
    reading, writing = os.pipe()
    os.fchown(writing, USER, USER)  # as a container's runtime does
    process = subprocess.Popen(
        ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "--bounding-set=-all", "--inh-caps=-all"]
        + ["nginx", "-c", str(configuration), "-g", "daemon off;"],
        stdin=subprocess.DEVNULL,
        stdout=writing,
        stderr=writing,
    )
    os.close(writing)
    process.output = open(reading)
    process.url = f"http://127.0.0.1:{port}"

    def answers():
        try:
            return requests.get(f"{process.url}/health", timeout=1).ok
        except requests.ConnectionError:
            assert process.poll() is None, process.output.read()
            return False

    until(answers)
    yield process
    if process.poll() is None:
        process.terminate()
        process.wait(10)
    process.output.close()


def written(process):
    """Files that the server has open for writing, its log aside."""
    children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    for pid in [str(process.pid), *children]:
        for entry in pathlib.Path(f"/proc/{pid}/fd").iterdir():
            flags = int((pathlib.Path(f"/proc/{pid}/fdinfo") / entry.name).read_text().split("flags:")[1].split()[0], 8)
            target = os.readlink(entry)
            if flags & (os.O_WRONLY | os.O_RDWR) and target.startswith("/"):
                yield target


def test_the_page_and_its_parts_are_served(nginx):
    page = requests.get(f"{nginx.url}/", timeout=5)
    assert page.status_code == 200 and page.headers["Content-Type"] == "text/html" and "<h1>Items</h1>" in page.text
    assert "Server" in page.headers and "/" not in page.headers["Server"]
    for name, kind in (("items.js", "javascript"), ("style.css", "text/css")):
        part = requests.get(f"{nginx.url}/{name}", timeout=5)
        assert part.status_code == 200 and kind in part.headers["Content-Type"] and f"/{name}" in page.text


def test_the_page_may_load_nothing_from_elsewhere(nginx):
    assert requests.get(f"{nginx.url}/", timeout=5).headers["Content-Security-Policy"] == "default-src 'self'"


def test_health_is_answered_for_the_load_balancer(nginx):
    answer = requests.get(f"{nginx.url}/health", timeout=5)
    assert answer.json() == {"status": "healthy"} and answer.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("path", ["/api/items", "/nginx.conf", "/..%2fnginx.conf"])
def test_other_paths_are_not_there(nginx, path):
    assert requests.get(f"{nginx.url}{path}", timeout=5).status_code in (400, 404)


def test_it_writes_to_memory_only(nginx):
    assert all(path.startswith(("/dev/null", "/dev/shm/")) for path in written(nginx))


def test_it_has_no_capability(nginx):
    status = pathlib.Path(f"/proc/{nginx.pid}/status").read_text()
    assert {line.split()[1] for line in status.splitlines() if line.startswith(("CapEff", "CapBnd"))} == {"0" * 16}


def test_it_ends_by_the_signal_of_the_image_and_has_logged_in_json(nginx):
    assert "STOPSIGNAL SIGQUIT" in (FOLDER / "Dockerfile").read_text()
    requests.get(f"{nginx.url}/?q=\"quoted\"", timeout=5)
    nginx.send_signal(signal.SIGQUIT)
    assert nginx.wait(10) == 0
    lines = [json.loads(line) for line in nginx.output.read().splitlines()]
    assert {line["msg"] for line in lines} == {"Page served"}
    assert "/health" not in {line["path"] for line in lines}


def test_the_image_has_the_user_and_the_port_of_the_task():
    text = (FOLDER / "Dockerfile").read_text()
    module = (ROOT / "deploy/terraform/modules/compute-ecs/frontend.tf").read_text()
    assert "USER 101:101" in text and 'user                   = "101:101"' in module
    assert "EXPOSE 3000" in text and "listen 3000;" in (FOLDER / "nginx.conf").read_text()
