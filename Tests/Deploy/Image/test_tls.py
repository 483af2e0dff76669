"""The way to a database that takes TLS alone: with the bundle in the image, with one mounted, and with none."""

import pytest

from cluster import until
from conftest import BUNDLE, reaching


def encrypted(cluster):
    """One value for each connection of the service: whether it is encrypted."""
    query = "SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename = 'items'"
    return [value for (value,) in cluster.execute(query)]


def reason(container):
    """Why the service has no database; it serves all the same."""
    container.wait_until_live()

    def told():
        return [line for line in container.messages() if line["msg"] == "Database is unreachable"]

    return until(told, 10, "the line about the database")[0]["error"]


@pytest.fixture
def bundle(authority):
    """Options that mount the authority's certificate at the bundle's place."""
    return ["--volume", f"{authority.certificate}:{BUNDLE}:ro"]


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

    def test_trusts_nobody_where_the_bundle_it_is_told_of_is_missing(self, start, image, encrypted_cluster):
        container = start(image, {**reaching(encrypted_cluster), "DB_SSLROOTCERT": BUNDLE})
        assert BUNDLE in reason(container)
