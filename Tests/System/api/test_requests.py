"""Schemathesis makes requests from the document, good and bad ones, also one after the other, and checks every answer."""

import pathlib
import subprocess
import sys

CONFIGURATION = pathlib.Path(__file__).with_name("schemathesis.toml")
EXAMPLES = 30
SECONDS = 240


def test_no_answer_contradicts_the_document(orders, tmp_path):
    command = [pathlib.Path(sys.executable).with_name("st"), "--config-file", CONFIGURATION, "--no-color", "run"]
    options = ["--checks", "all", "--seed", "1", "--generation-deterministic", "--max-examples", str(EXAMPLES)]
    command += [f"{orders.url}/openapi.json", *options]
    # It keeps a folder where it runs.
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=SECONDS)
    assert run.returncode == 0, run.stdout + run.stderr
    assert orders.process.poll() is None
