"""`make build` on a machine without the required libraries prints one line with the packages to install."""

import shutil
import subprocess

import pytest
from support.project import ROOT

NEEDED = {"libpq-dev", "libcurl4-openssl-dev", "libssl-dev", "pkg-config"}


@pytest.fixture
def machine(tmp_path):
    """A PATH with programs that record their calls and the few programs that the scripts need, but without apt-get."""

    class Machine:
        calls = tmp_path / "calls"

        def __init__(self):
            (tmp_path / "bin").mkdir()
            self.calls.touch()

        def provide(self, name, script="exit 0"):
            path = tmp_path / "bin" / name
            path.unlink(missing_ok=True)
            path.write_text(f'#!/bin/sh\necho "{name} $*" >>"{self.calls}"\n{script}\n')
            path.chmod(0o755)

        def link(self, *names):
            for name in names:
                (tmp_path / "bin" / name).symlink_to(shutil.which(name))

        def make(self, *words):
            run = subprocess.run(
                [shutil.which("make"), "--no-print-directory", "-C", ROOT, *words],
                env={"PATH": str(tmp_path / "bin")},
                capture_output=True,
                text=True,
                timeout=30,
            )
            return run, self.calls.read_text().splitlines()

    machine = Machine()
    machine.link("bash", "dirname", "env", "rm", "sh")
    machine.provide("swift")
    return machine


def test_missing_libraries_are_named_in_one_line_without_a_package_manager(machine):
    machine.provide("pkg-config", "exit 1")
    machine.provide("dpkg-query", 'case "$*" in *libssl-dev) echo installed ;; *) exit 1 ;; esac')
    run, calls = machine.make("build")
    assert run.returncode != 0
    (line,) = [line for line in run.stderr.splitlines() if not line.startswith("make: ***")]
    assert set(line.split(": ")[-1].split()) == NEEDED - {"libssl-dev"}, line
    assert not [call for call in calls if call.startswith("swift")], "it compiled without its libraries"


def test_present_libraries_are_enough_however_they_were_installed(machine):
    machine.provide("pkg-config")
    run, calls = machine.make("build")
    assert run.returncode == 0, run.stderr
    assert [call.split()[0] for call in calls] == ["pkg-config", "swift"]
    assert calls[0] == "pkg-config --exists libpq libcurl libcrypto" and calls[1].startswith("swift build -c release ")
