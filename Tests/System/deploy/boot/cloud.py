"""AWS as an instance meets it: moto's server and a strict IMDSv2."""

import contextlib
import json
import os
import pathlib
import subprocess
import sys

import boto3
import requests

from support import emulators
from support.ports import free_port
from support.waiting import until

REGION, ZONE = emulators.REGION, emulators.REGION + "b"
INSTANCE = emulators.INSTANCE

HERE = pathlib.Path(__file__).resolve().parent


class Cloud:
    """AWS as one instance sees it: the APIs, and its own metadata by IMDSv2 alone."""

    def __init__(self, directory):
        self.record = pathlib.Path(directory) / "lifecycle"
        self.record.touch()
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = subprocess.Popen(
            [sys.executable, HERE / "lifecycle.py", "-H", "127.0.0.1", "-p", str(self.port)],
            env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", "LIFECYCLE_RECORD": str(self.record)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.metadata_fails = False  # whether IMDS gives no token
        self.metadata = emulators.Loopback(self._metadata)
        until(self._serves, 60, what="moto to serve")

    def _serves(self):
        assert self.process.poll() is None, "moto ended"
        with contextlib.suppress(requests.ConnectionError):
            return requests.get(self.url + "/moto-api/", timeout=5).ok

    def _metadata(self, request):
        if self.metadata_fails and request.path == "/latest/api/token":
            return 503, ""
        status, body = emulators.imds(request)
        if status == 404 and request.path == "/latest/meta-data/placement/availability-zone":
            return 200, ZONE
        return status, body

    def client(self, service):
        keys = {"aws_access_key_id": "root", "aws_secret_access_key": "root"}
        return boto3.client(service, region_name=REGION, endpoint_url=self.url, **keys)

    def answers(self):
        """What the launch hook was told, in order."""
        return [json.loads(line) for line in self.record.read_text().splitlines()]

    def results(self):
        return [answer["LifecycleActionResult"] for answer in self.answers()]

    def forget(self):
        self.record.write_text("")

    def stop(self):
        self.metadata.stop()
        self.process.terminate()
        self.process.wait(10)
