"""Tests each invariant: a passing run that is changed in one way violates the matching invariant only."""

import collections
import types

import pytest

from invariants import Judgement
from load import CREATE, HEALTH, ITEM, PROBE, Record
from scenario import Scenario
from service import POOL_MAX
from world import Usage

FAULT, HEALED, STOPPED = 10.0, 12.0, 15.0


def answer(kind, start, status, seconds=0.002, retry_after=False, detail="", type=None):
    type = type or ("/problems/unavailable" if status == 503 else "about:blank")
    error = f'{{"type":"{type}"' if status >= 300 else ""
    return Record(kind, start, start + seconds, status, retry_after, detail, error)


def usage(**changes):
    values = {"descriptors": collections.Counter(established=67), "threads": 5, "memory": 30.0, **changes}
    return Usage(**values)


@pytest.fixture
def run():
    """A run that succeeds before and after the outage and is refused at once during it."""
    records, stored = [], {}
    for number in range(140):
        start = 8.0 + number * 0.05
        away = FAULT <= start < HEALED
        name = f"name {number}"
        status = 503 if away else 201
        records.append(answer(CREATE, start, status, retry_after=away, detail=name))
        records.append(answer(ITEM, start + 0.01, 503 if away else 200, retry_after=away))
        records.append(answer(HEALTH, start + 0.02, 503 if away else 200))
        records.append(answer(PROBE, start + 0.03, 200, detail="/metrics"))
        if not away:
            stored[name] = 1
    return types.SimpleNamespace(
        scenario=Scenario("made up", None, None, goal=1.0, known_within=0.5),
        records=records,
        stored=stored,
        fault_at=FAULT,
        away_at=FAULT,
        healed_at=HEALED,
        stopped_at=STOPPED,
        lag=0.0,
        verdicts=[],
        figures={},
        none_fail_between=[],
        exit_status=None,
        usage_before=usage(),
        usage_after=usage(),
        observer=types.SimpleNamespace(connections=POOL_MAX, sockets=POOL_MAX, samples=500, oldest_statement=0.1),
    )


def violated(run):
    return [verdict.name for verdict in Judgement(run).verdicts if not verdict.held]


def acknowledged(run):
    return next(record for record in run.records if record.kind == CREATE and record.status == 201)


def test_a_good_run_holds(run):
    assert violated(run) == []


def test_its_figures_are_measured(run):
    figures = Judgement(run).figures
    assert figures["first_failure_ms"] == 2 and figures["outage_ms"] == 2000
    assert figures["first_write_ms"] == 2 and figures["first_read_ms"] == 12
    assert figures["failed_by_status"] == {"503": 80} and figures["failed_reads"] == 40
    assert figures["acknowledged"] == 100 and figures["lost"] == figures["twice"] == 0


@pytest.mark.parametrize("status", [0, 404, 409, 500, 502])
def test_other_answers_are_found(run, status):
    run.records.append(answer(ITEM, 11.0, status))
    assert violated(run) == ["only 2xx, 503 and 504"]


def test_a_refusal_without_retry_after_is_found(run):
    run.records.append(answer(ITEM, 11.0, 503))
    assert violated(run) == ["every 503 has Retry-After, except after an unknown outcome"]


@pytest.mark.parametrize("retry_after", [True, False])
def test_retry_after_an_unknown_outcome_without_a_key_is_found(run, retry_after):
    unknown = answer(CREATE, 11.0, 503, retry_after=retry_after, detail="x", type="/problems/outcome-unknown")
    run.records.append(unknown)
    assert violated(run) == (["every 503 has Retry-After, except after an unknown outcome"] if retry_after else [])


def test_a_refusal_without_a_type_is_found(run):
    run.records.append(answer(ITEM, 11.0, 503, retry_after=True, type="about:blank"))
    assert violated(run) == ["every 503 has a type that says whether a write may have happened"]


def test_a_write_that_was_answered_unavailable_and_happened_is_found(run):
    run.records.append(answer(CREATE, 11.0, 503, retry_after=True, detail="refused"))
    assert violated(run) == []
    run.stored["refused"] = 1
    assert violated(run) == ["no write that was answered unavailable is in the table"]


def test_an_answer_past_the_deadline_is_found(run):
    run.records.append(answer(ITEM, 10.0, 504, seconds=4.9))
    assert violated(run) == ["answers within the request's deadline", "no failure in the end"]


def test_a_failure_before_the_fault_is_found(run):
    run.records.append(answer(ITEM, 9.0, 503, retry_after=True))
    assert violated(run) == ["no failure before the fault"]


def test_a_late_return_is_found(run):
    run.healed_at = HEALED - 1.2
    assert violated(run) == ["first write within 1 s", "first read within 1 s"]


def test_a_return_that_never_comes_is_found(run):
    run.records = [record for record in run.records if record.kind != CREATE or record.start < FAULT]
    run.stored = {record.detail: 1 for record in run.records if record.kind == CREATE}
    assert violated(run) == ["first write within 1 s"]


def test_failures_that_go_on_are_found(run):
    run.records.append(answer(ITEM, 14.5, 503, retry_after=True))
    assert violated(run) == ["no failure in the end"]


def test_refusals_that_wait_are_found(run):
    for record in run.records:
        if record.status == 503 and record.start > 11:
            record.end += 0.8
    assert violated(run) == ["refusals do not wait"]


def test_refusals_may_wait_until_the_database_is_known_to_be_away(run):
    for record in run.records:
        if record.status == 503 and record.start < 10.4:
            record.end += 0.8
    assert violated(run) == []


def test_an_outage_without_requests_proves_nothing(run):
    run.records = [record for record in run.records if not FAULT <= record.start < HEALED]
    assert violated(run) == ["refusals do not wait"]


def test_a_failed_read_is_found_where_none_may_fail(run):
    run.scenario.reads_fail = False
    assert violated(run) == ["no read fails"]


def test_a_failed_request_is_found_where_none_may_fail(run):
    run.none_fail_between = [(0, 11.0)]
    assert violated(run) == ["no request fails"]


def test_a_slow_probe_is_found(run):
    run.records.append(answer(PROBE, 10.5, 200, seconds=1.5, detail="/health/live"))
    assert violated(run) == ["/health/live, /metrics and / stay quick"]


def test_the_delay_of_the_generator_is_not_counted_against_the_service(run):
    run.records.append(answer(PROBE, 10.5, 200, seconds=1.5, detail="/health/live"))
    run.lag = 0.6
    assert violated(run) == []


def test_a_lost_write_is_found(run):
    del run.stored[acknowledged(run).detail]
    assert violated(run) == ["every acknowledged write is there"]


def test_a_write_that_happened_twice_is_found(run):
    run.stored[acknowledged(run).detail] = 2
    assert violated(run) == ["no write happened twice"]


def test_a_refused_write_that_happened_once_is_allowed_and_twice_is_not(run):
    refused = answer(CREATE, 11.0, 503, detail="refused", type="/problems/outcome-unknown")
    run.records.append(refused)
    run.stored[refused.detail] = 1
    assert violated(run) == []
    run.stored[refused.detail] = 2
    assert violated(run) == ["no write happened twice"]


def test_a_run_without_writes_proves_nothing(run):
    run.records = [record for record in run.records if record.kind != CREATE]
    assert "every acknowledged write is there" in violated(run)


def test_only_a_lookup_may_be_404_after_its_table_was_dropped(run):
    run.records.append(answer(ITEM, 10.5, 404))
    assert violated(run) == ["only 2xx, 503 and 504"]
    run.scenario.forgets = True
    assert violated(run) == []
    run.records.append(answer(CREATE, 10.5, 404))
    assert violated(run) == ["only 2xx, 503 and 504"]


def test_a_service_that_ended_is_found(run):
    run.exit_status, run.usage_after = -4, None
    assert violated(run) == ["the same process to the end"]


def test_a_connection_too_many_is_found(run):
    run.observer.connections = POOL_MAX + 1
    assert violated(run) == [f"at most {POOL_MAX} connections (server)"]


def test_an_observer_that_saw_nothing_proves_nothing(run):
    run.observer.samples = 3
    assert violated(run) == ["the observer saw enough"]


def test_a_statement_that_goes_on_is_found(run):
    run.observer.oldest_statement = 3
    assert violated(run) == ["statements end at the server"]


def test_lost_descriptors_threads_and_memory_are_found(run):
    run.usage_after = usage(descriptors=collections.Counter(established=80), threads=9, memory=200.0)
    assert violated(run) == ["no descriptor is lost", "no thread is lost", "no memory is lost"]
