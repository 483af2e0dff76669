"""gunicorn with threads: its default worker closes every connection after one request."""

import os

bind = "127.0.0.1:" + os.environ.get("PORT", "5001")
# A thread uses at most one database connection, so at most 9 of the 10 that each server may have. The usual 2 x cores +
# 1 workers with 2 threads each were slower on the routes with a query when PostgreSQL shares two cores with them.
workers = 3
threads = 3
worker_class = "gthread"
keepalive = 75
backlog = 2048
worker_tmp_dir = "/dev/shm"
loglevel = "warning"
raw_env = [f"POOL_SIZE={threads}"]
