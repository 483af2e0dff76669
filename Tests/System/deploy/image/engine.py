"""Podman with a store and settings of the tests' own, below .build; they need no systemd and no registry."""

import fcntl
import json
import os
import shutil
import subprocess

from support.project import ROOT

DIRECTORY = ROOT / ".build/image-test"

TOOLS = ["podman", "buildah", "runc", "mmdebstrap"]
COMMAND_SECONDS = 60
LAYERS_KEPT = "168h"

# The limits are low because a virtual machine may not let them be raised.
SETTINGS = """[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
netns = "{netns}"
log_driver = "k8s-file"
volumes = {volumes}
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
[network]
network_backend = "netavark"
network_config_dir = "{directory}/networks"
"""

STORAGE = """[storage]
driver = "overlay"
graphroot = "{directory}/graph"
runroot = "{directory}/run"
"""


class Missing(Exception):
    """Something that containers need is not here."""


class Failure(Exception):
    """A command of the engine ended with another status than 0."""


def require_tools():
    for tool in TOOLS:
        if not shutil.which(tool):
            raise Missing(f"{tool} is not installed")
    if os.geteuid() != 0:
        raise Missing("only root can make base images and limit memory here")


class Engine:
    """Podman in a directory of its own; nobody else uses it at the same time, and nothing runs in it at first."""

    def __init__(self, directory=DIRECTORY):
        require_tools()
        self.directory = directory
        for name in ("graph", "run", "temporary", "networks"):
            (directory / name).mkdir(parents=True, exist_ok=True)
        self.lock = open(directory / "lock", "w")
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        (directory / "storage.conf").write_text(STORAGE.format(directory=directory))
        self.write_settings("run.conf")
        self.write_settings("bridge.conf", netns="bridge")
        self.remove_all()

    def write_settings(self, name, netns="host", volumes=()):
        text = SETTINGS.format(directory=self.directory, netns=netns, volumes=json.dumps(volumes))
        (self.directory / name).write_text(text)

    def mount_in_builds(self, paths):
        """These directories and files of this machine are in the containers of builds, at the same places."""
        self.write_settings("build.conf", volumes=[f"{path}:{path}:ro" for path in paths])

    def environment(self, settings):
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        return {
            **kept,
            "CONTAINERS_CONF": str(self.directory / settings),
            "CONTAINERS_STORAGE_CONF": str(self.directory / "storage.conf"),
            # Cache mounts are kept there.
            "TMPDIR": str(self.directory / "temporary"),
        }

    def attempt(self, *words, settings="run.conf", seconds=COMMAND_SECONDS, text_input="", cwd=None, more=None):
        """Runs a command to its end, whatever its exit status; `more` are further variables."""
        return subprocess.run(
            [str(word) for word in words],
            env={**self.environment(settings), **(more or {})},
            cwd=cwd,
            input=text_input,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            timeout=seconds,
        )

    def podman(self, *words, **options):
        """The standard output of a podman command that succeeds."""
        done = self.attempt("podman", *words, **options)
        if done.returncode:
            raise Failure(f"podman {words[0]} ended with {done.returncode}: {(done.stdout + done.stderr)[-4000:]}")
        return done.stdout

    def build(self, *words, seconds, **options):
        return self.podman(
            *["build", "--pull=never", "--network", "host", "--format", "docker", *words],
            settings="build.conf",
            seconds=seconds,
            **options,
        )

    def inspect(self, name, kind="image"):
        return json.loads(self.podman(kind, "inspect", name))[0]

    def has_image(self, name):
        return self.attempt("podman", "image", "exists", name).returncode == 0

    def remove_all(self):
        """Everything but images."""
        self.podman("rm", "--all", "--force", "--time", "0")
        self.podman("volume", "prune", "--force")
        self.podman("network", "prune", "--force", settings="bridge.conf")

    def close(self):
        self.remove_all()
        # The layers of builds are what makes the next one quick.
        self.podman("image", "prune", "--force", "--filter", f"until={LAYERS_KEPT}")
        self.lock.close()
