import pytest

from bench import __main__ as program
from bench import cluster, options
from bench.failure import Failure


def test_without_options_everything_is_measured_thrice():
    given = options.parse(["run"])
    assert (given.rounds, given.seconds, given.warm_up) == (3, 3, 1)
    assert (given.rows, given.concurrency, given.peers) == ([10000], [64], "")
    assert [workload.name for workload in given.workloads] == ["root", "health", "list", "item", "create"]


def test_a_curve_is_drawn_over_powers_of_two():
    given = options.parse(["curve"])
    assert (given.concurrency, given.plot) == ([1, 2, 4, 8, 16, 32, 64, 128, 256, 512], "curve.svg")


def test_the_scale_takes_two_numbers_of_rows_and_of_connections():
    given = options.parse(["scale"])
    assert (given.rows, given.concurrency) == ([10000, 1000000], [64, 1000])


def test_lists_are_split_at_commas():
    given = options.parse(["run", "--workloads", "item,root", "--concurrency", "1,8", "--rows", "20,1000000"])
    assert [workload.name for workload in given.workloads] == ["item", "root"]
    assert (given.concurrency, given.rows) == ([1, 8], [20, 1000000])


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ([], "MODE"),
        (["race"], "invalid choice"),
        (["run", "--workloads", "item,delete"], "no workload delete; there are root"),
        (["run", "--concurrency", "1,x"], "from 1 on, not: 1,x"),
        (["run", "--concurrency", "50000"], "at most 20000 connections"),
        (["run", "--rounds", "0"], "from 1 on, not: 0"),
        (["run", "--rounds", "1,2"], "one number, not: 1,2"),
        (["run", "--seconds", "0.5"], "from 1 on, not: 0.5"),
        (["latency", "--rate", "-5"], "from 1 on, not: -5"),
        (["show"], "FILE"),
    ],
)
def test_a_bad_command_line_is_explained(words, complaint, capsys):
    with pytest.raises(SystemExit) as ended:
        options.parse(words)
    assert ended.value.code == 2
    assert complaint in capsys.readouterr().err


def test_fewer_rows_than_a_page_are_refused():
    with pytest.raises(Failure, match="20 at least"):
        options.parse(["run", "--rows", "19"])


def test_options_go_into_the_record_as_plain_values():
    assert options.plain(options.parse(["run", "--workloads", "item"]))["workloads"] == ["item"]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["show", "/nowhere/out.json"], "no record can be read"),
        (["run", "--rows", "5"], "ROWS must be 20 at least"),
    ],
)
def test_a_failure_is_one_line_and_exit_status_1(words, complaint, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["bench", *words])
    assert program.main() == 1
    said = capsys.readouterr().err
    assert said.startswith("bench: ") and complaint in said and said.count("\n") == 1


def test_a_run_without_a_cluster_says_how_to_start_it(monkeypatch, capsys):
    for name in cluster.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("bench.load.require", lambda: None)
    monkeypatch.setenv("ITEMS_BINARY", "/bin/true")
    monkeypatch.setattr("sys.argv", ["bench", "run"])
    assert program.main() == 1
    assert "scripts/bench" in capsys.readouterr().err
