import pytest

from bench import latency, memory, report
from bench.pace import Pace

PACE = Pace(
    due=60000,
    answered=60000,
    refused=0,
    seconds=60.0,
    p50_ms=0.2,
    p99_ms=1.9,
    p999_ms=4.0,
    max_ms=12.0,
    slow=0,
    stalls=0,
    late_p99_ms=0.1,
    late_max_ms=3.0,
    client_cpu_seconds=5.0,
)


@pytest.fixture
def paced(record):
    """Returns a factory of latency records that meet the goal; keyword arguments replace figures."""

    def make(other_cores=0.0, most_other_cores=0.0, **different):
        made = record()
        made.options = {"mode": "latency", "concurrency": [64], "seconds": 60}
        figure = {"program": "items", "rate": 1000, "maximum": 2000.0}
        figure |= {"other_cores": other_cores, "most_other_cores": most_other_cores}
        made.figures["latency"] = [{**figure, "pace": {**PACE.__dict__, **different}}]
        return made

    return make


def test_the_goal_of_latency_is_met_at_its_limits(paced):
    (figure,) = latency.figures(paced(p99_ms=2.0))
    assert figure.is_met
    assert "goal of items: 99 % within 2 ms and no stall: met" in report.text(paced())


@pytest.mark.parametrize("different", [{"p99_ms": 2.1}, {"stalls": 1}, {"answered": 59999}, {"refused": 1}])
def test_the_goal_of_latency_is_missed(paced, different):
    assert "no stall: MISSED" in report.text(paced(**different))


@pytest.mark.parametrize(
    ("different", "remark"),
    [
        ({"answered": 5}, "VOID: 5 of 60,000 answered, 0 not 200"),
        ({"late_p99_ms": 1.5}, "the client sent late: 99 % within 1.50 ms"),
        ({"other_cores": 0.4}, "noisy: others used 0.40 cores, 0.00 in the worst second"),
        ({"most_other_cores": 0.9}, "noisy: others used 0.00 cores, 0.90 in the worst second"),
    ],
)
def test_conditions_that_affect_a_latency_are_remarked(paced, different, remark):
    assert remark in report.text(paced(**different))


def test_use_by_others_is_computed_between_consecutive_samples():
    others = latency.Others([])
    others.looks = [(10.0, 100.0), (11.0, 100.1), (13.0, 101.7)]
    assert others.cores == pytest.approx([0.1, 0.8])
    assert (others.mean, others.most) == pytest.approx((0.45, 0.8))


def test_a_single_sample_yields_no_use_by_others():
    others = latency.Others([])
    others.look(client=1)
    assert (others.mean, others.most) == (0.0, 0.0)


def test_a_latency_without_all_answers_is_void(paced):
    assert report.is_void(paced(answered=59999))
    assert not report.is_void(paced())


def test_a_void_sample_makes_its_record_void(sample, record):
    assert report.is_void(record(sample(), sample(socket_errors=1)))
    assert not report.is_void(record(sample()))


def test_a_server_that_holds_too_few_connections_is_reported_with_the_others(record):
    made = record()
    made.options = {"mode": "memory", "idle": 10000}
    figure = memory.Figure("go", 14.0, 20.0, 8.6, 16.8, None, None, "no more than 900 connections: refused")
    made.figures["memory"] = [figure.__dict__]
    row = report.text(made).splitlines()[1]
    assert row.split() == "go 14 ms 20 ms 8.6 MiB 16.8 MiB – – no more than 900 connections: refused".split()


def test_programs_left_out_are_reported(sample, record):
    made = record(sample())
    made.left_out["go"] = "go needs the packages golang-go"
    assert report.text(made).endswith("left out\n  go: go needs the packages golang-go")


def test_ratios_and_goals_follow_the_table(sample, record):
    text = report.text(record(sample(), sample(program="hyper")))
    assert "rate of items over that of\n  item (10000 rows, 64 connections): hyper 1.00" in text
    assert "goals\n  item (10000 rows, 64 connections): 1.00 of the rate of hyper" in text


def test_the_scale_is_reported_only_in_its_own_mode(sample, record):
    made = record(sample(), sample(connections=1000))
    assert "\nscale\n" not in report.text(made)
    made.options["mode"] = "scale"
    assert "\nscale\n  items item, 64 → 1,000 connections (10,000 rows): 1.00 of the rate" in report.text(made)


def test_markdown_has_both_tables_of_the_document(sample, record):
    headings = [line for line in report.markdown(record(sample())).splitlines() if line.startswith("#")]
    assert headings == ["### Throughput and latency", "### Cost per 1,000 requests"]
