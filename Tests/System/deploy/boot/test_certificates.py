"""Which root certificates an instance fetches, and which network its containers use: functions of the script, called alone."""

import os
import re
import subprocess

import pytest

from instance import BOOT
from test_script import SETTINGS

TEXT = BOOT.read_text()
OWN = "[PATH=/usr/bin DB_SSLROOTCERT=/etc/items/certificates/rds.pem]"
NONE = "[PATH=/usr/bin]"


def fetched(settings, image, environment):
    """Whether a boot would fetch the certificates, and the DB_SSLROOTCERT that it would give to the service."""
    run = f"""
        source {BOOT}
        trap 'echo "$reason" >&2' EXIT
        docker() {{ [[ $1 == image ]] && echo '{environment}'; }}
        fetch() {{ echo fetched; echo 'BEGIN CERTIFICATE' >"$2"; }}
        try() {{ "${{@:2}}"; }}
        put() {{ cat >/dev/null; }}
        work=$(mktemp --directory)
        check_settings
        image={image!r}
        fetch_certificates
        rm -r "$work"
        printf 'given %s\\n' "${{service[DB_SSLROOTCERT]:-nothing}}"
    """
    given = {**SETTINGS, **settings, "PATH": os.environ["PATH"]}
    done = subprocess.run(["bash", "-c", run], env=given, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stdout + done.stderr
    return "fetched" in done.stdout, re.search(r"given (\S+)", done.stdout)[1]


PEM = "/etc/items/certificates/rds.pem"


@pytest.mark.parametrize(
    "settings, image, environment, wanted",
    [
        ("", "sha256:1", OWN, (False, "nothing")),
        ("", "sha256:1", NONE, (True, PEM)),
        ("", "", "", (True, PEM)),
        ("DB_SSLMODE=disable", "sha256:1", NONE, (False, "nothing")),
        ("DB_SSLROOTCERT=/etc/ssl/own.pem", "sha256:1", OWN, (False, "/etc/ssl/own.pem")),
    ],
    ids=["the image's own", "an image without", "a binary", "no TLS", "named by a setting"],
)
def test_certificates_are_fetched_only_for_a_service_without_them(settings, image, environment, wanted):
    assert fetched({"ITEMS_SETTINGS": settings}, image, environment) == wanted


def test_every_container_uses_the_hosts_network():
    """The hop limit of the metadata service's responses is 1."""
    runs = re.findall(r"docker run(?:[^\n]|\\\n)*", TEXT)
    assert len(runs) >= 2 and all("--network host" in run for run in runs)
