from bench.sample import Summary, summaries


def test_the_median_of_an_odd_number_of_samples_is_the_middle_one(sample):
    summary = Summary((sample(rate=3.0), sample(rate=1.0), sample(rate=2.0)))
    assert summary.median("rate") == 2.0


def test_the_median_of_an_even_number_of_samples_lies_between_the_middle_ones(sample):
    summary = Summary((sample(rate=4.0), sample(rate=1.0), sample(rate=2.0), sample(rate=9.0)))
    assert summary.median("rate") == 3.0


def test_an_answer_other_than_2xx_voids_its_sample_alone(sample):
    summary = Summary((sample(rate=1.0), sample(rate=500.0, refused=1), sample(rate=2.0)))
    assert summary.median("rate") == 1.5
    assert summary.spread == (1.0, 2.0)
    assert summary.remarks == "1 void: 1 not 2xx, 0 socket errors"


def test_a_socket_error_voids_its_sample(sample):
    assert sample(socket_errors=1).is_void


def test_samples_that_are_all_void_have_no_median_and_no_spread(sample):
    summary = Summary((sample(refused=1),))
    assert summary.median("rate") is None
    assert summary.spread is None


def test_a_sample_is_noisy_when_others_used_more_than_their_share(sample):
    assert not sample(other_cores=0.15).is_noisy
    assert sample(other_cores=0.16).is_noisy


def test_the_remark_on_noise_tells_the_worst(sample):
    summary = Summary((sample(other_cores=0.2), sample(), sample(other_cores=0.4)))
    assert summary.remarks == "2 of 3 noisy: others used 0.40 cores"


def test_quiet_samples_need_no_remark(sample):
    assert Summary((sample(),)).remarks == ""


def test_samples_are_grouped_by_workload_rows_connections_and_program(sample):
    one = sample()
    others = [sample(workload="list"), sample(rows=20), sample(connections=8), sample(program="go")]
    found = summaries([one, *others, one])
    assert len(found) == 5
    assert found[("item", 10000, 64, "items")].samples == (one, one)
