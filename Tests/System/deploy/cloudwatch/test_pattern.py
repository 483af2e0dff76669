"""The evaluator of filter patterns, held to examples worked out by hand."""

import json

import pytest

from pattern import Pattern

LINE = json.dumps({"level": "ERROR", "route": "/api/items/{id}", "status": 503, "ms": 0.5, "msg": "Request completed"})


@pytest.mark.parametrize(
    "pattern, expected",
    [
        ('{ $.level = "ERROR" }', True),
        ("{ $.level = ERROR }", True),
        ("{$.level=ERROR}", True),
        ('{ $.level = "error" }', False),
        ('{ $.level != "INFO" }', True),
        ('{ $.level != "ERROR" }', False),
        ('{ $.level = "ERR" }', False),
        ('{ $.level = "ERR*" }', True),
        ('{ $.level = "*ROR" }', True),
        ('{ $.route = "/api/*" }', True),
        ('{ $.route != "/api/*" }', False),
        ('{ $.route = "/api/items/{id}" }', True),
        ("{ $.status = 503 }", True),
        ("{ $.status != 503 }", False),
        ("{ $.status >= 500 }", True),
        ("{ $.status > 503 }", False),
        ("{ $.status < 503 }", False),
        ("{ $.status <= 503 }", True),
        ("{ $.ms < 0.6 }", True),
        ("{ $.nowhere = 1 }", False),
        # Not there is not another.
        ('{ $.nowhere != "x" }', False),
        ('{ $.level = "ERROR" && $.status = 500 }', False),
        ('{ $.level = "ERROR" || $.status = 500 }', True),
        ('{ ($.level = "INFO") || (($.status = 503) && ($.ms > 0)) }', True),
        ('{ ($.level = "INFO" || $.status = 503) && $.ms > 1 }', False),
    ],
)
def test_a_pattern_matches_or_not(pattern, expected):
    assert Pattern(pattern).matches(LINE) is expected


@pytest.mark.parametrize("line", ["", "ERROR", '["ERROR"]', '{"level":"ERROR"'])
def test_a_line_that_is_no_object_is_not_matched(line):
    assert not Pattern('{ $.level = "ERROR" }').matches(line)


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "ERROR",
        "{ }",
        '$.level = "ERROR"',
        '{ level = "ERROR" }',
        "{ $.level }",
        '{ $.level "ERROR" }',
        '{ $.level == "ERROR" }',
        '{ $.level = "ERROR }',
        '{ $.level = "ERROR" ',
        '{ $.level = "ERROR" } x',
        '{ $.level = "ERROR" && }',
        '{ $.level = "ERROR" & $.status = 1 }',
        '{ $.level = "ERROR" && $.status = 1 || $.ms = 1 }',
        '{ ($.level = "ERROR" }',
        '{ $.level > "ERROR" }',
        "{ $.level = Request completed }",
        "{ $.route = /api/items }",
        "{ $.a.b = 1 }",
        "{ $.a[0] = 1 }",
        "{ $.größe = 1 }",
        '{ $.level = "' + "x" * 1024 + '" }',
    ],
)
def test_an_invalid_pattern_is_a_syntax_error(pattern):
    with pytest.raises(SyntaxError):
        Pattern(pattern)


@pytest.mark.parametrize("pattern", ['{ $.status = "503" }', "{ $.level = 503 }", "{ $.level > 503 }"])
def test_a_comparison_between_kinds_is_an_error(pattern):
    with pytest.raises(TypeError):
        Pattern(pattern).matches(LINE)


def test_a_pattern_knows_the_members_it_looks_at():
    assert Pattern('{ ($.level = "INFO") || (($.status = 503) && ($.ms > 0)) }').names == {"level", "status", "ms"}
