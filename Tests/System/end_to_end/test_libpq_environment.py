"""libpq's own environment variables and files have no effect: only the `DB_*` variables define the connection."""

import pathlib

import pytest
from network import PASSWORD, NetworkDatabase, authority, directory, network_cluster, stranger, unreachable_lines  # noqa: F401, fixtures

from support.server import items
from support.waiting import until

# Accepts connections with and without TLS, so that the client alone decides.
ACCESS = """local all all trust
host all all 127.0.0.0/8 scram-sha-256
"""

# Each variable alone prevents libpq from connecting, or changes the connection.
VARIABLES = {
    "PGHOSTADDR": "127.0.0.5",
    "PGSERVICE": "no-such-service",
    "PGOPTIONS": "-c default_transaction_read_only=on",
    "PGTZ": "No/Such/Zone",
    "PGDATESTYLE": "none",
    "PGGEQO": "none",
    "PGSSLCERT": "/proc/self/mem",
    "PGSSLROOTCERT": "/proc/self/mem",
    "PGSSLCRL": "/proc/self/mem",
    "PGSSLMINPROTOCOLVERSION": "TLSv9",
    "PGSSLMAXPROTOCOLVERSION": "TLSv1",
    "PGGSSENCMODE": "require",
    "PGCHANNELBINDING": "no-such-mode",
    "PGTARGETSESSIONATTRS": "standby",
    "PGREQUIREAUTH": "md5",
    "PGREQUIRESSL": "1",
    "PGSSLMODE": "no-such-mode",
    "PGCLIENTENCODING": "no-such-encoding",
    "PGUSER": "nobody",
    "PGDATABASE": "nothing",
    "PGHOST": "/nowhere",
    "PGPORT": "1",
    "PGPASSWORD": "not-the-password",
    "PGPASSFILE": "/proc/self/mem",
    "PGCONNECT_TIMEOUT": "none",
    "PGSSLNEGOTIATION": "direct",
    "PGSSLCERTMODE": "require",
    "PGLOADBALANCEHOSTS": "none",
    "PGMAXPROTOCOLVERSION": "none",
}


@pytest.fixture(scope="module")
def cluster(authority):
    """Offers TLS with a certificate for `localhost`, and does not require it."""

    def prepare(cluster):
        cluster.install(*authority.issue("localhost"))

    with network_cluster(ACCESS, prepare, ssl="on") as cluster:
        yield cluster


@pytest.fixture
def database(cluster):
    database = NetworkDatabase(cluster)
    yield database
    database.drop()


@pytest.fixture
def home(tmp_path):
    """A home directory with a directory for libpq's files."""
    (tmp_path / ".postgresql").mkdir(mode=0o700)
    return tmp_path


def connections(database):
    """Returns (application_name, whether TLS is used) of each of the service's connections."""
    query = """SELECT application_name, ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
               WHERE datname = %s AND usename = 'items'"""
    return database.admin.execute(query, [database.name]).fetchall()


def assert_serves_over_tls(database, server):
    server.wait_until_healthy()
    assert server.create("Over TLS")["id"] > 0
    found = connections(database)
    assert found and set(found) == {("items", True)}


def refusal(server):
    """Returns the logged reason why the service cannot connect to its database."""
    server.wait_until_live()
    lines = until(lambda: unreachable_lines(server), 10, what="the line about the database")
    assert server.get("/health").status_code == 503
    return lines[0]["error"]


class TestVariables:
    @pytest.mark.parametrize("name", VARIABLES)
    def test_one_alone_changes_nothing(self, database, name):
        run = items("migrate", **database.environment, **{name: VARIABLES[name]})
        assert run.returncode == 0, run.stdout + run.stderr

    def test_all_together_change_nothing_and_are_reported(self, database, launch):
        server = launch(database.environment, PGAPPNAME="another", **VARIABLES)
        assert_serves_over_tls(database, server)
        warnings = [line["msg"] for line in server.logs() if line["level"] == "WARNING"]
        assert any("PGHOSTADDR" in line and "PGOPTIONS" in line for line in warnings), warnings

    def test_are_reported_by_the_check_command(self, database):
        given = {"PGHOSTADDR": "127.0.0.5", "PGPASSWORD": "never-shown", "SSLKEYLOGFILE": "/dev/null"}
        run = items("check-config", **database.environment, **given)
        assert run.returncode == 0, run.stderr
        assert "warning: PGHOSTADDR, PGPASSWORD, SSLKEYLOGFILE: " in run.stderr and "never-shown" not in run.stdout + run.stderr

    def test_do_not_provide_the_password(self, database):
        environment = {**database.environment, "DB_PASSWORD": None}
        environment = {name: value for name, value in environment.items() if value is not None}
        assert items("migrate", **environment, PGPASSWORD=PASSWORD).returncode == 1


class TestFiles:
    @pytest.mark.parametrize("name", ["postgresql.crt", "postgresql.key", "root.crt", "root.crl"])
    @pytest.mark.parametrize("kind", ["directory", "garbage"])
    def test_that_are_invalid_leave_tls_on(self, database, launch, home, name, kind):
        file = home / ".postgresql" / name
        if kind == "directory":
            file.mkdir(mode=0)
        else:
            file.write_text("garbage\n")
        assert_serves_over_tls(database, launch(database.environment, HOME=str(home)))

    def test_of_another_authority_are_ignored(self, database, launch, home, stranger):
        certificate, key = stranger.issue("items")
        for name, text in (
            ("root.crt", stranger.certificate.read_text()),
            ("postgresql.crt", certificate),
            ("postgresql.key", key),
        ):
            file = home / ".postgresql" / name
            file.write_text(text)
            file.chmod(0o600)
        assert_serves_over_tls(database, launch(database.environment, HOME=str(home)))

    def test_do_not_provide_the_password(self, database, home):
        environment = {name: value for name, value in database.environment.items() if name != "DB_PASSWORD"}
        file = home / ".pgpass"
        file.write_text(f"*:*:*:*:{PASSWORD}\n")
        file.chmod(0o600)
        run = items("migrate", **environment, HOME=str(home))
        assert run.returncode == 1 and "password" in run.stderr
        assert str(home) not in run.stderr

    def test_do_not_define_a_service(self, database, home):
        (home / ".pg_service.conf").write_text("[elsewhere]\nhostaddr=127.0.0.5\n")
        run = items("migrate", **database.environment, HOME=str(home), PGSERVICE="elsewhere", PGSYSCONFDIR=str(home))
        assert run.returncode == 0, run.stderr

    def test_in_the_home_directory_are_not_used_as_authority(self, database, home, authority):
        pathlib.Path(home / ".postgresql/root.crt").write_text(authority.certificate.read_text())
        run = items("check-config", **database.environment, HOME=str(home), DB_SSLMODE="verify-full")
        assert run.returncode == 78 and "DB_SSLROOTCERT" in run.stderr


class TestPrefer:
    def test_is_tls_where_the_server_offers_it(self, database, launch):
        assert_serves_over_tls(database, launch(database.environment))

    def test_does_not_fall_back_when_the_tls_handshake_fails(self, database, launch, stranger):
        """The handshake fails because DB_SSLROOTCERT is another authority's certificate."""
        trust = {"DB_SSLMODE": "prefer", "DB_SSLROOTCERT": str(stranger.certificate)}
        assert "certificate verify failed" in refusal(launch(database.environment, **trust))
        assert connections(database) == []

    def test_sends_no_password_twice(self, cluster, database):
        mark = cluster.mark()
        environment = {**database.environment, "DB_PASSWORD": "not-the-password"}
        assert items("migrate", **environment).returncode == 1
        assert cluster.since(mark).count("password authentication failed") == 1
