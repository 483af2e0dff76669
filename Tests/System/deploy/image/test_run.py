"""What a container of the image does, with nothing that it does not need."""

import concurrent.futures
import re
import time

import requests
from clients import Clients
from container import MEMORY

from conftest import reaching
from support.waiting import until

LOAD_CLIENTS = 64
LOAD_SECONDS = 8
# Below what the machine does on a bad day, and far above a service that is stuck.
LOAD_ANSWERS = 1000


class TestHardened:
    def test_serves_items(self, container):
        item = container.create("Item 1", "First item")
        assert container.get(f"/api/items/{item['id']}").json() == item
        assert container.get("/api/items").json()["items"] == [item]
        assert container.get("/metrics").status_code == 200

    def test_is_the_program_itself_as_first_process(self, container):
        status = container.status()
        assert status["Name"] == "items" and status["NSpid"].split()[-1] == "1"
        assert (container.process / "cmdline").read_bytes() == b"/usr/local/bin/items\0serve\0"

    def test_has_no_rights(self, container):
        status = container.status()
        assert set(status["Uid"].split()) == set(status["Gid"].split()) == {"10001"}
        assert [int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")] == [0] * 5
        assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"

    def test_writes_nowhere(self, container):
        container.create("Item 1")
        mounts = (container.process / "mountinfo").read_text().splitlines()
        [root] = [line.split()[5] for line in mounts if line.split()[4] == "/"]
        assert "ro" in root.split(",")
        changes = container.engine.podman("diff", container.id).splitlines()
        # The engine makes places for what it mounts.
        assert [line for line in changes if not re.match(r"[AC] /(dev|etc|proc|run|sys|tmp|var)(/|$)", line)] == []

    def test_says_its_version_and_its_own_name_in_its_log(self, container):
        [serving] = [line for line in container.messages() if line["msg"] == "Serving"]
        assert serving["port"] == str(container.port) and serving["instance_id"] == "i-0123456789abcdef0"


class TestHealthcheck:
    def test_of_a_healthy_container_succeeds(self, container):
        assert container.healthcheck() == 0

    def test_of_one_without_a_database_fails(self, start, image, cluster):
        container = start(image, reaching(cluster, "nowhere")).wait_until_live()
        assert container.healthcheck() == 1
        until(lambda: container.state["Health"]["Log"], 5, what="the check's record")


class TestSecret:
    def test_is_found_nowhere_but_in_its_file(self, container, password):
        container.create("Item 1")
        engine = container.engine
        told = {
            "inspect": engine.podman("inspect", container.id),
            "image": engine.podman("image", "inspect", container.inspect()["Image"]),
            "history": engine.podman("history", "--no-trunc", container.inspect()["Image"]),
            "environment": (container.process / "environ").read_text(),
            "command line": (container.process / "cmdline").read_text(),
            "log": container.logs(),
            "configuration": engine.podman("exec", container.id, "/usr/local/bin/items", "check-config"),
        }
        assert {name: password in text for name, text in told.items()} == dict.fromkeys(told, False)
        assert (container.process / "root/run/secrets/db-password").read_text() == password


class TestStop:
    def test_under_load_fails_no_request_and_ends_with_0(self, start, image, cluster, database):
        container = start(image, {**reaching(cluster, database), "DRAIN_DELAY_MS": "2000"}).wait_until_healthy()
        with Clients(container, 16) as clients, concurrent.futures.ThreadPoolExecutor(1) as pool:
            until(lambda: all(client.answers > 20 for client in clients.all), 20, what="the load")
            stopped = pool.submit(container.stop)
            # A client that was told to close connects anew: it is served until the delay is over.
            until(lambda: all(client.closes > 2 for client in clients.all), 10, what="Connection: close for everybody")
            clients.stop()
            assert stopped.result() == 0
        assert clients.failures == []
        rows = cluster_rows(cluster, database)
        assert clients.created == rows, "what was acknowledged is there, and nothing else"
        assert [line["msg"] for line in container.messages()][-1] == "Drained"

    def test_waits_for_the_request_in_flight(self, container, cluster, database):
        with cluster.connect(database) as holder, concurrent.futures.ThreadPoolExecutor(2) as pool:
            with holder.transaction():
                holder.execute("LOCK TABLE items")
                answer = pool.submit(container.create, "In flight")
                waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND wait_event_type = 'Lock'"
                until(lambda: holder.execute(waiting, [database]).fetchone()[0], 5, what="the request to wait")
                stopped = pool.submit(container.stop)
                until(lambda: "requests in flight finish" in container.logs(), 5, what="the drain")
                assert not stopped.done() and not answer.done()
            assert answer.result()["name"] == "In flight"
            assert stopped.result() == 0

    def test_takes_no_longer_than_it_has_to(self, container):
        began = time.monotonic()
        assert container.stop() == 0
        assert time.monotonic() - began < 5


def cluster_rows(cluster, database):
    with cluster.connect(database) as admin:
        return {number for (number,) in admin.execute("SELECT id FROM items")}


class TestMemory:
    def test_stays_in_its_limit_under_the_load_of_many_clients(self, container, record_property):
        before = container.state["Pid"]
        with Clients(container, LOAD_CLIENTS, description="d" * 2000) as clients:
            time.sleep(LOAD_SECONDS)  # the load's length, not a wait for something
        assert not container.state["OOMKilled"] and container.state["Pid"] == before
        memory = container.memory()
        assert memory["limit"] == int(MEMORY.removesuffix("m")) * 1024 * 1024
        mebibytes = {name: round(memory[name] / 1024 / 1024, 1) for name in ("peak", "resident_peak")}
        record_property("peak_mebibytes", mebibytes)
        print(f"{clients.answers} answers to {LOAD_CLIENTS} clients in {LOAD_SECONDS} s, peaks in MiB: {mebibytes}")
        assert memory["kills"] == 0
        assert clients.failures == [] and clients.answers > LOAD_ANSWERS
        assert memory["peak"] <= memory["limit"]
        assert container.get("/health").status_code == 200


class TestCommands:
    def test_of_the_program_are_the_containers_arguments(self, engine, image, secret, cluster, database):
        variables = [f"--env={name}={value}" for name, value in reaching(cluster, database).items()]
        engine.podman("run", "--rm", *secret, *variables, image, "migrate")
        assert cluster_rows(cluster, database) == set()

    def test_refuse_a_bad_environment(self, engine, image):
        done = engine.attempt("podman", "run", "--rm", "--env", "PORT=none", image)
        assert done.returncode == 78 and "PORT" in done.stderr


class TestNetwork:
    def test_names_are_resolved(self, container):
        """The database's name is, or it would not be healthy; here by a client that the image has besides."""
        assert container.get("/db").json()["database"]
        assert requests.get(f"http://localhost:{container.port}/", timeout=5).status_code == 200
