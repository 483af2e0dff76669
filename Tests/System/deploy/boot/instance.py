"""Instances: systemd as process 1 and the real cloud-init, in containers on the host's network."""

import contextlib
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

import pytest
from cloud import INSTANCE

from support.project import ROOT
from support.waiting import until

BOOT = ROOT / "userdata/boot.sh"
WORK = ROOT / ".build/boot"
HERE = pathlib.Path(__file__).resolve().parent
SOURCES = pathlib.Path("/etc/apt/sources.list.d/debian.sources")

BOOT_SECONDS = 120
STOP_SECONDS = 90

PACKAGES = [
    "ca-certificates",
    "cloud-init",
    "curl",
    "dbus",
    "git",
    "libcurl4",
    "libpq5",
    "libstdc++6",
    "logrotate",
    "procps",
    "python3",
    "systemd",
    "systemd-sysv",
]
AWS = "awscli>=1.44,<2"
TOOLS = ["podman", "runc", "mmdebstrap"]

CONTAINERS = """[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
netns = "host"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
lock_type = "file"
tmp_dir = "{run}/engine"
[network]
network_backend = "netavark"
"""
STORAGE = """[storage]
driver = "overlay"
graphroot = "{work}/graph"
runroot = "{run}/containers"
"""

# On a machine process 1 itself makes the mounts shared, and a unit's credentials come that way; in a container it does
# not.
INIT = "mount --make-rshared / && exec /sbin/init"

CLOUD_CONFIGURATION = "datasource_list: [NoCloud]\nnetwork: {config: disabled}\nlocale: false\n"


def require():
    """Skips the test where a container cannot be run, and says what is missing."""
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} not installed")
    if os.geteuid() != 0:
        pytest.skip("containers with systemd need root")


class Engine:
    """podman with a storage of its own, and the image that instances start from, made once."""

    def __init__(self):
        require()
        WORK.mkdir(parents=True, exist_ok=True)
        # Short, since sockets lie below it, and gone after a reboot, as podman expects.
        self.run_directory = pathlib.Path("/run/items-boot-" + hashlib.sha256(bytes(WORK)).hexdigest()[:12])
        self.run_directory.mkdir(exist_ok=True)
        places = {"work": WORK, "run": self.run_directory}
        (WORK / "containers.conf").write_text(CONTAINERS.format(**places))
        (WORK / "storage.conf").write_text(STORAGE.format(**places))
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": "/root",
            "CONTAINERS_CONF": str(WORK / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(WORK / "storage.conf"),
        }
        self.image = self._image()

    def podman(self, *words, check=True, timeout=180, **options):
        done = subprocess.run(
            ["podman", *map(str, words)],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            **options,
        )
        assert not check or done.returncode == 0, f"podman {words[0]}: {done.stderr}"
        return done

    def forget(self):
        """Removes the images that tests made or fetched."""
        others = {word for word in self.podman("images", "--all", "--quiet").stdout.split()}
        own = self.podman("images", "--quiet", self.image).stdout.split()
        for image in others - set(own):
            self.podman("rmi", "--force", image, check=False)

    def _image(self):
        recipe = "\n".join([*PACKAGES, AWS])
        name = "localhost/items-instance:" + hashlib.sha256(recipe.encode()).hexdigest()[:12]
        if self.podman("image", "exists", name, check=False).returncode == 0:
            return name
        with tempfile.TemporaryDirectory(dir=WORK) as directory:
            directory = pathlib.Path(directory)
            directory.chmod(0o755)
            # As an instance of Amazon's Linux has it, the command line is there from the start.
            install = [sys.executable, "-m", "pip", "install", "--quiet", "--target", directory / "aws", AWS]
            install += ["--only-binary=:all:", "--python-version=3.11", "--implementation=cp"]
            install += ["--platform=manylinux2014_x86_64", "--platform=any"]
            build = ["mmdebstrap", "--quiet", "--variant=minbase", "--include=" + ",".join(PACKAGES)]
            build += [f"--customize-hook=copy-in {directory}/aws /usr/local/lib", "bookworm", directory / "root.tar"]
            build += [SOURCES] if SOURCES.exists() else []
            for command in install, build:
                done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300)
                assert done.returncode == 0, done.stderr
            self.podman("import", directory / "root.tar", name, timeout=300)
        return name


class Instance:
    """One instance whose user data is `user_data`; nothing in it is shared with another but the network."""

    number = 0

    def __init__(self, engine, directory, cloud, user_data, mounts=()):
        Instance.number += 1
        self.engine, self.cloud = engine, cloud
        self.name = f"items-boot-{os.getpid()}-{Instance.number}"
        self.directory = pathlib.Path(directory) / self.name
        self.directory.mkdir()
        self.calls = self.directory / "calls"
        self.calls.mkdir()
        environment = f"AWS_ENDPOINT_URL={cloud.url} AWS_EC2_METADATA_SERVICE_ENDPOINT={cloud.metadata.url}"
        self.environment = dict(word.split("=", 1) for word in environment.split())
        files = {
            "user-data": (user_data, "/var/lib/cloud/seed/nocloud/user-data"),
            "meta-data": (f"instance-id: {INSTANCE}\n", "/var/lib/cloud/seed/nocloud/meta-data"),
            "cloud.cfg": (CLOUD_CONFIGURATION, "/etc/cloud/cloud.cfg.d/99-test.cfg"),
            "ds-identify": ("policy: enabled\n", "/etc/cloud/ds-identify.cfg"),
            "final.conf": (
                f"[Service]\nEnvironment={environment}\n",
                "/etc/systemd/system/cloud-final.service.d/test.conf",
            ),
        }
        words = ["run", "--detach", "--name", self.name, "--systemd=always", "--network=host", "--cap-add=SYS_ADMIN"]
        words += ["--security-opt=seccomp=unconfined", "--stop-timeout", STOP_SECONDS]
        words += ["--volume", f"{self.calls}:/dev/shm/calls"]
        for name, (text, place) in files.items():
            (self.directory / name).write_text(text)
            words += ["--volume", f"{self.directory / name}:{place}:ro"]
        for source, place in [(HERE / "aws", "/usr/local/bin/aws"), *mounts]:
            words += ["--volume", f"{source}:{place}:ro"]
        self.began = time.monotonic()
        engine.podman(*words, engine.image, "sh", "-c", INIT)

    def run(self, *words, check=True, timeout=120, **settings):
        """Runs a command in it; `settings` are further variables."""
        options = []
        for name, value in {**self.environment, **settings}.items():
            options += ["--env", f"{name}={value}"]
        done = self.engine.podman("exec", *options, self.name, *words, check=False, timeout=timeout)
        assert not check or done.returncode == 0, f"{' '.join(map(str, words))}: {done.stdout}{done.stderr}"
        return done

    def out(self, *words, **options):
        return self.run(*words, **options).stdout

    def wait(self):
        """Until cloud-init is done; answers with its status, `done` or `error`."""
        done = self.run("cloud-init", "status", "--wait", check=False, timeout=BOOT_SECONDS)
        return re.findall(r"status: (\w+)", done.stdout)[-1]

    def log(self):
        """What boot.sh said when cloud-init ran it."""
        return self.out("cat", "/var/log/cloud-init-output.log")

    def boot(self, **settings):
        """Runs the boot script by hand; answers with the finished process."""
        return self.run("bash", "/boot.sh", check=False, timeout=BOOT_SECONDS, **settings)

    def property(self, name, unit="items.service"):
        return self.out("systemctl", "show", "--value", f"--property={name}", unit).strip()

    def reboot(self):
        self.engine.podman("stop", self.name)
        self.engine.podman("start", self.name)

    def remove(self):
        self.engine.podman("rm", "--force", "--time=0", self.name, check=False)


def render(settings, script=None):
    """The script with the settings in the place of its marker, as the launch template holds it."""
    text = script or BOOT.read_text()
    assert text.count("\n# @settings\n") == 1
    return text.replace("# @settings", "\n".join(f"{name}='{value}'" for name, value in settings.items()))


class Watch:
    """Looks again and again at the arguments and the environment of every process on this machine for a text."""

    INTERVAL = 0.05

    def __init__(self, text):
        self.needle = text.encode()
        self.found, self.looks = set(), 0
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._look, daemon=True)
        self.thread.start()

    def _look(self):
        while not self.over.wait(self.INTERVAL):
            self.looks += 1
            for entry in os.scandir("/proc"):
                if not entry.name.isdigit() or int(entry.name) == os.getpid():
                    continue
                for name in "cmdline", "environ":
                    with contextlib.suppress(OSError):
                        if self.needle in pathlib.Path(entry.path, name).read_bytes():
                            self.found.add((name, pathlib.Path(entry.path, "cmdline").read_bytes()))

    def stop(self):
        self.over.set()
        self.thread.join(10)


__all__ = ["Engine", "Instance", "Watch", "render", "require", "until"]
