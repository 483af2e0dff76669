"""A registry that serves one image, and an engine that plays Docker's daemon: podman behind Docker's API."""

import contextlib
import json
import os
import pathlib
import re
import shutil
import subprocess

from cloud import REGION
from conftest import until
from emulators import Loopback

HOST = f"123456789012.dkr.ecr.{REGION}.amazonaws.com"
NAME = f"{HOST}/items"

# Of the scratch image: the program with the shared libraries of this machine.
CONTAINERFILE = """FROM scratch
COPY root /
LABEL version={version}
USER 10001:10001
ENTRYPOINT ["/usr/local/bin/items"]
CMD ["serve"]
"""

# The registry's name leads to loopback, as in a network with an endpoint for ECR.
REGISTRIES = """[[registry]]
prefix = "{host}"
location = "{location}"
insecure = true
"""

MANIFEST = "application/vnd.oci.image.manifest.v1+json"


class Registry:
    """Serves what was published last under every tag."""

    def __init__(self, engine, directory, binary):
        self.engine, self.directory = engine, pathlib.Path(directory) / "registry"
        self.layout = self.directory / "layout"
        self._root(binary)
        self.server = Loopback(self._answer)

    def _root(self, binary):
        root = self.directory / "context/root"
        (root / "usr/local/bin").mkdir(parents=True)
        shutil.copy(binary, root / "usr/local/bin/items")
        libraries = subprocess.run(["ldd", binary], check=True, capture_output=True, text=True, timeout=30).stdout
        for path in re.findall(r"(/\S+) \(0x", libraries):
            (root / path[1:]).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(os.path.realpath(path), root / path[1:])

    def publish(self, version):
        """Makes an image of this version what the registry has; the engine forgets its own."""
        (self.directory / "context/Containerfile").write_text(CONTAINERFILE.format(version=version))
        self.engine.podman("build", "--quiet", "--tag", "localhost/published", self.directory / "context")
        shutil.rmtree(self.layout, ignore_errors=True)
        self.engine.podman("save", "--quiet", "--format=oci-dir", "--output", self.layout, "localhost/published")
        self.engine.podman("rmi", "localhost/published")

    def _answer(self, request):
        if request.path == "/v2/":
            return 200, "{}"
        name = request.path.rsplit("/", 1)[1]
        if "/manifests/" in request.path and not name.startswith("sha256:"):
            name = json.loads((self.layout / "index.json").read_text())["manifests"][0]["digest"]
        path = self.layout / "blobs/sha256" / name.removeprefix("sha256:")
        return (200, path.read_bytes()) if path.exists() else (404, "")

    def stop(self):
        self.server.stop()


class Daemon:
    """podman's service on a socket; what it runs are containers on this machine's network."""

    def __init__(self, engine, directory, registry):
        self.engine = engine
        self.socket = pathlib.Path(directory) / "docker.sock"
        registries = pathlib.Path(directory) / "registries.conf"
        registries.write_text(REGISTRIES.format(host=HOST, location=registry.server.url.removeprefix("http://")))
        self.process = subprocess.Popen(
            ["podman", "system", "service", "--time=0", f"unix://{self.socket}"],
            env={**engine.environment, "CONTAINERS_REGISTRIES_CONF": str(registries)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until(self.socket.exists, 20, what="the daemon's socket")

    def inspect(self):
        return json.loads(self.engine.podman("inspect", "items").stdout)[0]

    def stop(self):
        self.engine.podman("rm", "--force", "--time=0", "--ignore", "items", check=False)
        self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(20)
