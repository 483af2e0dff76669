"""Emulated AWS services on loopback: Secrets Manager by moto, and handwritten metadata and faulty servers."""

import contextlib
import http.server
import json
import os
import subprocess
import sys
import threading

import boto3
import pytest
import requests

from support.ports import free_port
from support.waiting import until

REGION = "eu-west-1"
KEY, SECRET_KEY, TOKEN = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "FwoGZXIvYXdzEBYa/token+with=="
IMDS_TOKEN = "AQAEAOurToken=="
INSTANCE = "i-0fedcba9876543210"


class Loopback:
    """An HTTP server on a port of 127.0.0.1; `answer(request)` returns status and body, and may block."""

    def __init__(self, answer, context=None, port=0):
        self.requests = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def respond(self):
                self.body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                outer.requests.append(self)
                status, body = answer(self)
                body = body if isinstance(body, bytes) else body.encode()
                with contextlib.suppress(OSError):  # the client has disconnected
                    self.send_response(status)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)

            do_GET = do_POST = do_PUT = respond

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        if context:
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.scheme = "https" if context else "http"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    @property
    def url(self):
        return f"{self.scheme}://127.0.0.1:{self.server.server_address[1]}"

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(5)


@pytest.fixture
def loopback():
    """Returns a factory: loopback(answer) starts a server that runs until the test ends."""
    servers = []

    def start(answer, **options):
        servers.append(Loopback(answer, **options))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


def credentials(key=KEY, secret=SECRET_KEY, token=TOKEN):
    return json.dumps(
        {
            "Code": "Success",
            "AccessKeyId": key,
            "SecretAccessKey": secret,
            "Token": token,
            "Expiration": "2034-11-01T12:00:00Z",
        }
    )


def imds(request, document=None):
    """Answers as version 2 of the instance metadata service, and rejects requests of version 1."""
    if request.path == "/latest/api/token":
        if request.command != "PUT" or "X-aws-ec2-metadata-token-ttl-seconds" not in request.headers:
            return 400, ""
        return 200, IMDS_TOKEN
    if request.headers.get("X-aws-ec2-metadata-token") != IMDS_TOKEN:
        return 401, ""
    values = {
        "instance-id": INSTANCE,
        "placement/region": REGION,
        "iam/security-credentials/": "items-role",
        "iam/security-credentials/items-role": document or credentials(),
    }
    value = values.get(request.path.removeprefix("/latest/meta-data/"))
    return (200, value) if value else (404, "")


def value(secret):
    """Returns the response body of GetSecretValue."""
    return json.dumps({"Name": "items/db", "SecretString": secret if isinstance(secret, str) else json.dumps(secret)})


class Moto:
    """A private moto server, or another program with the same options."""

    def __init__(self, program=("-m", "moto.server"), log=subprocess.DEVNULL, **environment):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = subprocess.Popen(
            [sys.executable, *program, "-H", "127.0.0.1", "-p", str(self.port)],
            env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", **environment},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )

        def serves():
            assert self.process.poll() is None, "moto ended"
            with contextlib.suppress(requests.ConnectionError):
                return requests.get(self.url + "/moto-api/", timeout=5).ok

        until(serves, 60, what="moto to serve")

    def client(self, service, **options):
        options = {"region_name": REGION, "aws_access_key_id": "root", "aws_secret_access_key": "root", **options}
        return boto3.client(service, endpoint_url=self.url, **options)

    def enforce(self, after):
        """Makes moto check signatures and policies after this number of requests."""
        requests.post(self.url + "/moto-api/reset-auth", data=str(after).encode(), timeout=5).raise_for_status()

    def reset(self):
        self.enforce("inf")
        requests.post(self.url + "/moto-api/reset", timeout=5).raise_for_status()

    def stop(self):
        self.process.terminate()
        self.process.wait(10)


@pytest.fixture(scope="module")
def moto_server():
    server = Moto()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def moto(moto_server):
    moto_server.reset()
    yield moto_server


def store(moto, contents, name="items/db"):
    contents = contents if isinstance(contents, str) else json.dumps(contents)
    return moto.client("secretsmanager").create_secret(Name=name, SecretString=contents)["ARN"]
