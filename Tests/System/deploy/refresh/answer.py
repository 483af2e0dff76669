"""Answers of the real service that are wrong in one thing, on their way to the client."""

import http.client
import http.server
import json
import threading

import pytest

from support.emulators import Loopback


class Answer:
    """An answer of the real service on its way to the client."""

    def __init__(self, method, path, request_body, response):
        self.method, self.path, self.request_body = method, path.partition("?")[0], request_body
        self.status, self.fields, self.body = response.status, dict(response.getheaders()), response.read()

    def json(self, **members):
        """Other members in the body, and the length that belongs to it."""
        body = json.loads(self.body)
        self.text(json.dumps(body | members, separators=(",", ":")))

    def text(self, text):
        self.body = text.encode()
        self.fields["Content-Length"] = str(len(self.body))

    def without(self, name):
        self.fields.pop(name, None)


class Wrong:
    """Passes everything on to the service and spoils the answers it is told to."""

    def __init__(self, server, spoil, context=None):
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def pass_on(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
                connection.request(self.command, self.path, body, dict(self.headers))
                answer = Answer(self.command, self.path, body, connection.getresponse())
                connection.close()
                spoil(answer)
                self.send_response_only(answer.status)
                for name, value in answer.fields.items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(answer.body)

            do_GET = do_HEAD = do_POST = do_DELETE = do_OPTIONS = pass_on

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        if context:
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        scheme = "https://localhost" if context else "http://127.0.0.1"
        self.url = f"{scheme}:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def wrong(server):
    started = []

    def start(spoil, context=None):
        started.append(Wrong(server, spoil, context))
        return started[-1].url

    yield start
    for each in started:
        each.stop()


class Answering:
    """Programs in the place of an instance: whatever is asked, this status and body."""

    def __init__(self, status=500):
        self.server = Loopback(lambda request: (status, "{}"))
        self.url = self.server.url

    def paths(self):
        return [request.path for request in self.server.requests]


@pytest.fixture
def answering():
    server = Answering()
    yield server
    server.server.stop()
