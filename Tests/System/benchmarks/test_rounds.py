import argparse

import pytest

from bench import program, rounds
from bench.failure import Failure
from bench.workload import WORKLOADS


@pytest.fixture
def visits(sample, monkeypatch):
    """Replaces the measurement; returns the list of measured (program, rows, workload, connections), in order."""
    seen = []

    class Server:
        def __init__(self, entry, cluster, port):
            self.entry = entry

        __enter__ = lambda self: self
        __exit__ = lambda self, *_: None

        def check(self, workload):
            if self.entry.name == "broken":
                raise Failure("broken: it answered 500")

    def measure(server, cluster, workload, connections, rows, seconds, warm_up):
        seen.append((server.entry.name, rows, workload.name, connections))
        return sample(program=server.entry.name, workload=workload.name, connections=connections, rows=rows)

    monkeypatch.setattr(rounds, "Server", Server)
    monkeypatch.setattr(rounds.sample, "measure", measure)
    monkeypatch.setattr(rounds, "lay_tables", lambda *_: None)
    return seen


def run(record, *programs, workloads=("item",), rounds_=2, rows=(20,), concurrency=(64,)):
    given = argparse.Namespace(
        rounds=rounds_, rows=list(rows), concurrency=list(concurrency), seconds=1, warm_up=1, retries=0, port=None
    )
    rounds.run(programs, [WORKLOADS[name] for name in workloads], given, None, record)


OURS = program.contract("items", "items", "items serve")
PEER = program.Program("go", "Go", ("go",))
ROOT_ALONE = program.Program("cfloor", "bare loop", ("cfloor",), workloads=("root",))


def test_servers_take_turns_in_every_round(visits, record):
    run(record(), OURS, PEER)
    assert [name for name, *_ in visits] == ["items", "go", "items", "go"]


def test_every_workload_is_measured_with_every_number_of_connections_and_rows(visits, record):
    run(record(), OURS, workloads=("item", "list"), rounds_=1, rows=(20, 40), concurrency=(1, 8))
    assert visits == [
        ("items", rows, name, connections) for rows in (20, 40) for connections in (1, 8) for name in ("item", "list")
    ]


def test_a_server_is_measured_with_the_workloads_it_has(visits, record):
    run(record(), OURS, ROOT_ALONE, workloads=("root", "item"), rounds_=1)
    assert [(name, workload) for name, _, workload, _ in visits] == [
        ("items", "root"),
        ("items", "item"),
        ("cfloor", "root"),
    ]


def test_a_peer_that_answers_wrongly_is_left_out_of_the_later_rounds(visits, record):
    made = record()
    run(made, OURS, program.Program("broken", "broken", ("x",)), PEER)
    assert [name for name, *_ in visits] == ["items", "go", "items", "go"]
    assert made.left_out == {"broken": "broken: it answered 500"}


def test_every_sample_goes_into_the_record(visits, record):
    made = record()
    run(made, OURS, PEER)
    assert len(made.samples) == 4


def test_a_noisy_sample_is_taken_again_and_the_quietest_counts(sample):
    taken = iter([sample(other_cores=0.5, rate=9.0), sample(other_cores=0.3, rate=1.0), sample(other_cores=0.4)])
    assert rounds.quietest(lambda: next(taken), 2).rate == 1.0


def test_a_quiet_sample_is_not_taken_again(sample):
    taken = iter([sample(other_cores=0.1)])
    assert rounds.quietest(lambda: next(taken), 5).other_cores == 0.1
