"""Secrets Manager, emulated by a moto server process on loopback."""

import json

from support.postgresql import Missing

REGION = "eu-central-1"
# moto accepts any key; the service needs one to sign its requests.
CREDENTIALS = {"AWS_REGION": REGION, "AWS_ACCESS_KEY_ID": "chaos", "AWS_SECRET_ACCESS_KEY": "chaos"}
SECRET = "chaos-db-credentials"


class SecretsManager:
    def __init__(self, directory):
        try:
            from support.emulators import Moto
        except ImportError as missing:
            raise Missing("moto[server], which plays Secrets Manager") from missing

        self.log = open(directory / "moto.log", "wb")
        self.moto = Moto(log=self.log, MOTO_ENABLE_ISO_REGIONS="false")
        self.client = self.moto.client("secretsmanager", region_name=REGION)
        self.exists = False

    def put(self, **values):
        """Stores a new AWSCURRENT version of the secret."""
        text = json.dumps(values)
        if self.exists:
            self.client.put_secret_value(SecretId=SECRET, SecretString=text)
        else:
            self.client.create_secret(Name=SECRET, SecretString=text)
            self.exists = True

    @property
    def environment(self):
        return {**CREDENTIALS, "AWS_ENDPOINT_URL": self.moto.url, "DB_SECRET_ID": SECRET}

    def close(self):
        self.moto.stop()
        self.log.close()
