"""What the end-to-end tests stand on: a real PostgreSQL, the release binary, and clients over real sockets."""

from support.fixtures import binary, cluster, database, launch, module_database, own_cluster, server  # noqa: F401
