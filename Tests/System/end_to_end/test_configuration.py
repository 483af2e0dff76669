"""The command line and the environment variables."""

import os
import pathlib
import re
import socket
import subprocess
import time

import pytest

from support.ports import free_port
from support.project import BINARY
from support.server import items
from support.waiting import until
from support.wire import Wire

VARIABLES = """
    PORT HOST ENVIRONMENT WORKERS BASE_PATH HEALTH_PATHS HEALTH_DB_GRACE_MS DB_HOST DB_PORT DB_NAME DB_USER DB_PASSWORD
    DB_PASSWORD_FILE DB_SSLMODE DB_SSLROOTCERT DB_PREPARED MIGRATE_ON_START DB_POOL_MIN DB_POOL_MAX DB_POOL_TIMEOUT_MS
    DB_STATEMENT_TIMEOUT_MS DB_CONNECT_TIMEOUT_MS INSTANCE_ID LOG_LEVEL ACCESS_LOG MAX_CONNECTIONS MAX_BODY_BYTES
    MAX_HEADER_BYTES MAX_HEADER_COUNT HEADER_TIMEOUT_MS BODY_TIMEOUT_MS WRITE_TIMEOUT_MS REQUEST_TIMEOUT_MS
    TRUSTED_PROXIES KEEPALIVE_TIMEOUT_MS DRAIN_DELAY_MS DRAIN_TIMEOUT_MS
""".split()
BAD = {
    "PORT": "65536",
    "WORKERS": "-1",
    "DB_PORT": "x",
    "DB_POOL_MIN": "two",
    "DB_POOL_TIMEOUT_MS": "3s",
    "DB_SSLMODE": "perhaps",
    "DB_PREPARED": "maybe",
    "LOG_LEVEL": "loud",
    "MAX_BODY_BYTES": "1e6",
    "TRUSTED_PROXIES": "10.0.0.0/99",
    "BASE_PATH": "no slash",
    "DRAIN_DELAY_MS": "-5",
    "DB_PASSWORD_FILE": "/nonexistent/password",
}


def output(run):
    return run.stdout + run.stderr


class TestCheckConfig:
    def test_shows_every_variable(self):
        run = items("check-config", DB_HOST="/tmp")
        assert run.returncode == 0, output(run)
        assert [name for name in VARIABLES if not re.search(rf"^\W*{name}\b", run.stdout, re.MULTILINE)] == []

    @pytest.mark.parametrize("name, value", [("PORT", "8123"), ("DB_NAME", "other"), ("KEEPALIVE_TIMEOUT_MS", "61234")])
    def test_shows_the_effective_value(self, name, value):
        assert re.search(rf"{name}\b.*\b{value}\b", items("check-config", DB_HOST="/tmp", **{name: value}).stdout)

    @pytest.mark.parametrize("name, value", [("PORT", "5001"), ("DB_POOL_MAX", "10"), ("DB_USER", "items")])
    def test_shows_the_default(self, name, value):
        assert re.search(rf"{name}\b.*\b{value}\b", items("check-config", DB_HOST="/tmp").stdout)

    def test_redacts_the_password(self):
        run = items("check-config", DB_HOST="/tmp", DB_PASSWORD="hunter2-hunter2")
        assert run.returncode == 0 and "hunter2" not in output(run)

    @pytest.mark.parametrize("command", ["check-config", "serve", "migrate"])
    def test_names_every_bad_variable_at_once(self, command):
        run = items(command, DB_HOST="/tmp", **BAD)
        assert run.returncode == 78, output(run)
        assert [name for name in BAD if name not in output(run)] == []
        assert "DB_NAME" not in run.stderr, "a valid variable was named"

    @pytest.mark.parametrize(
        "environment, names",
        [
            ({"DB_POOL_MIN": "5", "DB_POOL_MAX": "4"}, {"DB_POOL_MIN", "DB_POOL_MAX"}),
            (
                {"DB_POOL_TIMEOUT_MS": "9000", "DB_STATEMENT_TIMEOUT_MS": "9000"},
                {"DB_POOL_TIMEOUT_MS", "REQUEST_TIMEOUT_MS"},
            ),
        ],
    )
    def test_refuses_values_that_do_not_go_together(self, environment, names):
        run = items("check-config", DB_HOST="/tmp", **environment)
        assert run.returncode == 78
        assert [name for name in names if name not in output(run)] == []

    def test_reports_the_lower_connection_limit_of_a_small_memory(self, database, launch):
        settings = {"MEMORY_MIB": "16", "MAX_CONNECTIONS": "9000"}
        run = items("check-config", DB_HOST="/tmp", **settings)
        (shown,) = re.findall(r"^MAX_CONNECTIONS=(\d+) \(9000 ", run.stdout, re.MULTILINE)
        assert f"warning: MAX_CONNECTIONS is lowered from 9000 to {shown}" in run.stderr
        server = launch(database.environment, **settings).wait_until_healthy()
        (line,) = [line for line in server.logs() if "MAX_CONNECTIONS" in line["msg"]]
        assert line["level"] == "WARNING" and f"from 9000 to {shown}: MEMORY_MIB of 16" in line["msg"]

    def test_only_warns_of_a_short_keep_alive(self):
        assert items("check-config", DB_HOST="/tmp", KEEPALIVE_TIMEOUT_MS="30000").returncode == 0

    def test_a_bad_password_is_not_shown_with_its_variable(self, tmp_path):
        run = items("check-config", DB_HOST="/tmp", DB_PASSWORD="hunter2\nhunter2", PORT="x")
        assert run.returncode == 78 and "hunter2" not in output(run)


class TestPassword:
    @pytest.mark.parametrize("source", ["DB_PASSWORD", "DB_PASSWORD_FILE", "CREDENTIALS_DIRECTORY"])
    def test_comes_from_the_environment_a_file_or_the_credentials(self, source, tmp_path, cluster, database, launch):
        file = tmp_path / "db-password"
        file.write_text("any\n")
        value = {"DB_PASSWORD": "any", "DB_PASSWORD_FILE": str(file), "CREDENTIALS_DIRECTORY": str(tmp_path)}[source]
        launch(database.environment, **{source: value}).wait_until_healthy()


class TestCommandLine:
    def test_shows_its_version(self):
        run = items("--version")
        assert run.returncode == 0 and re.search(r"\d+\.\d+", run.stdout)

    def test_shows_its_commands(self):
        run = items("--help")
        assert run.returncode == 0
        for command in ("serve", "migrate", "healthcheck", "check-config"):
            assert command in run.stdout

    @pytest.mark.parametrize("arguments", [["no-such-command"], ["serve", "--no-such-option"]])
    def test_refuses_what_it_does_not_know(self, arguments):
        run = items(*arguments)
        assert run.returncode not in (0, 78) and run.stderr


class TestHealthcheck:
    def test_is_0_while_the_server_serves(self, server):
        assert items("healthcheck", PORT=str(server.port)).returncode == 0

    def test_is_1_when_nobody_listens(self):
        began = time.monotonic()
        assert items("healthcheck", PORT=str(free_port())).returncode == 1
        assert time.monotonic() - began < 5


@pytest.mark.parametrize("is_shared", [False, True])
def test_a_port_in_use_ends_the_start(database, launch, is_shared):
    """The port is used by another program, with or without SO_REUSEPORT: with it the kernel would divide the
    clients between both."""

    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, is_shared)
        other.bind(("127.0.0.1", 0))
        other.listen()
        environment = {"PATH": os.environ["PATH"], "HOST": "127.0.0.1", "PORT": str(other.getsockname()[1])}
        run = subprocess.run(
            [BINARY, "serve"], env={**environment, **database.environment}, capture_output=True, text=True, timeout=20
        )
        assert run.returncode == 1
        assert "Cannot listen" in output(run) and str(other.getsockname()[1]) in output(run)


def test_a_second_server_on_the_port_ends_and_leaves_the_first_its_clients(database, launch):
    server = launch(database.environment).wait_until_healthy()
    run = subprocess.run([BINARY, "serve"], env=server.environment, capture_output=True, text=True, timeout=20)
    assert run.returncode == 1
    assert "Cannot listen" in output(run)
    for _ in range(20):
        assert server.get("/health/live").status_code == 200


def test_a_restart_succeeds_right_after_the_server_closed_connections(database, launch):
    server = launch(database.environment).wait_until_healthy()
    with Wire(server) as wire:
        wire.send("GET /health/live HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert wire.read().status_code == 200
        assert wire.closed()
    local = f"0100007F:{server.port:04X}"
    time_wait = [line.split() for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()]
    assert [fields for fields in time_wait if fields[1] == local and fields[3] == "06"], "no connection is in TIME_WAIT"
    server.stop()
    launch(server.environment).wait_until_healthy()


class TestArguments:
    """The arguments are parsed without /proc, and when a preloaded library sets variables."""

    COMMANDS = [(["healthcheck"], 1), (["--version"], 0), (["check-config"], 78), (["no-such-command"], 64), ([], 64)]

    @pytest.mark.skipif(os.geteuid() != 0, reason="unshare(1) needs root for a mount namespace")
    @pytest.mark.parametrize("arguments, status", COMMANDS)
    def test_without_proc(self, arguments, status):
        hidden = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /proc; exec "$@"', "sh", BINARY]
        environment = {"PATH": os.environ["PATH"], "PORT": str(free_port())}
        run = subprocess.run([*hidden, *arguments], env=environment, capture_output=True, text=True, timeout=20)
        assert run.returncode == status, output(run)

    @pytest.mark.parametrize("arguments, status", COMMANDS)
    def test_with_a_library_that_sets_a_variable(self, arguments, status, tmp_path):
        source, library = tmp_path / "set.c", tmp_path / "set.so"
        source.write_text(
            "#include <stdlib.h>\n"
            '__attribute__((constructor)) static void set(void) { setenv("A_NEW_VARIABLE", "x", 1); }\n'
        )
        subprocess.run(["clang", "-shared", "-fPIC", "-o", library, source], check=True)
        run = items(*arguments, LD_PRELOAD=str(library), PORT=str(free_port()))
        assert run.returncode == status, output(run)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_closed_standard_descriptor_is_not_reused(database, number):
    port = free_port()
    environment = {"PATH": os.environ["PATH"], "PORT": str(port), "HOST": "127.0.0.1", "DRAIN_DELAY_MS": "0"}
    environment |= database.environment
    closed = ["sh", "-c", f'exec "$@" {number}>&-', "sh", BINARY, "serve"]
    with open(os.devnull, "r+b") as null:
        process = subprocess.Popen(closed, env=environment, stdin=null, stdout=null, stderr=null)
        try:
            until(lambda: items("healthcheck", PORT=str(port), HOST="127.0.0.1").returncode == 0)
            assert os.readlink(f"/proc/{process.pid}/fd/{number}") == os.devnull
        finally:
            process.terminate()
            assert process.wait(20) == 0


class TestServiceManager:
    """Invalid values of the variables that systemd sets."""

    WRONG = {
        "LISTEN_FDS": ["x", "-1", "2", "99999999999999999999", "1"],
        "LISTEN_PID": ["x", "0", "99999999999999999999"],
        "NOTIFY_SOCKET": ["relative", "@", "/" + "a" * 200],
        "WATCHDOG_USEC": ["x", "0", "-1", "18000000000000000", "18446744073709551615", "9" * 40],
    }

    @pytest.mark.parametrize("name, value", [(name, value) for name, values in WRONG.items() for value in values])
    def test_refuses_an_invalid_variable_by_name(self, name, value):
        # LISTEN_FDS=1 is invalid here because descriptor 3 is not a listening socket.
        told = {"LISTEN_FDS": "1", "LISTEN_PID": ""} if name == "LISTEN_PID" else {}
        for command in ("serve", "check-config"):
            run = items(command, DB_HOST="/tmp", PORT="0", **{**told, name: value})
            assert run.returncode == 78, output(run)
            assert name in run.stderr
