"""TLS to the database, with the bundle in the image, with one mounted and with none; and to Secrets Manager."""

import http.server
import pathlib
import shutil
import ssl
import threading

import pytest
from container import HARDENED

from conftest import BUNDLE, reaching
from support.waiting import until


def encrypted(cluster):
    """One value for each connection of the service: whether it is encrypted."""
    query = "SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename = 'items'"
    return [value for (value,) in cluster.execute(query)]


def reason(container):
    """Why the service has no database; it serves all the same."""
    container.wait_until_live()

    def told():
        return [line for line in container.messages() if line["msg"] == "Database is unreachable"]

    return until(told, 10, what="the line about the database")[0]["error"]


@pytest.fixture
def bundle(authority):
    """Options that mount a directory with the authority's certificate over the bundle's."""
    place = pathlib.PurePath(BUNDLE)
    directory = authority.directory / "mounted"
    directory.mkdir(exist_ok=True)
    shutil.copy(authority.certificate, directory / place.name)
    return ["--volume", f"{directory}:{place.parent}:ro"]


class TestImageWithTheBundle:
    def test_verifies_the_database_in_full_without_a_setting(self, start, bundle_image, encrypted_cluster):
        container = start(bundle_image, reaching(encrypted_cluster)).wait_until_healthy()
        container.create("Over TLS")
        rows = encrypted(encrypted_cluster)
        assert rows and all(rows)

    def test_refuses_a_database_of_another_name(self, start, bundle_image, encrypted_cluster):
        environment = {**reaching(encrypted_cluster), "DB_HOST": "127.0.0.1"}
        assert 'does not match host name "127.0.0.1"' in reason(start(bundle_image, environment))

    def test_refuses_a_database_without_tls(self, start, bundle_image, cluster):
        assert "server does not support SSL" in reason(start(bundle_image, reaching(cluster)))

    def test_reaches_one_without_tls_when_the_variable_is_emptied(self, start, bundle_image, cluster):
        start(bundle_image, {**reaching(cluster), "DB_SSLROOTCERT": ""}).wait_until_healthy()


class TestImageWithoutTheBundle:
    def test_reaches_a_database_without_tls(self, container):
        assert container.healthcheck() == 0

    def test_takes_a_bundle_that_is_mounted(self, start, image, encrypted_cluster, bundle):
        environment = {**reaching(encrypted_cluster), "DB_SSLROOTCERT": BUNDLE}
        start(image, environment, bundle).wait_until_healthy()
        environment["DB_HOST"] = "127.0.0.1"
        assert "does not match host name" in reason(start(image, environment, bundle))

    def test_refuses_to_start_when_the_configured_bundle_is_missing(self, start, image, encrypted_cluster):
        container = start(image, {**reaching(encrypted_cluster), "DB_SSLROOTCERT": BUNDLE})
        until(lambda: not container.state["Running"], 10, what="its end")
        assert container.state["ExitCode"] == 78 and "DB_SSLROOTCERT must name a readable file" in container.logs()


class Listener(http.server.BaseHTTPRequestHandler):
    """Answers as Secrets Manager does about a secret that there is not."""

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        body = b'{"__type":"ResourceNotFoundException","Message":"none"}'
        self.send_response(400)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def secrets_manager(authority):
    """The URL of an HTTPS server with a certificate of the tests' authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    chain, key = authority.directory / "https.pem", authority.directory / "https.key"
    for file, text in zip((chain, key), authority.issue("localhost")):
        file.write_text(text)
    context.load_cert_chain(chain, key)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Listener)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield f"https://localhost:{server.server_address[1]}"
    server.shutdown()
    thread.join(5)
    server.server_close()


class TestSecretsManager:
    @pytest.fixture
    def ask(self, engine, image, secrets_manager, bundle):
        def ask(**more):
            variables = {
                "AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret",
                "AWS_ENDPOINT_URL_SECRETS_MANAGER": secrets_manager, "DB_SECRET_ID": "items-test-database", **more,
            }  # fmt: skip
            words = [f"--env={name}={value}" for name, value in variables.items()]
            return engine.attempt("podman", "run", "--rm", *HARDENED, *bundle, *words, image, "secret")

        return ask

    def test_is_trusted_by_the_authorities_in_the_image_alone(self, ask):
        done = ask()
        assert done.returncode == 1 and "certificate" in done.stderr and "none" not in done.stderr

    def test_is_reached_over_tls(self, ask):
        done = ask(AWS_CA_BUNDLE=BUNDLE)
        assert done.returncode == 1 and "there is no such secret" in done.stderr
