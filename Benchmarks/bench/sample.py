"""One measurement of one workload, and medians of several."""

import dataclasses
import statistics
import time

from . import load, process

# CPU use by other programs, in cores, above which a sample counts as noisy.
NOISE_CORES = 0.15


@dataclasses.dataclass(frozen=True)
class Sample:
    program: str
    workload: str
    connections: int
    rows: int
    rate: float
    p50_ms: float
    p99_ms: float
    p999_ms: float
    max_ms: float
    server_cpu: float  # CPU seconds per 1,000 requests; likewise postgres_cpu
    postgres_cpu: float
    client_cores: float
    other_cores: float  # used by neither the server, PostgreSQL nor wrk
    resident_mib: float
    proportional_mib: float
    database_connections: int
    refused: int
    socket_errors: int

    @property
    def is_void(self):
        """A void sample is not comparable: error responses and lost connections cost less than correct responses."""
        return self.refused + self.socket_errors > 0

    @property
    def is_noisy(self):
        return self.other_cores > NOISE_CORES

    @property
    def key(self):
        return self.workload, self.rows, self.connections, self.program


def measure(server, cluster, workload, connections, rows, seconds, warm_up):
    if warm_up:
        load.run(server.port, workload, connections, warm_up, rows)
    server.empty_log()
    began, machine = time.monotonic(), process.machine_seconds()
    own, postgres = server.cpu_seconds(), cluster.cpu_seconds()
    told = load.run(server.port, workload, connections, seconds, rows)
    own, postgres = server.cpu_seconds() - own, cluster.cpu_seconds() - postgres
    machine, passed = process.machine_seconds() - machine, time.monotonic() - began
    memory = server.memory()
    thousands = max(told.requests, 1) / 1000
    return Sample(
        program=server.program.name,
        workload=workload.name,
        connections=connections,
        rows=rows,
        rate=told.rate,
        p50_ms=told.p50_ms,
        p99_ms=told.p99_ms,
        p999_ms=told.p999_ms,
        max_ms=told.max_ms,
        server_cpu=own / thousands,
        postgres_cpu=postgres / thousands,
        client_cores=told.client_cpu_seconds / passed,
        other_cores=max(0.0, machine - own - postgres - told.client_cpu_seconds) / passed,
        resident_mib=memory.resident / 1024,
        proportional_mib=memory.proportional / 1024,
        database_connections=cluster.connections(),
        refused=told.refused,
        socket_errors=told.socket_errors,
    )


@dataclasses.dataclass(frozen=True)
class Summary:
    """The medians of the valid samples of one program and workload."""

    samples: tuple

    @property
    def valid(self):
        return [sample for sample in self.samples if not sample.is_void]

    @property
    def void(self):
        return [sample for sample in self.samples if sample.is_void]

    @property
    def noisy(self):
        return [sample for sample in self.valid if sample.is_noisy]

    def median(self, name):
        """Returns None when no sample is valid."""
        values = [getattr(sample, name) for sample in self.valid]
        return statistics.median(values) if values else None

    @property
    def spread(self):
        rates = [sample.rate for sample in self.valid]
        return (min(rates), max(rates)) if rates else None

    @property
    def remarks(self):
        """Returns remarks on void and noisy samples, or an empty string."""
        words = []
        if self.void:
            refused = sum(sample.refused for sample in self.void)
            lost = sum(sample.socket_errors for sample in self.void)
            words.append(f"{len(self.void)} void: {refused} not 2xx, {lost} socket errors")
        if self.noisy:
            most = max(sample.other_cores for sample in self.noisy)
            words.append(f"{len(self.noisy)} of {len(self.valid)} noisy: others used {most:.2f} cores")
        return "; ".join(words)


def summaries(samples):
    """Groups samples by workload, rows, connections and program, in the order of their first samples."""
    groups = {}
    for sample in samples:
        groups.setdefault(sample.key, []).append(sample)
    return {key: Summary(tuple(group)) for key, group in groups.items()}
