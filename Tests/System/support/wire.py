"""A raw TCP connection to a server, and a parser of its responses."""

import json
import socket

import requests


class Wire:
    """One TCP connection that sends raw bytes and parses responses."""

    def __init__(self, server, timeout=10):
        self.socket = socket.create_connection(("127.0.0.1", server.port), timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data.encode() if isinstance(data, str) else data)

    def send_what_it_takes(self, data):
        """Sends to a server that may respond and close before it has read everything."""
        try:
            self.send(data)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def half_close(self):
        self.socket.shutdown(socket.SHUT_WR)

    def _more(self):
        data = self.socket.recv(65536)
        self.buffer += data
        return bool(data)

    def _take(self, count):
        while len(self.buffer) < count:
            assert self._more(), f"the connection closed in the middle of a response: {self.buffer[:200]!r}"
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken

    def read(self, head_only=False):
        """Reads one response, framed according to RFC 9112 §6.3."""
        while b"\r\n\r\n" not in self.buffer:
            assert self._more(), f"the connection closed before a response: {self.buffer[:200]!r}"
        head = self._take(self.buffer.index(b"\r\n\r\n") + 4)
        status_line, *fields = head[:-4].decode("latin-1").split("\r\n")
        version, status, _ = status_line.split(" ", 2)
        headers = requests.structures.CaseInsensitiveDict()
        for field in fields:
            name, value = field.split(":", 1)
            headers[name] = f"{headers[name]}, {value.strip()}" if name in headers else value.strip()
        status = int(status)
        if head_only or status < 200 or status in (204, 304):
            body = b""
        elif headers.get("Transfer-Encoding", "").lower() == "chunked":
            body = self._chunks()
        elif "Content-Length" in headers:
            body = self._take(int(headers["Content-Length"]))
        else:
            while self._more():
                pass
            body = self._take(len(self.buffer))
        return WireResponse(version, status, headers, body)

    def _chunks(self):
        body = b""
        while True:
            while b"\r\n" not in self.buffer:
                assert self._more()
            size = int(self._take(self.buffer.index(b"\r\n") + 2).split(b";")[0], 16)
            chunk = self._take(size + 2)
            if size == 0:
                return body
            body += chunk[:-2]

    def closed(self, seconds=5):
        """Returns whether the server closes the connection within `seconds` without sending another byte."""
        self.socket.settimeout(seconds)
        try:
            return not self.buffer and self.socket.recv(65536) == b""
        except ConnectionResetError:
            return not self.buffer
        except TimeoutError:
            return False


class WireResponse:
    def __init__(self, version, status, headers, body):
        self.version, self.status_code, self.headers, self.body = version, status, headers, body

    @property
    def text(self):
        return self.body.decode()

    def json(self):
        return json.loads(self.body)
