"""Samples the server's list of connections and the service's sockets while the load runs."""

import contextlib
import threading
import time

import psycopg

INTERVAL = 0.005

# The number of the service's backends, and the age in seconds of their oldest running statement.
QUERY = """
SELECT count(*), coalesce(extract(epoch FROM max(clock_timestamp() - query_start) FILTER (WHERE state = 'active')), 0)
FROM pg_stat_activity WHERE usename LIKE 'items%' AND backend_type = 'client backend'
"""


class Observer:
    """Samples until `stop`. A failed sample is counted and retried, so sampling resumes when the
    server responds again."""

    def __init__(self, clusters, service, ports):
        self.clusters, self.service, self.ports = clusters, service, ports
        self.connections = self.sockets = self.samples = self.failed_samples = 0
        self.oldest_statement = 0.0
        self.ending = threading.Event()
        self.threads = [threading.Thread(target=self._watch_sockets, daemon=True)]
        self.threads += [threading.Thread(target=self._watch, args=[cluster], daemon=True) for cluster in clusters]
        for thread in self.threads:
            thread.start()

    def _watch(self, cluster):
        admin = None
        while not self.ending.wait(INTERVAL):
            try:
                admin = admin or cluster.connect()
                count, age = admin.execute(QUERY).fetchone()
                self.connections = max(self.connections, count)
                self.oldest_statement = max(self.oldest_statement, float(age))
                self.samples += 1
            except psycopg.Error:
                self.failed_samples += 1
                if admin is not None:
                    admin.close()
                admin = None
        if admin is not None:
            admin.close()

    def _watch_sockets(self):
        while not self.ending.wait(4 * INTERVAL):
            with contextlib.suppress(OSError):
                self.sockets = max(self.sockets, self.service.descriptors(self.ports)["database"])

    def stop(self):
        self.ending.set()
        deadline = time.monotonic() + 10
        for thread in self.threads:
            thread.join(max(0.1, deadline - time.monotonic()))
