"""Unusual values of all variables: the service starts, or refuses them by name, and is never ended by a signal."""

import random
import re
import signal
import subprocess
import time

import pytest

from support.ports import free_port
from support.project import BINARY, ROOT
from support.server import Server

# Enough rounds to use every variable several times, within a minute.
ROUNDS = 60
STRANGE = """
    0 1 -1 00 65535 65536 1000000 3600000 3600001 2147483648 9223372036854775807 18446744073709551615 1e9 none , / // /a /a/
    /a,/a /health /db /metrics / /api/items/7 /.. :: ::0 0.0.0.0 127.0.0.1 ::ffff:127.0.0.1 localhost [::1] http:// http://[
    http://127.0.0.1:1 https://x:99999999 0.0.0.0/0 10.0.0.0/33 true false disable verify-full /dev/null /tmp x é
""".split()
STRANGE += ["x" * 70_000, "/a" * 10_000, "," * 1000, "\x1b[2J", " ", "\n", "a b"]
VARIABLES = re.findall(
    r'^            Variable\(\s*"(\w+)"',
    (ROOT / "Sources/Chassis/Configuration/Configuration+Variables.swift").read_text(encoding="utf-8"),
    re.MULTILINE,
) + ["ITEMS_COMMIT", "LISTEN_FDS", "LISTEN_PID", "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"]
# Such values of WORKERS are too many threads for this machine, and the drain would take minutes.
LEFT_OUT = {"WORKERS", "DRAIN_DELAY_MS", "DRAIN_TIMEOUT_MS"}


def environments():
    generator = random.Random(20241101)
    for number in range(ROUNDS):
        # Every variable in turn, with up to two others.
        names = {VARIABLES[number % len(VARIABLES)], *generator.sample(VARIABLES, generator.randrange(3))} - LEFT_OUT
        yield {name: generator.choice(STRANGE) for name in sorted(names)}


def test_the_sources_name_the_variables():
    assert {"PORT", "HEALTH_PATHS", "DRAIN_TIMEOUT_MS", "DB_PASSWORD", "ITEMS_COMMIT"} <= set(VARIABLES)


@pytest.mark.parametrize("number, given", enumerate(environments()))
def test_the_service_serves_or_says_what_is_wrong(number, given, tmp_path):
    environment = {"DB_HOST": str(tmp_path), "HOST": "127.0.0.1", "PORT": str(free_port()), "DRAIN_DELAY_MS": "0", **given}
    checked = subprocess.run([BINARY, "check-config"], env=environment, capture_output=True, text=True, timeout=20)
    assert checked.returncode in (0, 78), checked.stderr
    if checked.returncode == 78:
        refused = subprocess.run([BINARY, "serve"], env=environment, capture_output=True, text=True, timeout=20)
        assert refused.returncode == 78 and refused.stderr.startswith("error: "), refused
        return
    server = Server(environment)
    try:
        deadline = time.monotonic() + 20
        while server.process.poll() is None and not server.lines and time.monotonic() < deadline:
            time.sleep(0.02)
        if server.process.poll() is None:
            server.signal(signal.SIGTERM)
        status = server.wait(20)
        said = server.errors() + b"".join(server.lines).decode(errors="replace")
        # The machine may not be able to listen on the address.
        assert status == 0 or status == 1 and "Cannot" in said, said
    finally:
        if server.process.poll() is None:
            server.process.kill()
            server.process.wait()
        server.process.stdout.close()
        server.stderr.close()


@pytest.mark.parametrize("processes", [3, 4, 6, 10])
def test_a_failure_to_start_a_thread_ends_the_start_with_a_message(processes):
    """A loop or the log cannot start its thread: RLIMIT_NPROC applies to every user but root."""
    other = 60_000 + processes
    limited = ["setpriv", f"--reuid={other}", "--clear-groups", "prlimit", f"--nproc={processes}", BINARY, "serve"]
    environment = {"PATH": "/usr/bin:/bin", "DB_HOST": "/nonexistent", "HOST": "127.0.0.1", "PORT": "0", "WORKERS": "20"}
    run = subprocess.run(limited, env=environment, capture_output=True, text=True, timeout=20)
    assert run.returncode == 1, run
    assert "pthread_create" in run.stdout + run.stderr or "thread" in run.stderr
