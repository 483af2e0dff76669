from bench import goal, scale


def test_the_rival_is_the_fastest_one_that_was_measured(sample, record):
    made = record(sample(rate=90.0), sample(program="hyper", rate=80.0), sample(program="hyper-1", rate=100.0))
    (verdict,) = goal.verdicts(made)
    assert (verdict.rival, verdict.rate) == ("hyper-1", 0.9)
    assert not verdict.is_met


def test_a_goal_is_met_at_exactly_its_ratio(sample, record):
    ours = sample(rate=100.0, server_cpu=0.009)
    (verdict,) = goal.verdicts(record(ours, sample(program="hyper", rate=80.0, server_cpu=0.010)))
    assert verdict.is_met
    told = "item (10000 rows, 64 connections): 1.25 of the rate of hyper, 0.90 of its CPU time; goal 1.25 and 0.9: met"
    assert str(verdict) == told


def test_a_goal_that_takes_too_much_time_of_the_processor_is_missed(sample, record):
    ours = sample(rate=200.0, server_cpu=0.010)
    (verdict,) = goal.verdicts(record(ours, sample(program="hyper", rate=80.0, server_cpu=0.010)))
    assert not verdict.is_met


def test_a_goal_without_a_rival_has_no_verdict(sample, record):
    assert list(goal.verdicts(record(sample(), sample(program="go")))) == []


def test_a_goal_without_a_valid_sample_has_no_verdict(sample, record):
    assert list(goal.verdicts(record(sample(refused=1), sample(program="hyper")))) == []
    assert list(goal.verdicts(record(sample(), sample(program="hyper", refused=1)))) == []


def test_servers_are_compared_at_the_same_number_of_connections(sample, record):
    made = record(sample(connections=8), sample(connections=64), sample(program="hyper", connections=64))
    assert [verdict.connections for verdict in goal.verdicts(made)] == [64]


def test_ratios_are_ours_over_theirs(sample, record):
    made = record(sample(rate=100.0), sample(program="go", rate=50.0), sample(program="hyper", rate=200.0))
    assert goal.ratios(made) == ["item (10000 rows, 64 connections): go 2.00, hyper 0.50"]


def test_the_scale_is_reported_for_rows_and_for_connections(sample, record):
    made = record(
        sample(rate=100.0), sample(rate=90.0, rows=1000000), sample(rate=80.0, connections=1000), sample(program="go")
    )
    assert list(scale.lines(made)) == [
        "items item, 10,000 → 1,000,000 rows (64 connections): 0.90 of the rate",
        "items item, 64 → 1,000 connections (10,000 rows): 0.80 of the rate",
    ]


def test_one_number_of_rows_and_connections_has_no_scale(sample, record):
    assert list(scale.lines(record(sample()))) == []
