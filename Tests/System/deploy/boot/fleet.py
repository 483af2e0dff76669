"""What the tests on instances share: AWS, a database behind a password, and instances that stay for a module."""

import base64
import hashlib
import json
import pathlib
import secrets
import shutil
import tempfile

import pytest
from cloud import Cloud
from instance import BOOT, HERE, Engine, Instance, render

from support.ports import free_port
from support.postgresql import Cluster
from support.project import BINARY

SECRET = "items-test-database"
GROUP, HOOK, PARAMETER = "items-test", "items-test-launch", "/items/test/cloudwatch-agent"
# What a search for the password looks for, however it is quoted. Each run has its own, and finds no neighbour's.
NEEDLE = "Znq" + secrets.token_hex(8)
PASSWORD = f"\"p$w{NEEDLE}%41 \\'\""
NEXT_PASSWORD = f"next {NEEDLE}"


class Site:
    """One AWS account with one database, as all instances of a module find them."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.engine = Engine()
        self.cloud = Cloud(directory)
        self.database = Cluster(self.directory / "database", free_port()).create()
        self.database.start()
        self.database.execute("CREATE ROLE items LOGIN")
        self.database.execute("CREATE DATABASE items OWNER items")
        self.secrets = self.cloud.client("secretsmanager")
        # As RDS keeps it: who, but not where.
        self.secrets.create_secret(Name=SECRET, SecretString="{}")
        self.rotate(PASSWORD)
        self.cloud.client("ssm").put_parameter(Name=PARAMETER, Value='{"agent":{}}', Type="String")
        self.binary = self.directory / "items"
        shutil.copy(BINARY, self.binary)
        self.instances = []

    def rotate(self, password):
        literal = password.replace("\\", "\\\\").replace("'", "\\'")
        self.database.execute(f"ALTER ROLE items PASSWORD E'{literal}'")
        self.secrets.put_secret_value(
            SecretId=SECRET, SecretString=json.dumps({"username": "items", "password": password})
        )

    def settings(self, **changes):
        return {
            "ITEMS_ENVIRONMENT": "test",
            "ITEMS_VERSION": "1.2.3",
            "ITEMS_BINARY_URL": "file:///artifacts/items",
            "ITEMS_BINARY_SHA256": hashlib.sha256(self.binary.read_bytes()).hexdigest(),
            "ITEMS_SECRET_ID": SECRET,
            "ITEMS_DB_HOST": "127.0.0.1",
            "ITEMS_DB_PORT": self.database.port,
            "ITEMS_GROUP": GROUP,
            "ITEMS_LAUNCH_HOOK": HOOK,
            "ITEMS_AGENT_PARAMETER": PARAMETER,
            "ITEMS_CERTIFICATES_URL": "file:///etc/ssl/certs/ca-certificates.crt",
            "ITEMS_SETTINGS": "DB_SSLMODE=prefer DRAIN_DELAY_MS=3000",
            "ITEMS_READY_SECONDS": 60,
            **changes,
        }

    def launch(self, settings=None, user_data=None, mounts=()):
        """An instance whose user data is the boot script with these settings, or else `user_data`."""
        port = free_port()
        settings = settings and {"ITEMS_PORT": port, **settings}
        mounts = [
            (self.binary, "/artifacts/items"),
            (BOOT, "/boot.sh"),
            (HERE / "agent", "/usr/local/bin/amazon-cloudwatch-agent-ctl"),
            *mounts,
        ]
        instance = Instance(self.engine, self.directory, self.cloud, user_data or render(settings), mounts)
        self.instances.append(instance)
        instance.settings = settings
        instance.url = f"http://127.0.0.1:{port}"
        return instance

    def remove(self):
        for instance in self.instances:
            instance.remove()
        self.database.remove()
        self.cloud.stop()


@pytest.fixture(scope="module")
def site():
    with tempfile.TemporaryDirectory(prefix="items-boot.") as directory:
        pathlib.Path(directory).chmod(0o755)
        site = Site(directory)
        try:
            yield site
        finally:
            site.remove()


def forms(text=NEEDLE, whole=PASSWORD):
    """How the password may be written."""
    return [text, base64.b64encode(whole.encode()).decode()]
