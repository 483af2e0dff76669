import dataclasses

import pytest

from bench import options, record, report, steady
from bench.sample import Sample


def minute(cpu=0.010, resident=14.0, **more):
    values = {field.name: 0 for field in dataclasses.fields(Sample)}
    values |= {"program": "items", "workload": "item", "server_cpu": cpu, "resident_mib": resident, **more}
    return Sample(**values)


def told(samples):
    made = record.Record({"mode": "steady"}, {}, {"items": "items"})
    made.figures["steady"] = [dataclasses.asdict(taken) for taken in samples]
    return made


def test_ten_minutes_are_measured():
    given = options.parse(["steady"])
    assert (given.minutes, given.seconds, given.concurrency) == (10, 60, [64])


def test_the_first_minute_is_not_judged():
    assert steady.growth([minute(cpu=0.1), *[minute()] * 9]) == (1, 0)


def test_growth_is_that_of_the_medians_of_both_ends():
    samples = [minute(), *[minute()] * 3, *[minute(cpu=0.5)] * 3, minute(0.011, 15), minute(0.9, 90), minute(0.010, 15)]
    assert steady.growth(samples) == pytest.approx((1.1, 1))


@pytest.mark.parametrize(
    ("last", "verdict"), [(minute(0.0104, 14.9), "met"), (minute(0.0107), "MISSED"), (minute(resident=15.2), "MISSED")]
)
def test_the_goal_is_constant_cost_and_constant_memory(last, verdict):
    assert steady.text(told([*[minute()] * 7, *[last] * 3])).endswith(f": {verdict}")


def test_a_short_run_has_no_verdict():
    assert "goal" not in steady.text(told([minute()] * 6))


def test_a_minute_with_refusals_voids_the_run():
    assert report.is_void(told([minute(), minute(refused=1)]))
    assert not report.is_void(told([minute()]))
