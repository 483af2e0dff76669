"""TLS to the database: certificate verification, the reported reason of a failure, and complete reads of batches."""

import concurrent.futures
import subprocess
import time

import pytest
import requests
from network import (  # noqa: F401, fixtures
    NetworkDatabase,
    attempts,
    authority,
    directory,
    network_cluster,
    stranger,
    unreachable_lines,
    wait_until_steady,
)
from records import RecordProxy

from support.certificates import Authority, openssl, serial
from support.server import problem
from support.waiting import until

ACCESS = """local all all trust
hostssl all all 127.0.0.0/8 scram-sha-256
"""
CLIENTS = 64


@pytest.fixture(scope="module")
def cluster(authority):
    """Accepts TLS connections only, with a certificate for `localhost` and for no address."""

    def prepare(cluster):
        cluster.install(*authority.issue("localhost"))

    with network_cluster(ACCESS, prepare, ssl="on") as cluster:
        yield cluster


@pytest.fixture
def database(cluster):
    database = NetworkDatabase(cluster)
    yield database
    database.drop()


@pytest.fixture(scope="module")
def plain_cluster():
    """A cluster without TLS."""
    with network_cluster() as cluster:
        yield cluster


@pytest.fixture
def large_records(plain_cluster, authority, directory):
    """A TLS proxy with large records, and the variables with which a service connects to it."""
    certificate, key = directory / "proxy.pem", directory / "proxy.key"
    for file, text in zip((certificate, key), authority.issue("localhost")):
        file.write_text(text)
    database = NetworkDatabase(plain_cluster)
    proxy = RecordProxy(("127.0.0.1", plain_cluster.port), certificate, key)
    trust = {"DB_PORT": str(proxy.port), "DB_SSLROOTCERT": str(authority.certificate)}
    yield proxy, {**database.environment, **trust}
    proxy.close()
    database.drop()


def encryption(database):
    """Returns for each of the service's connections whether it is encrypted."""
    query = "SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE datname = %s AND usename = 'items'"
    return [row[0] for row in database.admin.execute(query, [database.name])]


def assert_serves(server, name="Over TLS"):
    item = server.create(name, "described")
    assert server.get(f"/api/items/{item['id']}").json() == item
    assert item in server.get("/api/items").json()["items"]


def refusal(server):
    """Returns the reason of a service that cannot connect. Checks that it is logged once and that requests get 503."""
    server.wait_until_live()
    lines = until(lambda: unreachable_lines(server), 5, what="the line about the database")
    assert server.get("/health").status_code == 503
    problem(server.get("/api/items"), 503)
    time.sleep(0.3)  # time for more attempts, which must log nothing
    assert len(unreachable_lines(server)) == len(lines) == 1 and lines[0]["level"] == "ERROR"
    return lines[0]["error"]


class TestVerification:
    def test_in_full_serves_over_tls(self, database, launch, authority):
        mode = {"DB_SSLMODE": "verify-full", "DB_SSLROOTCERT": str(authority.certificate)}
        server = launch(database.environment, **mode).wait_until_healthy()
        assert_serves(server)
        rows = encryption(database)
        assert rows and all(rows)

    def test_is_in_full_where_only_the_authority_is_named(self, database, launch, authority):
        trust = {"DB_SSLROOTCERT": str(authority.certificate)}
        assert_serves(launch(database.environment, **trust).wait_until_healthy())
        # The certificate contains no address, which only full verification checks.
        reason = refusal(launch(database.environment, **trust, DB_HOST="127.0.0.1"))
        assert 'certificate for "localhost"' in reason and 'does not match host name "127.0.0.1"' in reason

    def test_by_authority_only_accepts_another_host_name(self, database, launch, authority):
        by_address = {"DB_HOST": "127.0.0.1", "DB_SSLROOTCERT": str(authority.certificate)}
        assert_serves(launch(database.environment, **by_address, DB_SSLMODE="verify-ca").wait_until_healthy())
        assert all(encryption(database))

    @pytest.mark.parametrize("mode", ["verify-ca", "verify-full"])
    def test_refuses_another_authority(self, database, launch, stranger, mode):
        trust = {"DB_SSLMODE": mode, "DB_SSLROOTCERT": str(stranger.certificate)}
        assert "certificate verify failed" in refusal(launch(database.environment, **trust))
        assert encryption(database) == []

    def test_that_fails_is_tried_again_at_a_bounded_rate(self, cluster, database, launch, stranger):
        mark = cluster.mark()
        server = launch(database.environment, DB_SSLROOTCERT=str(stranger.certificate), LOG_LEVEL="debug")
        refusal(server)
        before = len(attempts(server))
        with requests.Session() as session:
            end = time.monotonic() + 2
            while time.monotonic() < end:  # the worst case: requests arrive continuously
                assert session.get(server.url + "/api/items").status_code == 503
        # Two loops, a pause of 0.25 s on average at its limit, and the shorter pauses before it.
        assert 2 <= len(attempts(server)) - before <= 40
        received = cluster.since(mark).count("connection received: host=127.0.0.1")
        assert abs(received - len(attempts(server))) <= 2, "the server received more than one connection per attempt"

    def test_takes_a_bundle_of_many_authorities(self, database, launch, directory, authority, stranger):
        others = [Authority(directory, f"region-{number}") for number in range(5)]
        bundle = directory / "bundle.pem"
        bundle.write_text("".join(one.certificate.read_text() for one in [stranger, *others[:3], authority, *others[3:]]))
        assert_serves(launch(database.environment, DB_SSLROOTCERT=str(bundle)).wait_until_healthy())
        bundle.write_text("".join(one.certificate.read_text() for one in [stranger, *others]))
        assert "certificate verify failed" in refusal(launch(database.environment, DB_SSLROOTCERT=str(bundle)))


class TestMode:
    @pytest.mark.parametrize("mode", [None, "allow", "prefer", "require"])
    def test_without_verification_encrypts(self, database, launch, mode):
        assert_serves(launch(database.environment, DB_SSLMODE=mode).wait_until_healthy())
        assert all(encryption(database))

    def test_disable_is_refused_in_the_servers_words(self, database, launch):
        reason = refusal(launch(database.environment, DB_SSLMODE="disable"))
        assert reason.startswith("28000 ") and "no pg_hba.conf entry" in reason and "no encryption" in reason

    def test_prefer_reports_the_wrong_password_and_not_the_attempt_without_tls(self, database, launch):
        reason = refusal(launch(database.environment, DB_PASSWORD="not-the-password"))
        assert reason.startswith("28P01 ") and 'password authentication failed for user "items"' in reason

    def test_require_with_an_authority_verifies_it(self, database, launch, stranger):
        """libpq also verifies when DB_SSLROOTCERT is set."""
        trust = {"DB_SSLMODE": "require", "DB_SSLROOTCERT": str(stranger.certificate)}
        assert "certificate verify failed" in refusal(launch(database.environment, **trust))


class TestCertificate:
    @pytest.fixture
    def present(self, cluster, authority):
        """Returns present(certificate, key): new connections get this certificate until the test ends."""

        def present(certificate, key):
            cluster.install(certificate, key)
            cluster.reload()

        yield present
        present(*authority.issue("localhost"))

    def test_that_expired_is_refused_until_it_is_renewed(self, database, launch, authority, present):
        present(*authority.issue("localhost", expired=True))
        server = launch(database.environment, DB_SSLROOTCERT=str(authority.certificate))
        assert "certificate verify failed" in refusal(server)
        present(*authority.issue("localhost"))
        wait_until_steady(server)
        assert_serves(server)

    def test_for_another_host_is_refused(self, database, launch, authority, present):
        present(*authority.issue("db.example", "db-replica.example"))
        reason = refusal(launch(database.environment, DB_SSLROOTCERT=str(authority.certificate)))
        assert "db.example" in reason and 'does not match host name "localhost"' in reason

    def test_may_name_several_hosts(self, database, launch, authority, present):
        present(*authority.issue("db.example", "localhost"))
        trust = {"DB_SSLROOTCERT": str(authority.certificate)}
        assert_serves(launch(database.environment, **trust).wait_until_healthy())

    def test_renewed_with_a_restart_of_the_server_needs_none_of_the_service(self, cluster, database, launch, authority):
        trust = {"DB_SSLROOTCERT": str(authority.certificate)}
        server = launch(database.environment, **trust).wait_until_healthy()
        assert_serves(server)
        certificate, key = authority.issue("localhost")
        cluster.stop("fast")
        until(lambda: server.get("/health").status_code == 503, 5, what="the outage to be reported")
        cluster.install(certificate, key)
        cluster.start()
        database.admin = cluster.connect()
        wait_until_steady(server)
        assert_serves(server, "After the restart")
        assert all(encryption(database)) and presented(cluster) == serial(certificate)


def presented(cluster):
    """Returns the serial number of the certificate that the server presents now."""
    text = openssl("s_client", "-connect", f"127.0.0.1:{cluster.port}", "-starttls", "postgres", text="")
    return serial(text[text.index("-----BEGIN") : text.index("-----END CERTIFICATE-----") + 26])


@pytest.fixture(scope="module")
def undrained(tmp_path_factory):
    """The environment of a process in which SSL_pending always returns 0.

    Newer libpq versions call it and continue to read; older ones leave the rest of a record in the TLS library.
    """
    directory = tmp_path_factory.mktemp("preload")
    source, library = directory / "pending.c", directory / "pending.so"
    source.write_text("int SSL_pending(const void *ssl) { (void)ssl; return 0; }\n")
    subprocess.run(["clang", "-shared", "-fPIC", "-o", library, source], check=True)
    return {"LD_PRELOAD": str(library)}


class TestBatches:
    """When the TLS library has decrypted the data, the socket does not become readable for it."""

    def test_of_many_clients_are_all_answered(self, database, launch, authority):
        environment = {"DB_SSLROOTCERT": str(authority.certificate), "WORKERS": "1", "DB_POOL_MAX": "2"}
        server = launch(database.environment, **environment).wait_until_healthy()
        many_clients(server)
        rows = database.connect().execute("SELECT count(*), count(DISTINCT xmin::text) FROM items").fetchone()
        assert rows[0] == CLIENTS * 5 and rows[1] < rows[0], "no two creates shared a transaction"

    # Descriptions of a few bytes and of more than one record, for which libpq's buffer grows.
    @pytest.mark.parametrize("description", ["short", "d" * 2000, "😀" * 10_000], ids=["short", "medium", "long"])
    def test_are_answered_from_the_largest_records(self, large_records, launch, undrained, description):
        proxy, environment = large_records
        server = launch(environment, **undrained, DB_POOL_MAX="2", WORKERS="1").wait_until_healthy()
        many_clients(server, 2, description)
        assert len(description) < 100 or proxy.largest == 16384

    def test_that_end_with_a_full_record_are_read_to_the_end(self, large_records, launch, undrained):
        """Two reads of the socket's data may end within a record; the socket does not become readable for its rest."""
        proxy, environment = large_records
        server = launch(environment, **undrained, WORKERS="1").wait_until_healthy()
        for number in range(9):
            server.create(f"Item {number}", "d" * 2000)
        for limit in range(1, 10):  # the last record is partial for some limits and full for others
            page = server.get(f"/api/items?limit={limit}")
            assert page.status_code == 200 and len(page.json()["items"]) == limit, page.text
        assert proxy.largest == 16384


def many_clients(server, rounds=5, description="d" * 2000):
    """Creates and lists with 64 clients at once; each response must be correct and in time."""
    limit = 5 if len(description) > 5000 else 200

    def client(number):
        with requests.Session() as session:
            for turn in range(rounds):
                name = f"Client {number}, {turn}"
                item = session.post(
                    f"{server.url}/api/items", json={"name": name, "description": description}, timeout=10
                )
                assert item.status_code == 201 and item.json()["name"] == name, item.text
                page = session.get(f"{server.url}/api/items?limit={limit}&order=desc", timeout=10)
                assert page.status_code == 200, page.text
                assert all(one["description"] == description for one in page.json()["items"])

    with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(client, range(CLIENTS)))
