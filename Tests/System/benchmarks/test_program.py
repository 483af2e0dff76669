import pytest

from bench import program, rounds
from bench.failure import Failure
from bench.workload import WORKLOADS


def test_another_build_migrates_with_the_command_it_serves_with():
    made = program.contract("against", "against", "env WORKERS=1 '../my items/items' serve")
    assert made.command == ("env", "WORKERS=1", "../my items/items", "serve")
    assert made.migration == ("env", "WORKERS=1", "../my items/items", "migrate")


def test_a_command_that_does_not_serve_is_refused():
    with pytest.raises(Failure, match="items serve"):
        program.contract("against", "against", "../other/items")


def test_a_missing_binary_is_named_with_the_target_that_builds_it(tmp_path):
    with pytest.raises(Failure, match="make build"):
        program.ours(tmp_path / "items")


def test_all_peers_come_in_the_order_of_the_tables():
    assert [entry.name for entry in program.peers("all")] == list(program.PEERS)


def test_peers_are_chosen_by_name():
    assert [entry.name for entry in program.peers("go,flask")] == ["go", "flask"]
    assert program.peers("") == []


def test_an_unknown_peer_is_named_beside_those_there_are():
    with pytest.raises(Failure, match="no peer rust; there are cfloor, nginx"):
        program.peers("go,rust")


@pytest.mark.parametrize("entry", program.PEERS.values(), ids=list(program.PEERS))
def test_every_peer_has_its_scripts(entry):
    for name in ("build", "start"):
        assert (entry.folder / name).stat().st_mode & 0o111


@pytest.mark.parametrize(
    ("versions", "title"),
    [("nginx version: nginx/1.22.1", "nginx 1.22"), ("go version go1.19.8, pgx 4.15", "nginx 1.19"), ("", "nginx")],
)
def test_a_title_holds_the_version_that_was_built(versions, title):
    assert program.PEERS["nginx"].titled(versions) == title


@pytest.fixture
def broken(tmp_path):
    """A peer whose build fails with a message."""
    (tmp_path / "build").write_text("#!/bin/sh\necho 'it needs the package x' >&2\nexit 1\n")
    (tmp_path / "build").chmod(0o755)
    return program.Program("broken", "broken", ("false",), folder=tmp_path)


def test_a_peer_that_cannot_be_built_is_left_out_and_reported(broken, record, capsys):
    made = record()
    assert rounds.prepare([broken], WORKLOADS.values(), made) == []
    assert made.left_out == {"broken": "it needs the package x"}
    assert capsys.readouterr().err == "left out: broken: it needs the package x\n"


def test_a_peer_without_the_workload_is_left_out_and_reported(record):
    made = record()
    assert rounds.prepare([program.PEERS["nginx"]], [WORKLOADS["item"]], made) == []
    assert made.left_out == {"nginx": "it has none of item"}


def test_the_own_server_is_never_left_out(record):
    own = program.contract("items", "items", "items serve")
    with pytest.raises(Failure, match="it broke"):
        rounds.leave_out(own, Failure("it broke"), record())
