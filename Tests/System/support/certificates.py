"""Test certificate authorities and their certificates, made with the openssl command."""

import subprocess


def openssl(*words, text=None):
    words = ["openssl", *map(str, words)]
    return subprocess.run(words, input=text, check=True, capture_output=True, text=True).stdout


KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]


class Authority:
    """Signs server certificates; `certificate` is the path of the CA certificate for clients."""

    def __init__(self, directory, name):
        self.directory, self.name = directory, name
        self.certificate, self.key = directory / f"{name}.pem", directory / f"{name}.key"
        openssl(
            *["req", "-x509", *KEY, "-subj", f"/O=Tests/CN={name}", "-days", "2", "-sha256"],
            *["-addext", "keyUsage=critical,keyCertSign,cRLSign"],
            *["-keyout", self.key, "-out", self.certificate],
        )

    def issue(self, *hosts, expired=False):
        """Returns a certificate for these DNS names and its key, as PEM texts; valid for a day, or
        expired yesterday."""
        key, request = self.directory / "server.key", self.directory / "server.csr"
        openssl("req", "-new", *KEY, "-subj", f"/CN={hosts[0]}", "-keyout", key, "-out", request)
        extensions = self.directory / "server.ext"
        extensions.write_text("subjectAltName=" + ",".join(f"DNS:{host}" for host in hosts) + "\n")
        certificate = openssl(
            *["x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self.key, "-sha256"],
            *["-days", "-1" if expired else "1", "-extfile", extensions],
        )
        return certificate, key.read_text()


def serial(certificate):
    """Returns the serial number of a PEM certificate."""
    return openssl("x509", "-noout", "-serial", text=certificate)
