"""User and password of the database: their sources, valid characters, rotation, and where they must not appear."""

import json
import pathlib
import re

import pytest
from network import PASSWORD, NetworkDatabase, network_cluster, unreachable_lines, wait_until_steady

from support.emulators import INSTANCE, KEY, REGION, SECRET_KEY, Loopback, imds, loopback, moto, moto_server, store, value  # noqa: F401, fixtures among them
from support.ports import free_port
from support.server import items, problem
from support.waiting import until

WAYS = ["DB_PASSWORD", "DB_PASSWORD_FILE", "CREDENTIALS_DIRECTORY", "DB_SECRET_ID"]
WORDS = {
    "quotes": "it's \"quoted\" `so`",
    "blanks": "  in  and around  ",
    "dollars": "$HOME ${PATH} $(id) $$",
    "percents": "100% %s %2F %00 %",
    "backslashes": "\\ back\\slash\\n\\'\\",
    "address": "u:p@host:1/db?sslmode=disable#x",
    "parameters": "x' host=elsewhere password = 'y' port=1",
    "beyond ASCII": "ä€😀 ﬁ é",
}
SECOND = "second-password"
AWS = {
    "AWS_REGION": REGION,
    "AWS_ACCESS_KEY_ID": KEY,
    "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
    "AWS_EC2_METADATA_DISABLED": "true",
    "DB_SECRET_ID": "items/db",
}


@pytest.fixture(scope="module")
def cluster():
    with network_cluster() as cluster:
        # Two more login roles for the same application, which act as the owner.
        for name in ("items_a", "items_b"):
            cluster.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}' IN ROLE items")
            cluster.execute(f"ALTER ROLE {name} SET role = 'items'")
        yield cluster


@pytest.fixture
def database(cluster):
    for role in ("items", "items_a", "items_b"):
        cluster.set_password(PASSWORD, role)
    database = NetworkDatabase(cluster)
    yield database
    database.drop()


def without_password(database, **more):
    return {**{name: text for name, text in database.environment.items() if name != "DB_PASSWORD"}, **more}


@pytest.fixture
def come_by(tmp_path, request):
    """Returns come_by(way, password): the variables that provide a password by this way."""

    def come_by(way, password):
        file = tmp_path / "db-password"
        match way:
            case "DB_PASSWORD":
                return {"DB_PASSWORD": password}
            case "DB_PASSWORD_FILE":
                file.write_text(password + "\n")
                return {"DB_PASSWORD_FILE": str(file)}
            case "CREDENTIALS_DIRECTORY":
                file.write_text(password)
                return {"CREDENTIALS_DIRECTORY": str(tmp_path)}
            case "DB_SECRET_ID":
                moto = request.getfixturevalue("moto")
                store(moto, {"username": "items", "password": password})
                return {**AWS, "AWS_ENDPOINT_URL": moto.url}

    return come_by


class Vault:
    """Secrets Manager with one secret, on a port that stays the same while it is opened and closed."""

    def __init__(self, **fields):
        self.port, self.fields, self.server = free_port(), fields, None

    @property
    def environment(self):
        return {**AWS, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port}"}

    def open(self):
        self.server = Loopback(lambda request: (200, value(self.fields)), port=self.port)
        return self

    def close(self):
        if self.server:
            self.server.stop()
            self.server = None


@pytest.fixture
def vault():
    """Returns a factory: vault(**fields) is a closed Secrets Manager with a secret of these fields."""
    vaults = []

    def make(**fields):
        vaults.append(Vault(**fields))
        return vaults[-1]

    yield make
    for one in vaults:
        one.close()


def own_lines(server):
    """Returns the service's log lines other than access logs."""
    return [line for line in server.logs() if "response_time_ms" not in line]


def users(database):
    query = "SELECT DISTINCT usename FROM pg_stat_activity WHERE datname = %s AND usename LIKE 'items%%'"
    return {name for (name,) in database.admin.execute(query, [database.name])}


class TestPassword:
    @pytest.mark.parametrize("way", WAYS)
    @pytest.mark.parametrize("word", WORDS.values(), ids=WORDS)
    def test_of_any_characters_works_by_every_way(self, cluster, database, come_by, way, word):
        cluster.set_password(word)
        environment = without_password(database, **come_by(way, word))
        run = items("migrate", **environment)
        assert run.returncode == 0, run.stderr
        cluster.set_password(word + "x")
        run = items("migrate", **environment)
        assert run.returncode == 1 and "28P01 " in run.stderr, "the server accepted a wrong password"

    @pytest.mark.parametrize("way", WAYS)
    def test_serves_by_every_way(self, cluster, database, come_by, launch, way):
        word = "".join(WORDS.values())
        cluster.set_password(word)
        server = launch(without_password(database, **come_by(way, word))).wait_until_healthy()
        assert server.create("Let in")["id"] > 0

    @pytest.mark.parametrize("way", WAYS)
    def test_that_is_wrong_is_logged_once_and_not_shown(self, database, come_by, launch, way):
        word = "not-the-password"
        server = launch(without_password(database, **come_by(way, word))).wait_until_live()
        until(lambda: unreachable_lines(server), 5, what="the line about the database")
        for _ in range(20):
            assert server.get("/health").status_code == 503
            problem(server.get("/api/items"), 503)
        said = [line for line in own_lines(server) if line["level"] in ("WARNING", "ERROR", "CRITICAL")]
        assert [line["msg"] for line in said] == ["Database is unreachable"] and said[0]["level"] == "ERROR"
        assert said[0]["error"].startswith("28P01 ")
        assert 'password authentication failed for user "items"' in said[0]["error"]
        assert word.encode() not in b"".join(server.lines)


class TestFile:
    def replace(self, file, password):
        """Replaces the file atomically, as systemd and Kubernetes do: no reader sees a part of it."""
        fresh = file.with_suffix(".new")
        fresh.write_text(password)
        fresh.rename(file)

    @pytest.mark.parametrize("way", ["DB_PASSWORD_FILE", "CREDENTIALS_DIRECTORY"])
    def test_that_is_put_right_is_read_by_the_next_attempt(self, database, come_by, launch, tmp_path, way):
        server = launch(without_password(database, **come_by(way, "not-the-password"))).wait_until_live()
        until(lambda: unreachable_lines(server), 5, what="the line about the database")
        self.replace(tmp_path / "db-password", PASSWORD)
        wait_until_steady(server, 5)

    @pytest.mark.parametrize("way", ["DB_PASSWORD_FILE", "CREDENTIALS_DIRECTORY"])
    def test_that_is_replaced_after_a_rotation_keeps_the_service_up(
        self, cluster, database, come_by, launch, tmp_path, way
    ):
        server = launch(without_password(database, **come_by(way, PASSWORD))).wait_until_healthy()
        cluster.set_password(SECOND)
        assert server.create("On an open connection")["id"] > 0
        self.replace(tmp_path / "db-password", SECOND)
        database.end_connections()
        wait_until_steady(server)
        assert server.create("On a new connection")["id"] > 0
        assert unreachable_lines(server) == []

    def test_that_is_gone_for_a_while_is_waited_for(self, cluster, database, come_by, launch, tmp_path):
        environment = come_by("DB_PASSWORD_FILE", PASSWORD)
        server = launch(without_password(database, **environment)).wait_until_healthy()
        file = tmp_path / "db-password"
        file.unlink()
        database.end_connections()
        line = until(lambda: unreachable_lines(server), 5, what="the line about the database")[0]
        assert "DB_PASSWORD_FILE" in line["error"] and str(file) in line["error"]
        assert server.get("/health").status_code == 503
        self.replace(file, PASSWORD)
        wait_until_steady(server)


class TestSecret:
    @pytest.mark.parametrize("as_text", [True, False])
    def test_defines_the_whole_connection(self, cluster, database, launch, moto, as_text):
        port = str(cluster.port) if as_text else cluster.port
        fields = {"username": "items", "password": PASSWORD, "host": "127.0.0.1", "dbname": database.name}
        store(moto, {"engine": "postgres", "port": port, **fields})
        # The variables point to a server that does not exist.
        wrong = {"DB_HOST": "/nonexistent", "DB_PORT": "1", "DB_USER": "nobody", "DB_NAME": "nothing"}
        server = launch({**AWS, **wrong, "DB_PASSWORD": "wrong", "AWS_ENDPOINT_URL": moto.url}).wait_until_healthy()
        assert server.create("By the secret")["id"] > 0

    def test_of_credentials_alone_is_completed_by_the_variables(self, database, launch, moto):
        """RDS manages such secrets."""
        store(moto, {"username": "items_a", "password": PASSWORD})
        environment = without_password(database, DB_USER="nobody", DB_PASSWORD="wrong", AWS_ENDPOINT_URL=moto.url)
        launch({**AWS, **environment}).wait_until_healthy()
        assert users(database) == {"items_a"}

    def test_that_changes_user_and_password_at_once_is_followed(self, cluster, database, launch, moto):
        arn = store(moto, {"username": "items_a", "password": PASSWORD})
        environment = without_password(database, AWS_ENDPOINT_URL=moto.url)
        server = launch({**AWS, **environment}).wait_until_healthy()
        cluster.set_password(SECOND, "items_b")
        moto.client("secretsmanager").put_secret_value(
            SecretId=arn, SecretString=json.dumps({"username": "items_b", "password": SECOND})
        )
        cluster.set_password("third-password", "items_a")
        database.end_connections()
        wait_until_steady(server)
        assert server.create("By the other user")["id"] > 0
        # A terminated backend is listed until its process has ended.
        until(lambda: users(database) == {"items_b"}, 5, what="the former user's connections to be gone")
        assert unreachable_lines(server) == []

    def test_that_is_outdated_is_read_again_until_it_is_current(self, cluster, database, launch, vault):
        secrets = vault(username="items", password=PASSWORD).open()
        server = launch(without_password(database, **secrets.environment)).wait_until_healthy()
        cluster.set_password(SECOND)
        database.end_connections()
        lines = until(lambda: unreachable_lines(server), 5, what="the line about the database")
        assert lines[0]["error"].startswith("28P01 ") and server.get("/health").status_code == 503
        asked = len(secrets.server.requests)
        secrets.fields["password"] = SECOND
        wait_until_steady(server)
        assert len(secrets.server.requests) > asked


class TestSecretsManager:
    def test_that_is_down_at_the_start_is_waited_for(self, database, launch, vault):
        secrets = vault(username="items", password=PASSWORD)
        server = launch(without_password(database, **secrets.environment)).wait_until_live()
        line = until(lambda: unreachable_lines(server), 15, what="the line about the database")[0]
        assert line["level"] == "ERROR" and line["error"].startswith("Secrets Manager: ")
        assert server.get("/health").status_code == 503
        problem(server.get("/api/items"), 503)
        secrets.open()
        wait_until_steady(server)
        assert server.create("Late")["id"] > 0

    def test_that_goes_down_later_leaves_its_secret_in_use(self, cluster, database, launch, vault):
        secrets = vault(username="items", password=PASSWORD).open()
        server = launch(without_password(database, **secrets.environment)).wait_until_healthy()
        secrets.close()
        database.end_connections()
        wait_until_steady(server)
        # The password is refused, so the service tries to read a new secret, fails, and keeps the current one.
        cluster.set_password(SECOND)
        database.end_connections()
        kept = "Database secret not refreshed: the one in hand is used"
        until(
            lambda: [line for line in own_lines(server) if line["msg"] == kept], 10, what="the line about the secret"
        )
        assert server.get("/health").status_code == 503
        cluster.set_password(PASSWORD)
        wait_until_steady(server)
        assert server.create("By the secret in hand")["id"] > 0


class TestSecrecy:
    @pytest.mark.parametrize("way", WAYS)
    def test_shows_the_password_nowhere(self, cluster, database, come_by, launch, way):
        word = "hunter2-Ω-hunter2"
        cluster.set_password(word)
        environment = without_password(database, **come_by(way, word))
        server = launch(environment, LOG_LEVEL="debug").wait_until_healthy()
        shown = {}
        # While all is well, while the server refuses the password, and while the schema is not the expected one.
        answers = [server.get(path) for path in ("/", "/health", "/db", "/metrics", "/api/items", "/openapi.json")]
        with database.connect() as admin:
            admin.execute("ALTER TABLE items RENAME TO things")
            answers += [server.get("/api/items"), server.post("/api/items", json={"name": "Lost"})]
            assert [answer.status_code for answer in answers[-2:]] == [503, 503]
        cluster.set_password("changed")
        database.end_connections()
        # The renamed table alone may have made the database unreachable before.
        until(lambda: b"28P01" in b"".join(server.lines), 5, what="the refusal")
        answers += [server.get(path) for path in ("/health", "/db", "/metrics", "/api/items")]
        for answer in answers:
            shown[answer.url] = answer.content + repr(answer.headers).encode()
        process = pathlib.Path(f"/proc/{server.process.pid}")
        shown["cmdline"] = (process / "cmdline").read_bytes()
        if way != "DB_PASSWORD":
            shown["environ"] = (process / "environ").read_bytes()
            assert b"DB_HOST=" in shown["environ"]
        for command in ("check-config", "secret", "migrate", "healthcheck"):
            run = items(command, **environment, PORT=str(server.port))
            shown[command] = (run.stdout + run.stderr).encode()
            assert shown[command]
        shown["the server's lines"] = b"".join(server.lines)
        shown["the server's errors"] = server.errors().encode()
        assert b'"level":"DEBUG"' in shown["the server's lines"] and b"28P01" in shown["the server's lines"]
        for place, text in shown.items():
            assert b"hunter2" not in text, place
            if way == "DB_SECRET_ID" and place != "environ":  # contains the AWS credentials themselves
                assert SECRET_KEY.encode() not in text, place


class TestInstance:
    def named(self, launch, database, **variables):
        """Returns the instance's name after checking that `/`, the log and the metrics agree on it."""
        # One event loop: each of several hands over its log lines up to 50 ms after they were written.
        server = launch(without_password(database, DB_PASSWORD=PASSWORD, INSTANCE_ID=None), WORKERS="1", **variables)
        until(lambda: any(line["msg"] == "Serving" for line in server.logs()), what="the start to be over")
        name = server.get("/").json()["instance_id"]
        server.wait_for_access_log(path="/")
        lines = server.logs()
        first = next(place for place, line in enumerate(lines) if line["msg"] == "Serving")
        assert {line["instance_id"] for line in lines[first:]} == {name}
        assert re.search(rf'^service_info{{[^}}]*instance_id="{re.escape(name)}"', server.get("/metrics").text, re.M)
        return name

    def ecs(self, request):
        task = "arn:aws:ecs:eu-west-1:123456789012:task/items/0123456789abcdef0123456789abcdef"
        return (200, json.dumps({"TaskARN": task, "Family": "items"})) if request.path == "/v4/x/task" else (404, "")

    def test_is_named_by_its_metadata_service(self, database, launch, loopback):
        endpoint = loopback(imds).url
        assert self.named(launch, database, AWS_EC2_METADATA_SERVICE_ENDPOINT=endpoint) == INSTANCE

    def test_is_named_by_the_task_where_there_is_no_instance(self, database, launch, loopback):
        uri = loopback(self.ecs).url + "/v4/x"
        name = self.named(launch, database, ECS_CONTAINER_METADATA_URI_V4=uri, AWS_EC2_METADATA_DISABLED="true")
        assert name == "0123456789abcdef0123456789abcdef"

    def test_prefers_the_instance_to_the_task(self, database, launch, loopback):
        both = {
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": loopback(imds).url,
            "ECS_CONTAINER_METADATA_URI_V4": loopback(self.ecs).url + "/v4/x",
        }
        assert self.named(launch, database, **both) == INSTANCE

    def test_prefers_the_variable_to_all_metadata(self, database, launch, loopback):
        metadata = loopback(imds)
        name = self.named(
            launch, database, INSTANCE_ID="chosen", AWS_EC2_METADATA_SERVICE_ENDPOINT=metadata.url
        )
        assert name == "chosen" and metadata.requests == []

    def test_has_the_hosts_name_without_metadata(self, database, launch, loopback):
        nobody = loopback(lambda request: (404, "")).url
        name = self.named(
            launch,
            database,
            AWS_EC2_METADATA_SERVICE_ENDPOINT=nobody,
            ECS_CONTAINER_METADATA_URI_V4=nobody,
        )
        assert name == pathlib.Path("/proc/sys/kernel/hostname").read_text().strip()
