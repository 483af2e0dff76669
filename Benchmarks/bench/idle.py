"""Connections that are used for one request and then kept open without requests."""

import contextlib
import http.client
import selectors
import socket
import time

from .failure import Failure

REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
# Connections opened at a time; more would overflow the accept queue.
WAVE = 256
WAVE_SECONDS = 20


class IdleConnections:
    """A context manager. When the block begins, each connection has received a response."""

    def __init__(self, port, count):
        self.port, self.count, self.sockets = port, count, []

    def __enter__(self):
        try:
            while len(self.sockets) < self.count:
                self.open(min(WAVE, self.count - len(self.sockets)))
        except OSError as error:
            opened = len(self.sockets)
            self.close()
            raise Failure(f"no more than {opened:,} connections: {error}") from None
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def open(self, count):
        with selectors.DefaultSelector() as waiting:
            for _ in range(count):
                opened = socket.create_connection(("127.0.0.1", self.port), timeout=WAVE_SECONDS)
                self.sockets.append(opened)
                opened.sendall(REQUEST)
                waiting.register(opened, selectors.EVENT_READ)
            deadline = time.monotonic() + WAVE_SECONDS
            while waiting.get_map():
                for key, _ in waiting.select(max(0, deadline - time.monotonic())):
                    waiting.unregister(key.fileobj)
                    if not key.fileobj.recv(65536).startswith(b"HTTP/1.1 200 "):
                        raise OSError("the server did not answer 200")
                if time.monotonic() > deadline:
                    raise TimeoutError(f"they were not all answered within {WAVE_SECONDS} s")

    def still_open(self):
        """Returns the number of connections that the server has not closed."""
        count = 0
        for opened in self.sockets:
            opened.setblocking(False)
            try:
                count += len(opened.recv(1)) > 0
            except BlockingIOError:
                count += 1
            except OSError:
                pass
        return count

    def close(self):
        for opened in self.sockets:
            opened.close()
        self.sockets = []


def seconds_of_a_request(port, count=21):
    """Returns the median duration of a request on an open connection, in seconds."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    with contextlib.closing(connection):
        taken = []
        for _ in range(count):
            began = time.perf_counter()
            connection.request("GET", "/")
            connection.getresponse().read()
            taken.append(time.perf_counter() - began)
    return sorted(taken)[count // 2]
