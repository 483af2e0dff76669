"""What is in the image, and what it says about itself."""

import os
import re
import subprocess

import pytest
from bases import SUITE, default
from engine import Failure

from conftest import BUNDLE, COMMIT, CREATED, SOURCE, VERSION, build
from support.project import ROOT

MEGABYTE = 1_000_000
IMAGE_LIMIT = 120 * MEGABYTE
PROGRAM_LIMIT = 25 * MEGABYTE
PROGRAM = "usr/local/bin/items"

# What the program itself asks the loader for; Swift's own libraries are in it.
NEEDED = {
    "libpq.so.5",
    "libcurl.so.4",
    "libcrypto.so.3",
    "libstdc++.so.6",
    "libgcc_s.so.1",
    "libm.so.6",
    "libc.so.6",
}
LOADER = re.compile(r"ld-linux-[\w-]+\.so\.\d")


def files(root):
    """The paths of the image's files, links included, as they are below its root."""
    return {
        os.path.relpath(os.path.join(directory, name), root)
        for directory, directories, names in os.walk(root)
        for name in names + [one for one in directories if os.path.islink(os.path.join(directory, one))]
    }


def libraries(engine, image):
    """What the image's own loader finds for the program: names to paths; what it does not find has no path."""
    loader = engine.podman("image", "mount", image).strip()
    [name] = [path for path in files(loader) if LOADER.fullmatch(os.path.basename(path))]
    engine.podman("image", "unmount", image)
    listed = engine.podman("run", "--rm", "--entrypoint", f"/{name}", image, "--list", f"/{PROGRAM}")
    return dict(re.findall(r"^\s*(\S+) => (\S+)", listed, re.MULTILINE))


def test_the_bases_are_pinned_and_can_be_given_by_digest():
    recipe = (ROOT / "Dockerfile").read_text()
    bases = re.findall(r"^FROM (\S+)", recipe, re.MULTILINE)
    assert bases == ["${SWIFT_IMAGE}", "${DEBIAN_IMAGE}", "scratch"]
    assert default("SWIFT_IMAGE").endswith(f":{(ROOT / '.swift-version').read_text().strip()}-{SUITE}")
    assert default("DEBIAN_IMAGE").endswith(f":{SUITE}-slim")


class TestSize:
    def test_of_the_image_is_below_its_limit(self, engine, image, record_property):
        size = engine.inspect(image)["Size"]
        record_property("image_megabytes", size / MEGABYTE)
        print(f"the image has {size / MEGABYTE:.1f} MB")
        assert size < IMAGE_LIMIT

    def test_of_the_program_is_below_its_limit(self, root, record_property):
        size = (root / PROGRAM).stat().st_size
        record_property("program_megabytes", size / MEGABYTE)
        print(f"the program has {size / MEGABYTE:.1f} MB")
        assert size < PROGRAM_LIMIT


class TestProgram:
    def test_is_stripped(self, root):
        sections = subprocess.run(["readelf", "--sections", "--wide", root / PROGRAM], capture_output=True, text=True)
        assert ".text" in sections.stdout and ".symtab" not in sections.stdout and ".debug" not in sections.stdout

    def test_has_swift_in_it_and_asks_for_the_expected_libraries(self, root):
        dynamic = subprocess.run(["readelf", "--dynamic", "--wide", root / PROGRAM], capture_output=True, text=True)
        needed = set(re.findall(r"\(NEEDED\).*\[(.+)\]", dynamic.stdout))
        assert {name for name in needed if not LOADER.fullmatch(name)} == NEEDED

    def test_finds_all_its_libraries_in_the_image(self, engine, image):
        found = libraries(engine, image)
        assert NEEDED <= found.keys()
        assert all(path.startswith("/lib") for path in found.values()), found
        assert not [name for name in found if "swift" in name.lower() or "Foundation" in name or "icu" in name]

    def test_names_the_version_and_the_commit(self, engine, image):
        told = engine.podman("run", "--rm", image, "--version")
        assert re.match(r"items \d+\.\d+\.\d+ ", told) and f"commit {COMMIT}," in told


class TestRoot:
    def test_has_one_program_and_no_shell(self, root):
        executable = {
            path
            for path in files(root)
            if os.access(root / path, os.X_OK) and not os.path.islink(root / path) and ".so" not in path
        }
        assert executable == {PROGRAM}
        shells = {"sh", "bash", "dash", "busybox", "ash", "zsh"}
        assert not [path for path in files(root) if os.path.basename(path) in shells]

    def test_has_no_library_that_the_program_does_not_load(self, engine, image, root):
        present = {os.path.basename(path) for path in files(root) if ".so" in path}
        loaded = {os.path.basename(path) for path in libraries(engine, image).values()}
        assert {name for name in present if not LOADER.fullmatch(name)} == loaded

    def test_belongs_to_root_and_is_writable_by_nobody_else(self, root):
        for path in sorted(files(root)):
            status = os.lstat(root / path)
            assert (status.st_uid, status.st_gid) == (0, 0), path
            assert not status.st_mode & 0o6000, f"{path} gives rights away"
            assert os.path.islink(root / path) or not status.st_mode & 0o022, path

    def test_records_the_packages_that_its_libraries_came_from(self, root):
        records = (root / "var/lib/dpkg/status").read_text()
        packages = dict(re.findall(r"^Package: (\S+)\n(?:.+\n)*?Version: (\S+)$", records, re.MULTILINE))
        assert {"libc6", "libpq5", "libcurl4", "libssl3", "ca-certificates"} <= packages.keys()
        assert records.count("\nStatus: install ok installed\n") == records.count("Package: ") == len(packages)
        for package in packages:
            assert (root / f"usr/share/doc/{package}/copyright").is_file(), package
        assert "VERSION_CODENAME=bookworm" in (root / "etc/os-release").read_text()

    def test_has_nothing_of_the_build(self, root):
        assert {path.split("/")[0] for path in files(root)} <= {"etc", "lib", "lib64", "usr", "var"}
        assert not [path for path in files(root) if path.endswith((".swift", ".git", ".md", ".py"))]


@pytest.fixture(scope="module")
def configuration(engine, image):
    return engine.inspect(image)


class TestConfiguration:
    def test_starts_the_program_without_a_shell(self, configuration):
        assert configuration["Config"]["Entrypoint"] == ["/usr/local/bin/items"]
        assert configuration["Config"]["Cmd"] == ["serve"]

    def test_runs_as_a_user_of_no_rights(self, configuration):
        assert configuration["Config"]["User"] == "10001:10001"

    def test_stops_by_sigterm(self, configuration):
        assert configuration["Config"]["StopSignal"] == "SIGTERM"

    def test_checks_its_health_by_the_program(self, configuration):
        check = configuration["Healthcheck"]
        assert check["Test"] == ["CMD", "/usr/local/bin/items", "healthcheck"]
        assert check["Timeout"] > 2.5e9, "the command's own limit comes first"

    def test_serves_on_its_port(self, configuration):
        assert list(configuration["Config"]["ExposedPorts"]) == ["5001/tcp"]

    def test_is_labelled(self, configuration):
        prefix = "org.opencontainers.image."
        labels = configuration["Config"]["Labels"]
        told = {name.removeprefix(prefix): value for name, value in labels.items() if name.startswith(prefix)}
        assert told == {
            "title": "items", "version": VERSION, "revision": COMMIT, "created": CREATED, "source": SOURCE,
        }  # fmt: skip

    def test_sets_the_commit_and_trusts_no_authority_of_the_database(self, configuration):
        variables = dict(one.split("=", 1) for one in configuration["Config"]["Env"])
        assert variables == {"PATH": "/usr/local/bin", "ITEMS_COMMIT": COMMIT, "DB_SSLROOTCERT": ""}


@pytest.fixture(scope="module")
def sent(engine, bases, context):
    """The paths that a build sees, among them some of files that no image may have."""
    unwanted = [".env", "deploy/secret.tfvars", ".data/db-password", ".git/config", "Sources.pem"]
    for name in unwanted:
        (context / name).parent.mkdir(parents=True, exist_ok=True)
        (context / name).write_text("secret")
    recipe = context / "Listing"
    recipe.write_text(f"FROM {bases.debian}\nCOPY . /context\nRUN cd /context && find . -type f >/listing\n")
    engine.build("--file", recipe, "--tag", "localhost/listing", "--no-cache", context, seconds=60)
    listing = engine.podman("run", "--rm", "localhost/listing", "cat", "/listing")
    engine.podman("rmi", "--force", "localhost/listing")
    for name in unwanted:
        (context / name).unlink()
    recipe.unlink()
    return {path.removeprefix("./") for path in listing.split()}


def test_the_build_sees_what_the_compiler_needs_and_nothing_else(sent):
    assert {"Package.swift", "scripts/build", "Sources/ItemsCommand/ItemsCommand.swift", "deploy/image/collect"} <= sent
    allowed = ("Package.", "scripts/build", "Sources/", "deploy/image/", "deploy/certificates/")
    others = {path for path in sent if not path.startswith(allowed)}
    assert all(re.match(r"Tests/(\w+Tests|Simulation)/", path) for path in others), others


def test_a_build_that_names_a_bundle_it_does_not_have_fails(engine, image, context):
    with pytest.raises(Failure, match="deploy/certificates/README.md"):
        build(engine, "localhost/items:none", context, DB_SSLROOTCERT=BUNDLE)
