"""The evaluator of queries, held to examples worked out by hand."""

import pytest

import insights
from insights import QueryError

EVENTS = [
    {"@timestamp": 60_000, "level": "INFO", "msg": "done", "route": "/a", "status": 200, "ms": 1.5, "client": "x"},
    {"@timestamp": 90_000, "level": "INFO", "msg": "done", "route": "/a", "status": 200, "ms": 2.5, "client": "y"},
    {"@timestamp": 130_000, "level": "ERROR", "msg": "done", "route": "/b", "status": 503, "ms": 10.0, "client": "x",
     "error": "gone"},
    {"@timestamp": 140_000, "level": "INFO", "msg": "Draining"},
]  # fmt: skip


def rows(query):
    table = insights.run(query, EVENTS)
    return [tuple(row[name] for name in table.columns) for row in table.rows]


@pytest.mark.parametrize(
    "condition, expected",
    [
        ('level = "ERROR"', [130_000]),
        ("status >= 200 and status < 300", [60_000, 90_000]),
        ("status > 503", []),
        ("status <= 503", [60_000, 90_000, 130_000]),
        ('level = "ERROR" or msg = "Draining"', [130_000, 140_000]),
        ("msg like /^Dr(ain|y)/", [140_000]),
        ("msg =~ /one$/", [60_000, 90_000, 130_000]),
        ("msg like 'rain'", [140_000]),
        ("msg not like /^Dr/", [60_000, 90_000, 130_000]),
        ("msg like '.'", []),
        ('level in ["ERROR", "CRITICAL"]', [130_000]),
        ('level not in ["ERROR", "CRITICAL"]', [60_000, 90_000, 140_000]),
        ('level != "INFO"', [130_000]),
        ('not level = "INFO"', [130_000]),
        ('not (level = "INFO" or msg = "done")', []),
        ('msg = "done" and status != 200', [130_000]),
        # `and` binds more tightly than `or`.
        ('msg = "Draining" or level = "INFO" and status = 200', [60_000, 90_000, 140_000]),
        ('(msg = "Draining" or level = "INFO") and msg like /D/', [140_000]),
    ],
)
def test_a_filter_keeps_the_events_that_meet_it(condition, expected):
    assert rows(f"fields @timestamp | filter {condition}") == [(moment,) for moment in expected]


@pytest.mark.parametrize(
    "aggregate, expected",
    [
        ("count(*)", 4),
        ("count()", 4),
        ("count(status)", 3),
        ("count_distinct(client)", 2),
        ("avg(ms)", 14 / 3),
        ("sum(ms)", 14.0),
        ("min(ms)", 1.5),
        ("max(ms)", 10.0),
        ("pct(ms, 50)", 2.5),
        ("pct(ms, 99)", 10.0),
        ("pct(ms, 0)", 1.5),
        ("earliest(route)", "/a"),
        ("latest(route)", "/b"),
        ("latest(error)", "gone"),
    ],
)
def test_a_function_summarizes_the_events_that_have_its_field(aggregate, expected):
    assert rows(f"stats {aggregate} as value") == [
        (pytest.approx(expected) if expected != str(expected) else expected,)
    ]


def test_groups_have_a_row_each():
    assert rows("stats count(*) as n, max(ms) as slowest by route, status | sort n desc") == [
        ("/a", 200, 2, 2.5),
        ("/b", 503, 1, 10.0),
    ]


def test_a_bin_is_the_beginning_of_its_period():
    assert rows("stats count(*) as n by bin(1m) as time | sort time asc") == [
        ("1970-01-01 00:01:00.000", 2),
        ("1970-01-01 00:02:00.000", 2),
    ]
    assert rows("stats count(*) by bin(5m)") == [("1970-01-01 00:00:00.000", 4)]


def test_columns_are_what_fields_and_display_name():
    assert insights.run("filter status = 200", EVENTS).columns == ["@timestamp", "@message"]
    assert insights.run("fields level, msg as what | fields status", EVENTS).columns == ["level", "what", "status"]
    assert insights.run("fields level, msg | display msg", EVENTS).columns == ["msg"]
    assert insights.run("stats count(*), pct(ms, 50) by route", EVENTS).columns == ["route", "count(*)", "pct(ms,50)"]


def test_sorting_is_by_the_first_field_first():
    query = "fields client, ms | filter status > 0 | sort client asc, ms desc"
    assert rows(query) == [("x", 10.0), ("x", 1.5), ("y", 2.5)]


def test_texts_are_sorted_as_the_service_sorts_them():
    ordered = ["!:", "#", "*%04", "0#", "5A", "111A", "2345_", "@", "@_", "A", "A9876fghj", "a12345hfh", 0, 2, 10]
    assert sorted(reversed(ordered), key=insights.natural) == ordered


def test_a_limit_keeps_the_first_rows():
    assert rows("fields @timestamp | sort @timestamp desc | limit 2") == [(140_000,), (130_000,)]


def test_comments_are_not_read():
    assert rows("# filter everything | limit 1\nfields @timestamp # | limit 2\n| limit 3") != []
    assert len(rows("# a title\nfields @timestamp\n| filter status = 200 # | limit 1")) == 2


@pytest.mark.parametrize(
    "query",
    [
        "",
        "filter",
        "filter level",
        "filter level =",
        "filter level = ERROR",
        "filter level == 'ERROR'",
        "filter (level = 'ERROR'",
        "filter level = 'ERROR' and",
        "filter level like ERROR",
        "filter msg like /(/",
        "filter status in 200",
        "filter status in []",
        "filter status in [200",
        "filter level = 'ERROR' limit 3",
        "fields",
        "fields level,",
        "fields level msg",
        "select level",
        "stats",
        "stats level",
        "stats median(ms)",
        "stats avg()",
        "stats pct(ms)",
        "stats pct(ms, 101)",
        "stats count(*) by",
        "stats count(*) by bin(5)",
        "stats count(*) by bin(0m)",
        "sort",
        "sort level upwards",
        "limit",
        "limit 0",
        "limit 10001",
        "limit 1.5",
        "fields level |",
        "| fields level",
        "fields level || limit 3",
        "fields level; limit 3",
        "filter level = 'ERROR",
        "fields " + "a" * 10_000,
    ],
)
def test_an_invalid_query_is_a_syntax_error(query):
    with pytest.raises(SyntaxError):
        insights.run(query, EVENTS)


@pytest.mark.parametrize(
    "query, what",
    [
        ("fields levle", "no event has the field levle"),
        ("filter levle = 'ERROR'", "no event has the field levle"),
        ("filter level = 'ERROR' or levle = 'ERROR'", "no event has the field levle"),
        ("stats count(*) by rout", "no event has the field rout"),
        ("stats max(seconds)", "no event has the field seconds"),
        ("fields level | sort seconds desc", "no event has the field seconds"),
        ("display seconds", "no event has the field seconds"),
        ("filter level = 'INFO' | fields error", "no event has the field error"),
        ("stats count(*) as n by route | sort status desc", "no event has the field status"),
        ("stats count(*) as n by route | sort count desc", "no event has the field count"),
        ("filter status = '200'", "status is 200"),
        ("filter level > 3", "level is 'INFO'"),
        ("filter status in ['200']", "status is 200"),
        ("filter status like /2../", "status is no text"),
        ("stats sum(level)", "level is no number"),
        ("filter status != 200", "meets an event without the field"),
        ("filter route not like /health/", "meets an event without the field"),
        ("filter not (status = 200)", "meets an event without the field"),
        ("sort status asc", "some events do not have"),
        ("stats count(*) as n, count(*) as n", "two columns have one name"),
        ("stats count(*) as n by route | stats max(n)", "not part of this subset"),
    ],
)
def test_a_query_that_cannot_mean_what_it_says_is_an_error(query, what):
    with pytest.raises(QueryError, match=what.replace("(", r"\(")):
        insights.run(query, EVENTS)


def test_a_column_without_a_value_is_found():
    table = insights.run("fields level, error | filter level in ['INFO']", EVENTS)
    assert table.empty_columns() == ["error"]
