"""Secrets Manager, played by moto: a server process on loopback."""

import importlib.util
import json
import os
import subprocess
import sys
import urllib.request

from support.ports import free_port
from support.postgresql import Missing
from support.waiting import until

REGION = "eu-central-1"
# moto takes any key; the service has to have one to sign with.
CREDENTIALS = {"AWS_REGION": REGION, "AWS_ACCESS_KEY_ID": "chaos", "AWS_SECRET_ACCESS_KEY": "chaos"}
SECRET = "chaos-db-credentials"


class SecretsManager:
    def __init__(self, directory):
        if importlib.util.find_spec("moto") is None or importlib.util.find_spec("boto3") is None:
            raise Missing("moto[server], which plays Secrets Manager")
        import boto3

        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = open(directory / "moto.log", "wb")
        environment = {**os.environ, "MOTO_ENABLE_ISO_REGIONS": "false"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)],
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
            env=environment,
        )
        until(self._answers, 20, what="moto to answer")
        self.client = boto3.client(
            "secretsmanager",
            region_name=REGION,
            endpoint_url=self.url,
            aws_access_key_id="chaos",
            aws_secret_access_key="chaos",
        )
        self.exists = False

    def _answers(self):
        try:
            return urllib.request.urlopen(self.url + "/moto-api/", timeout=2).status == 200
        except OSError:
            return False

    def put(self, **values):
        """A new AWSCURRENT version."""
        text = json.dumps(values)
        if self.exists:
            self.client.put_secret_value(SecretId=SECRET, SecretString=text)
        else:
            self.client.create_secret(Name=SECRET, SecretString=text)
            self.exists = True

    @property
    def environment(self):
        return {**CREDENTIALS, "AWS_ENDPOINT_URL": self.url, "DB_SECRET_ID": SECRET}

    def close(self):
        self.process.kill()
        self.process.wait()
        self.log.close()
