"""Programs that judge workflows: the schema, the security audit, the shell's linter. Each answers with what it found."""

import pathlib
import shutil
import subprocess
import sys

import pytest

SECONDS = 60


def program(name):
    """Beside this Python, or on the PATH."""
    beside = pathlib.Path(sys.executable).parent / name
    found = str(beside) if beside.is_file() else shutil.which(name)
    return found or pytest.skip(f"{name} is not installed")


def judged(*command, **options):
    """Empty when the program is content, else all it said."""
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=SECONDS, **options)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def schema(tree):
    return judged(program("check-jsonschema"), "--builtin-schema", "vendor.github-workflows", *tree.paths)


def dependabot_schema(tree):
    file = tree.root / ".github/dependabot.yml"
    return judged(program("check-jsonschema"), "--builtin-schema", "vendor.dependabot", file)


def security(tree):
    return judged(program("zizmor"), "--offline", "--no-progress", "--color", "never", tree.root / ".github")


def shell(tree):
    """Every run block, as GitHub runs it: bash, ended by a failure, an unset variable or a failure within a pipe."""
    checker, said = program("shellcheck"), []
    for where, workflow, _, step in tree.runs():
        shell = step.get("shell") or workflow.get("defaults", {}).get("run", {}).get("shell")
        if shell != "bash --noprofile --norc -euo pipefail {0}":
            said.append(f"{where}: runs by {shell}")
        script = f"#!/usr/bin/env bash\nset -euo pipefail\n{step['run']}"
        found = judged(checker, "--shell=bash", "--format=gcc", "-", input=script)
        if found:
            said.append(f"{where}: {found}")
    return "\n".join(said)
