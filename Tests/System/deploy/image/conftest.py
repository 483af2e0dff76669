"""The image, built from the Dockerfile on stand-ins for its bases, and a private PostgreSQL for its containers."""

import contextlib
import itertools
import os
import pathlib
import secrets
import shutil

import pytest
from bases import Bases
from container import Container
from engine import Engine, Missing

from support.certificates import Authority
from support.directories import temporary_directory
from support.ports import free_port
from support.postgresql import Cluster
from support.postgresql import Missing as MissingCluster
from support.project import ROOT

IMAGE, BUNDLE_IMAGE = "localhost/items:test", "localhost/items:bundle"
BUNDLE = "/etc/items/certificates/rds.pem"
BUILD_SECONDS = 900
VERSION, COMMIT = "1.2.3-test", "0123456789abcdef0123456789abcdef01234567"
CREATED, SOURCE = "2024-11-01T12:00:00Z", "https://example.com/items"
ARGUMENTS = {"VERSION": VERSION, "COMMIT": COMMIT, "CREATED": CREATED, "SOURCE": SOURCE}

ENCRYPTED_ACCESS = """local all all trust
hostssl all all 127.0.0.0/8 scram-sha-256
"""

numbers = itertools.count(1)


@pytest.fixture(scope="session")
def engine():
    try:
        engine = Engine()
    except Missing as missing:
        pytest.skip(str(missing))
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def bases(engine):
    try:
        return Bases(engine)
    except Missing as missing:
        pytest.skip(str(missing))


def build(engine, tag, context, **arguments):
    # Buildah 1.28 takes a layer made with other arguments for that of an ENV or a LABEL that names them.
    if engine.has_image(tag):
        engine.podman("rmi", "--force", engine.inspect(tag)["Id"])
    words = [f"--build-arg={name}={value}" for name, value in arguments.items()]
    return engine.build("--tag", tag, *words, context, seconds=BUILD_SECONDS)


@pytest.fixture(scope="session")
def image(engine, bases):
    """The image as the checkout's Dockerfile makes it."""
    build(engine, IMAGE, ROOT, **ARGUMENTS)
    return IMAGE


@pytest.fixture(scope="session")
def root(engine, image):
    """The directory that is the image's root."""
    yield pathlib.Path(engine.podman("image", "mount", image).strip())
    engine.podman("image", "unmount", image)


@pytest.fixture(scope="session")
def context(engine):
    """A copy of what a build takes from the checkout, for builds that need more files in it."""
    directory = engine.directory / "context"
    shutil.rmtree(directory, ignore_errors=True)
    directories, single = ["Sources", "Tests", "deploy", "scripts"], ["Dockerfile", ".dockerignore", "Package.swift"]
    for name in [*directories, *single, "Package.resolved"]:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, directory / name, ignore=shutil.ignore_patterns("__pycache__", "*.pem"))
        elif source.exists():
            directory.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, directory / name)
    yield directory
    shutil.rmtree(directory)


@pytest.fixture(scope="session")
def authority():
    with temporary_directory() as directory:
        yield Authority(directory, "authority")


@pytest.fixture(scope="session")
def bundle_image(engine, image, context, authority):
    """The image as it is with the authority's certificate as the bundle in the build's context."""
    bundle = context / "deploy/certificates/rds.pem"
    shutil.copy(authority.certificate, bundle)
    try:
        build(engine, BUNDLE_IMAGE, context, **ARGUMENTS, DB_SSLROOTCERT=BUNDLE)
    finally:
        bundle.unlink()
    return BUNDLE_IMAGE


@contextlib.contextmanager
def running_cluster(password, prepare=lambda cluster: None, **settings):
    with temporary_directory() as directory:
        cluster = Cluster(directory / "pg", free_port(), **settings)
        try:
            cluster.create()
            prepare(cluster)
            cluster.start()
            cluster.provide(password)
            yield cluster
        except MissingCluster as missing:
            pytest.skip(f"{missing} are not installed")
        finally:
            cluster.remove()


@pytest.fixture(scope="session")
def password():
    return secrets.token_hex(24)


@pytest.fixture(scope="session")
def cluster(password):
    """A PostgreSQL on loopback that asks for the password."""
    with running_cluster(password) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def encrypted_cluster(password, authority):
    """One that takes TLS connections alone, with a certificate of the authority for `localhost`."""

    def prepare(cluster):
        certificate, key = authority.issue("localhost")
        (cluster.data / "pg_hba.conf").write_text(ENCRYPTED_ACCESS)
        for name, text in (("server.crt", certificate), ("server.key", key)):
            file = cluster.data / name
            file.write_text(text)
            file.chmod(0o600)
            owner = cluster.data.stat()
            os.chown(file, owner.st_uid, owner.st_gid)

    with running_cluster(password, prepare, ssl="on") as cluster:
        yield cluster


@pytest.fixture(scope="session")
def secret(engine, password):
    """Options that give a container the password as a file that its user alone may read."""
    name = f"db-password-{os.getpid()}"
    engine.podman("secret", "create", name, "-", text_input=password)
    # Podman 4.3 cannot make the file's place in a root that is read-only.
    yield ["--tmpfs", "/run/secrets", "--secret", f"{name},target=db-password,uid=10001,gid=10001,mode=0400"]
    engine.podman("secret", "rm", name)


def reaching(cluster, database="items"):
    """The variables by which the service finds this cluster; the password is a secret of its own."""
    return {"DB_HOST": "localhost", "DB_PORT": str(cluster.port), "DB_NAME": database}


@pytest.fixture
def database(cluster):
    """The name of an empty database of the test's own."""
    name = f"image_{next(numbers)}"
    cluster.execute(f"CREATE DATABASE {name} OWNER items")
    yield name
    cluster.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def start(engine, secret):
    """Starts containers: start(image, environment, …) returns at once. All are gone in the end."""
    containers = []

    def start(image, environment=None, options=(), **more):
        containers.append(Container(engine, image, environment, [*secret, *options], **more))
        return containers[-1]

    yield start
    for container in containers:
        container.remove()


@pytest.fixture
def container(start, image, cluster, database):
    """A healthy, hardened one with an empty database."""
    return start(image, reaching(cluster, database)).wait_until_healthy()
