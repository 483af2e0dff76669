"""A short soak: honest clients must not be affected by concurrent hostile ones. `make soak` runs a long one."""

import os
import subprocess
import sys

import pytest

from support.project import BINARY, ROOT

SECONDS = 15
SEED = 20_241_101


@pytest.mark.alone
def test_honest_clients_do_not_notice_hostile_ones(database):
    environment = {"PATH": os.environ["PATH"], **database.environment}
    arguments = ["--binary", str(BINARY), "--seconds", str(SECONDS), "--seed", str(SEED)]
    run = subprocess.run(
        [sys.executable, ROOT / "Tests/System/soak", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=SECONDS + 90,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    # Every kind of client must have run: otherwise the soak proves nothing.
    for kind in ("create", "read", "list", "mutations", "slow_head", "slow_body", "deaf", "resets", "pipelined"):
        assert f"\n  {kind} " in run.stdout, run.stdout
