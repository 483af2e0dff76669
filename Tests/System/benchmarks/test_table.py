from bench import table


def test_columns_are_aligned_figures_to_the_right():
    text = table.aligned(["server", "x", "rate", ""], [["items", "y", "1,000", ""], ["go", "y", "5", "! noisy"]])
    assert text.splitlines() == ["server  x   rate", "items   y  1,000", "go      y      5  ! noisy"]


def test_markdown_has_a_row_of_dashes_below_its_header():
    assert table.markdown(["a", "b"], [["1", "2"]]) == "| a | b |\n|---|---|\n| 1 | 2 |"


def test_the_throughput_is_as_in_the_document(sample, record):
    made = record(sample(rate=90000.4), sample(rate=80000.0), sample(rate=95000.0))
    assert table.throughput(made).splitlines() == [
        "| workload | server | requests/s, median | lowest … highest | 50 % | 99 % |",
        "|---|---|---|---|---|---|",
        "| item | items | 90,000 | 80,000 … 95,000 | 0.50 ms | 1.50 ms |",
    ]


def test_the_cost_is_as_in_the_document(sample, record):
    assert table.cost(record(sample(program="hyper"))).splitlines() == [
        "| workload | server | server CPU s | PostgreSQL CPU s | resident memory |",
        "|---|---|---|---|---|",
        "| item | hyper <0.14> | 0.0100 | 0.0040 | 25 MiB |",
    ]


def test_rows_are_in_the_order_of_the_workloads_and_of_the_programs(sample, record):
    order = [("root", "go"), ("root", "items"), ("item", "go"), ("item", "items")]
    made = record(*(sample(workload=workload, program=program) for workload, program in order))
    assert [(key[0], key[3]) for key, _ in table.ordered(made)] == [
        ("root", "items"),
        ("root", "go"),
        ("item", "items"),
        ("item", "go"),
    ]


def test_what_varies_between_the_samples_has_its_own_column(sample, record):
    assert "connections" not in table.text(record(sample())).splitlines()[0]
    assert "connections" in table.text(record(sample(), sample(connections=8))).splitlines()[0]
    assert "rows" in table.throughput(record(sample(), sample(rows=1000000))).splitlines()[0]


def test_a_void_row_shows_dashes_and_says_why(sample, record):
    row = table.text(record(sample(refused=7))).splitlines()[1]
    assert "1,000" not in row
    assert row.endswith("! 1 void: 7 not 2xx, 0 socket errors")
