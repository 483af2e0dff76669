"""Ports for servers that tests start, also when several test processes run at the same time."""

import contextlib
import os
import random
import re
import socket

# Below the range that the kernel takes the ports of outgoing connections from: between the choice of a port and its use,
# no client may take it. A test process has a share of its own, so that no other chooses the same.
FIRST, SHARE, SHARES = 10_000, 2_000, 11

worker = int(re.sub(r"\D", "", os.environ.get("PYTEST_XDIST_WORKER", "")) or random.randrange(SHARES)) % SHARES
offset = random.randrange(SHARE)


def free_port(*addresses):
    """A port that is free on all of these addresses, by default on 127.0.0.1. None is given out twice."""
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
