"""Fixtures of the end-to-end tests: a real PostgreSQL, the release binary, and clients over real sockets."""

from support.fixtures import binary, cluster, database, launch, module_database, own_cluster, server  # noqa: F401

# The slowest files, run first, so that no worker process is left with one of them at the end.
LONG = [
    "test_credentials",
    "test_kept_tables",
    "test_commits",
    "test_memory_limit",
    "test_start",
    "test_floods",
    "test_tls",
    "test_pooler",
    "test_hostile",
    "test_migrations",
    "test_health",
    "test_drain",
    "test_pool",
    "test_libpq_environment",
]


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: LONG.index(item.path.stem) if item.path.stem in LONG else len(LONG))
