"""Ports for servers under test, also for concurrent test processes."""

import contextlib
import os
import random
import re
import socket

# Below the range of ephemeral ports: otherwise a client could take a port between its choice and its use. Each test
# process has its own share of the ports, so that no two choose the same.
FIRST, SHARE, SHARES = 10_000, 2_000, 11

worker = int(re.sub(r"\D", "", os.environ.get("PYTEST_XDIST_WORKER", "")) or random.randrange(SHARES)) % SHARES
offset = random.randrange(SHARE)


def free_port(*addresses):
    """Returns a port that is free on all of these addresses, by default on 127.0.0.1. Does not repeat one until its
    share is exhausted."""
    global offset
    for _ in range(SHARE):
        offset += 1
        port = FIRST + worker * SHARE + offset % SHARE
        with contextlib.ExitStack() as stack:
            try:
                for address in addresses or ("127.0.0.1",):
                    stack.enter_context(socket.socket()).bind((address, port))
                return port
            except OSError:
                continue
    raise OSError("no port is free")
