"""A registry that serves one image, and an engine that plays Docker's daemon: podman behind Docker's API."""

import contextlib
import http.server
import json
import os
import pathlib
import re
import shutil
import subprocess
import threading

from cloud import REGION

from support.waiting import until

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

GROUP = 990  # of Docker's socket, in the instances
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


class Registry:
    """Serves what was published last under every tag."""

    def __init__(self, engine, directory, binary):
        self.engine, self.directory = engine, pathlib.Path(directory) / "registry"
        self.layout = self.directory / "layout"
        self._root(binary)
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                status, kind, body = outer._answer(self.path)
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(body)

            do_HEAD = do_GET

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.location = f"127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

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

    def _answer(self, path):
        if path == "/v2/":
            return 200, "application/json", b"{}"
        name = path.rsplit("/", 1)[1]
        if "/manifests/" in path and not name.startswith("sha256:"):
            name = json.loads((self.layout / "index.json").read_text())["manifests"][0]["digest"]
        blob = self.layout / "blobs/sha256" / name.removeprefix("sha256:")
        kind = MANIFEST if "/manifests/" in path else "application/octet-stream"
        return (200, kind, blob.read_bytes()) if blob.exists() else (404, "text/plain", b"")

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class Daemon:
    """podman's service on a socket; what it runs are containers on this machine's network."""

    def __init__(self, engine, directory, registry):
        self.engine = engine
        self.socket = pathlib.Path(directory) / "docker.sock"
        registries = pathlib.Path(directory) / "registries.conf"
        registries.write_text(REGISTRIES.format(host=HOST, location=registry.location))
        self.process = subprocess.Popen(
            ["podman", "system", "service", "--time=0", f"unix://{self.socket}"],
            env={**engine.environment, "CONTAINERS_REGISTRIES_CONF": str(registries)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until(self.socket.exists, 20, what="the daemon's socket")
        os.chown(self.socket, 0, GROUP)
        self.socket.chmod(0o660)

    def inspect(self):
        return json.loads(self.engine.podman("inspect", "items").stdout)[0]

    def stop(self):
        self.engine.podman("rm", "--force", "--time=0", "--ignore", "items", check=False)
        self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(20)
        self.engine.forget()
