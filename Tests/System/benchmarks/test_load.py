import pytest

from bench import load
from bench.failure import Failure
from bench.workload import WORKLOADS

TOLD = (
    '@@{"requests":2000,"microseconds":2000000,"p50_us":500,"p90_us":900,"p99_us":1250,"p999_us":3000,"max_us":9000,'
    '"refused":0,"socket_errors":0}'
)
AROUND = "Running 2s test @ http://127.0.0.1:5001/\n  1 threads and 64 connections\n{}\nRequests/sec: 1000.00\n"


def test_the_line_of_the_script_is_found_amid_what_wrk_prints():
    told = load.parse(AROUND.format(TOLD))
    assert (told.requests, told.seconds, told.rate) == (2000, 2.0, 1000.0)


def test_latencies_come_in_milliseconds():
    told = load.parse(TOLD)
    assert (told.p50_ms, told.p90_ms, told.p99_ms, told.p999_ms, told.max_ms) == (0.5, 0.9, 1.25, 3.0, 9.0)


def test_refused_requests_are_no_part_of_the_rate():
    assert load.parse(TOLD.replace('"refused":0', '"refused":500')).rate == 750.0


def test_a_run_without_time_has_no_rate():
    assert load.parse(TOLD.replace("2000000", "0")).rate == 0.0


@pytest.mark.parametrize("output", ["", "unable to connect to 127.0.0.1:5001 Connection refused"])
def test_output_without_that_line_fails_with_what_wrk_said(output):
    with pytest.raises(Failure, match=output or "it said nothing"):
        load.parse(output)


def test_a_missing_wrk_is_named_with_its_package(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(Failure, match="apt-get install wrk"):
        load.require()


def test_the_command_names_connections_seconds_and_path():
    words = load.command(5001, WORKLOADS["list"], 8, 3)
    assert {"-c8", "-d3s"} <= set(words)
    assert words[-1] == "http://127.0.0.1:5001/api/items?limit=20"
