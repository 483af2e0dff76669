"""A reproducible load: a fixed number of connections send one request each, then all wait for their responses."""

import socket

ANSWER_SECONDS = 60


class BadAnswer(Exception):
    """The response is neither 2xx nor 304, has content without a length, or is missing."""


class Client:
    """One kept-alive connection with at most one request in flight."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=ANSWER_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, request):
        self.socket.sendall(request)

    def receive(self):
        """Waits for the complete response."""
        received = b""
        while (end := received.find(b"\r\n\r\n")) < 0:
            received += self._read(received)
        head, length = received[:end], None
        for line in head.split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        # These have no content, and no length.
        if head.startswith((b"HTTP/1.1 204 ", b"HTTP/1.1 304 ")):
            length = 0
        if not head.startswith((b"HTTP/1.1 2", b"HTTP/1.1 304 ")) or length is None:
            raise BadAnswer(received.decode(errors="replace"))
        while len(received) < end + 4 + length:
            received += self._read(received)

    def _read(self, received):
        data = self.socket.recv(65536)
        if not data:
            raise BadAnswer(f"the server closed the connection after {received!r}")
        return data

    def close(self):
        self.socket.close()


class Lockstep:
    """`connections` clients of one server. All requests of a round are in the sockets before the server reads one.

    The server is stopped (SIGSTOP) while they are sent, so a round is one event loop iteration, whatever the
    speed of either side.
    """

    def __init__(self, server, connections):
        self.server = server
        self.sent = 0
        self.clients = [Client(server.port) for _ in range(connections)]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for client in self.clients:
            client.close()

    def play(self, request, rounds):
        """Sends `rounds` rounds of requests, each made by `request(number)`, and returns the number of requests."""
        for _ in range(rounds):
            with self.server.stopped():
                for client in self.clients:
                    client.send(request(self.sent))
                    self.sent += 1
            for client in self.clients:
                client.receive()
        return rounds * len(self.clients)
