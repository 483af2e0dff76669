"""A client generated from the document: its types hold, and it works."""

import os
import pathlib
import subprocess
import sys

import pytest

PROGRAM = pathlib.Path(__file__).with_name("orders_program.py")


def run(*command, **options):
    run = subprocess.run([sys.executable, *command], capture_output=True, text=True, timeout=120, **options)
    assert run.returncode == 0, run.stdout + run.stderr
    return run


@pytest.fixture(scope="module")
def generated(orders, tmp_path_factory):
    """The folder of the generated package."""
    folder = tmp_path_factory.mktemp("generated")
    (folder / "openapi.json").write_bytes(orders.get("/openapi.json").content)
    # Without the formatter that runs behind the generator.
    (folder / "config.yml").write_text("post_hooks: []\npackage_name_override: orders_client\n")
    output = ("--output-path", folder / "orders_client", "--meta", "none", "--config", folder / "config.yml")
    told = run("-m", "openapi_python_client", "generate", "--path", folder / "openapi.json", "--fail-on-warning", *output)
    assert "warning" not in told.stdout.lower(), told.stdout
    return folder


def test_the_program_has_the_clients_types(generated):
    options = ("--strict", "--cache-dir", generated / "cache")
    run("-m", "mypy", *options, PROGRAM, env={**os.environ, "MYPYPATH": str(generated)})


def test_the_program_works(generated, orders):
    run(PROGRAM, orders.url, env={**os.environ, "PYTHONPATH": str(generated)})
