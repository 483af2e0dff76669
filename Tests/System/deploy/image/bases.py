"""Stand-ins for the Dockerfile's base images, made of Debian's packages and this machine's Swift.

Registries need not be reached. The images are kept in the engine's store for some days, and made anew when this file or
the toolchain changes.
"""

import hashlib
import os
import pathlib
import platform
import re
import shutil
import subprocess
import time

from engine import Failure, Missing

from support.project import ROOT

SUITE = "bookworm"
KEPT_SECONDS = 7 * 24 * 3600
BOOTSTRAP_SECONDS = 300
BUILD_SECONDS = 600

# As Debian's own slim images are made.
SLIM = [
    "path-exclude=/usr/share/doc/*",
    "path-include=/usr/share/doc/*/copyright",
    "path-exclude=/usr/share/man/*",
    "path-exclude=/usr/share/locale/*",
    "path-exclude=/usr/share/info/*",
]

# What the official image of the compiler has besides the compiler.
SWIFT_PACKAGES = [
    *["binutils", "ca-certificates", "gcc", "git", "libc6-dev", "libcurl4-openssl-dev", "libedit2", "libncurses-dev"],
    *["libsqlite3-0", "libstdc++-12-dev", "libxml2-dev", "libz3-4", "pkg-config", "tzdata", "zlib1g-dev"],
]


def default(name):
    """The default of one of the Dockerfile's build arguments."""
    return re.search(rf"^ARG {name}=(\S+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)[1]


def toolchain():
    """The directory of this machine's Swift, which has usr/bin/swiftc below it."""
    compiler = shutil.which("swiftc")
    if not compiler:
        raise Missing("swiftc is not installed")
    home = pathlib.Path(compiler).resolve().parents[2]
    if home == pathlib.Path("/"):
        raise Missing("Swift has no directory of its own here that a container could be given")
    if platform.freedesktop_os_release().get("VERSION_CODENAME") != SUITE:
        raise Missing(f"this machine's Swift may not run in a container of Debian {SUITE}")
    return home


def package_sources():
    """What makes packages' URLs reachable here: git's settings for all of the machine, and the paths they point to."""
    listed = subprocess.run(
        ["git", "config", "--system", "--show-origin", "--get-regexp", r"^(url\..*\.insteadof|core\.excludesfile)$"],
        capture_output=True,
        text=True,
    ).stdout
    paths = set()
    for line in listed.splitlines():
        origin, setting = line.split("\t", 1)
        paths.add(origin.removeprefix("file:"))
        key, value = setting.split(" ", 1)
        paths.add(value if key == "core.excludesfile" else key.removeprefix("url.").removesuffix(".insteadof"))
    return sorted(path for path in paths if os.path.isabs(path) and os.path.exists(path))


class Bases:
    """The images `debian` and `swift` in the engine's store, under the names that the Dockerfile gives them."""

    def __init__(self, engine):
        self.engine = engine
        self.debian, self.swift = default("DEBIAN_IMAGE"), default("SWIFT_IMAGE")
        self.home = toolchain()
        sources = package_sources()
        engine.mount_in_builds([self.home, *sources])
        compiler = self.home / "usr/bin/swiftc"
        recipe = pathlib.Path(__file__).read_bytes() + f"{compiler} {compiler.stat().st_mtime}".encode()
        self.recipe = hashlib.sha256(recipe).hexdigest()
        if not self.usable(self.debian):
            self.make_debian()
        try:
            engine.podman("run", "--rm", self.debian, "true")
        except Failure as failure:
            raise Missing(f"no container can run here: {failure}") from failure
        if not self.usable(self.swift):
            self.make_swift()

    def usable(self, image):
        if not self.engine.has_image(image):
            return False
        labels = self.engine.inspect(image)["Labels"] or {}
        return labels.get("recipe") == self.recipe and time.time() - float(labels["made"]) < KEPT_SECONDS

    @property
    def labels(self):
        return {"recipe": self.recipe, "made": str(int(time.time()))}

    def make_debian(self):
        archive = self.engine.directory / "temporary/debian.tar"
        done = self.engine.attempt(
            *["mmdebstrap", "--quiet", "--variant=minbase", "--include=ca-certificates"],
            *[f"--dpkgopt={option}" for option in SLIM],
            *[SUITE, archive],
            seconds=BOOTSTRAP_SECONDS,
        )
        if done.returncode:
            raise Failure(f"mmdebstrap ended with {done.returncode}: {done.stderr[-2000:]}")
        changes = [f"--change=LABEL {name}={value}" for name, value in self.labels.items()]
        self.engine.podman("import", "--quiet", *changes, archive, self.debian, seconds=BOOTSTRAP_SECONDS)
        archive.unlink()

    def make_swift(self):
        context = self.engine.directory / "swift"
        context.mkdir(exist_ok=True)
        (context / "Dockerfile").write_text(
            f"FROM {self.debian}\n"
            "RUN apt-get update"
            f" && apt-get install --yes --no-install-recommends {' '.join(SWIFT_PACKAGES)}"
            " && rm -rf /var/lib/apt/lists/*\n"
            f"ENV PATH={self.home}/usr/bin:$PATH\n"
        )
        labels = [f"--label={name}={value}" for name, value in self.labels.items()]
        self.engine.build(*labels, "--tag", self.swift, context, seconds=BUILD_SECONDS)
