"""What the end-to-end tests stand on: a real PostgreSQL, the release binary, and clients over real sockets."""

from support.fixtures import binary, cluster, database, launch, module_database, own_cluster, server  # noqa: F401

# The files that take longest, begun first: in the end no process works on one of them while the others have nothing to do.
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
