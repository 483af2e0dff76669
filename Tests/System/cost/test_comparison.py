"""The verdict on measured figures, and the tables."""

import copy
import os

import pytest

import record
import report
from record import Figures
from workload import WORKLOADS

RECORDED = Figures(
    load={"connections": 16, "warm_up": 10, "rounds": 60, "turns": 3},
    versions={"architecture": "x86_64", "swift": "6.3.1"},
    instructions={"root": 20_000, "item": 40_000},
    calls={"root": {"read": 1.0, "sendto": 1.0}, "item": {"read": 1.0, "sendto": 1.0, "recvfrom": 0.5}},
)


@pytest.fixture
def now():
    return copy.deepcopy(RECORDED)


def judged(now):
    return report.verdict(now, RECORDED)


def test_the_same_figures_pass_without_a_warning(now):
    assert judged(now) == (True, [])


def test_eleven_percent_more_instructions_fail(now):
    now.instructions["item"] *= 1.11
    passed, sentences = judged(now)
    assert not passed
    assert sentences == [
        "item: instructions per request are 11.0% above the record (44,400.00, recorded 40,000.00)",
        "more than 10% above the record fails; when it is worth it: make cost RECORD=1",
    ]


def test_nine_percent_more_instructions_pass(now):
    now.instructions["item"] *= 1.09
    assert judged(now) == (True, [])


def test_one_system_call_more_fails(now):
    now.calls["root"]["write"] = 1.0
    passed, sentences = judged(now)
    assert not passed
    assert sentences[0] == "root: system calls per request are 50.0% above the record (3.00, recorded 2.00)"


def test_a_call_replaced_by_another_passes(now):
    now.calls["root"] = {"recvfrom": 1.0, "sendto": 1.0}
    assert judged(now) == (True, [])


def test_eleven_percent_less_passes_and_asks_for_a_new_record(now):
    now.instructions["root"] *= 0.89
    passed, sentences = judged(now)
    assert passed
    assert sentences[-1] == "the record should be renewed: make cost RECORD=1"


def test_an_improvement_does_not_offset_a_regression(now):
    now.instructions["root"] *= 0.5
    now.instructions["item"] *= 1.2
    assert not judged(now)[0]


def test_a_workload_that_is_not_on_record_is_not_judged(now):
    now.instructions["new"], now.calls["new"] = 1e9, {"read": 1e9}
    assert judged(now) == (True, [])


def test_instructions_of_another_architecture_are_not_judged_but_its_calls_are(now):
    now.versions["architecture"] = "aarch64"
    now.instructions["root"] *= 2
    assert judged(now) == (True, [])
    now.calls["root"]["write"] = 1.0
    assert not judged(now)[0]


def test_a_record_of_another_load_fails(now):
    now.load["connections"] = 64
    assert judged(now) == (False, ["the record is of another load, so nothing can be compared: make cost RECORD=1"])


def test_other_versions_are_named(now):
    now.versions["swift"] = "6.4"
    assert report.other_versions(now, RECORDED) == ["swift 6.4 (recorded with 6.3.1)"]


def test_the_tables_say_what_a_changed_figure_was(now):
    now.instructions["root"] = 21_000
    now.calls["root"]["sendto"] = 1.25
    del now.calls["item"]["recvfrom"]
    assert report.instructions_table(now, RECORDED).splitlines()[2:] == [
        "| root | 21,000 | 20,000 | +5.0 % |",
        "| item | 40,000 | 40,000 | +0.0 % |",
    ]
    assert report.calls_table(now, RECORDED).splitlines() == [
        "| workload | read | sendto | recvfrom | all | difference |",
        "| --- | --- | --- | --- | --- | --- |",
        "| root | 1.00 | 1.25 (was 1.00) | – | 2.25 (was 2.00) | +12.5 % |",
        "| item | 1.00 | 1.00 | – (was 0.50) | 2.00 (was 2.50) | -20.0 % |",
    ]


def test_the_last_line_is_the_verdict(now):
    assert report.comparison(now, RECORDED)[1][-1] == "cost: ok"
    now.instructions["item"] *= 1.11
    assert report.comparison(now, RECORDED)[1][-1] == "cost: FAILED"


def test_figures_survive_being_written_down(tmp_path):
    path = tmp_path / "record.json"
    RECORDED.save(path)
    assert record.load_figures(path) == RECORDED


def test_the_record_has_every_workload_under_todays_load():
    here = os.path.dirname(record.__file__)
    figures = record.load_figures(os.path.join(here, "record.json"))
    assert set(figures.instructions) == set(figures.calls) == set(WORKLOADS)
    assert figures.load == vars(record.Load())
