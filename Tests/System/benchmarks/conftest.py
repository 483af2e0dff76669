import dataclasses

import pytest

from bench.record import Record
from bench.sample import Sample

QUIET = Sample(
    program="items",
    workload="item",
    connections=64,
    rows=10000,
    rate=1000.0,
    p50_ms=0.5,
    p99_ms=1.5,
    p999_ms=2.5,
    max_ms=9.0,
    server_cpu=0.01,
    postgres_cpu=0.004,
    client_cores=0.5,
    other_cores=0.02,
    resident_mib=25.0,
    proportional_mib=20.0,
    database_connections=2,
    refused=0,
    socket_errors=0,
)


@pytest.fixture
def sample():
    """Returns a factory of samples that are neither void nor noisy; keyword arguments replace fields."""
    return lambda **different: dataclasses.replace(QUIET, **different)


@pytest.fixture
def record():
    """Returns a factory of records: record(*samples)."""

    def make(*samples):
        titles = {"items": "items", "cfloor": "bare loop", "hyper": "hyper <0.14>", "go": "Go"}
        return Record(options={}, machine={}, titles=titles, samples=list(samples))

    return make
