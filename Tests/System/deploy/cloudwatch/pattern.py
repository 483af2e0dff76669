"""The part of CloudWatch Logs' filter patterns that the metric filters use: conditions on members of a JSON object.

    pattern.Pattern('{ ($.route = "/api/*") && ($.status >= 500) }').matches(line)

Known are `=` and `!=` with a text, in which `*` stands for anything; `=`, `!=`, `<`, `<=`, `>`, `>=` with a number;
`&&`, `||` and parentheses. Stricter than the service: a comparison between kinds is a TypeError, and what is no pattern of
this part is a SyntaxError, `&&` beside `||` without parentheses among it.
"""

import json
import re

from tokens import tokens

LONGEST_PATTERN = 1024

TOKEN = re.compile(
    r"""\s*(?:
        (?P<selector>\$\.[A-Za-z0-9_-]+(?![A-Za-z0-9_.\[-]))
      | (?P<text>"[^"\\]*")
      | (?P<number>-?\d+(?:\.\d+)?(?![A-Za-z0-9_.*-]))
      | (?P<word>[A-Za-z0-9*]+)
      | (?P<sign>!=|<=|>=|&&|\|\||[=<>{}()])
      | (?P<end>$)
    )""",
    re.VERBOSE,
)


class Pattern:
    def __init__(self, text):
        self.tokens = tokens(TOKEN, text, LONGEST_PATTERN)
        self.index = 0
        #: The members the pattern looks at.
        self.names = set()
        self.expect("{")
        self.condition = self.either()
        self.expect("}")
        self.kind("end")

    def matches(self, line):
        """Whether a log line is counted; one that is no JSON object is not."""
        try:
            members = json.loads(line)
        except ValueError:
            return False
        return isinstance(members, dict) and self.condition(members)

    def take(self, sign):
        found = self.tokens[self.index] == ("sign", sign)
        self.index += found
        return found

    def expect(self, sign):
        if not self.take(sign):
            raise SyntaxError(f"expected {sign}, found {self.tokens[self.index][1]!r}")

    def kind(self, *kinds):
        kind, value = self.tokens[self.index]
        if kind not in kinds:
            raise SyntaxError(f"expected {' or '.join(kinds)}, found {value!r}")
        self.index += 1
        return kind, value

    def either(self):
        parts, sign = [self.one()], None
        while self.tokens[self.index][1] in ("&&", "||"):
            sign = sign or self.tokens[self.index][1]
            self.expect(sign)
            parts.append(self.one())
        return lambda members: (any if sign == "||" else all)(part(members) for part in parts)

    def one(self):
        if self.take("("):
            inner = self.either()
            self.expect(")")
            return inner
        name = self.kind("selector")[1][2:]
        self.names.add(name)
        operator = self.kind("sign")[1]
        kind, value = self.kind("text", "number", "word")
        if kind == "number" and operator in ("=", "!=", "<", "<=", ">", ">="):
            test = numeric(operator, name, float(value))
        elif kind != "number" and operator in ("=", "!="):
            test = textual(operator, name, value.strip('"'))
        else:
            raise SyntaxError(f"{operator} {value}")
        return lambda members: name in members and test(members[name])


def numeric(operator, name, value):
    def test(actual):
        if isinstance(actual, bool) or not isinstance(actual, (int, float)):
            raise TypeError(f"{name} is no number: {actual!r}")
        return {
            "=": actual == value,
            "!=": actual != value,
            "<": actual < value,
            "<=": actual <= value,
            ">": actual > value,
            ">=": actual >= value,
        }[operator]

    return test


def textual(operator, name, value):
    expression = re.compile(".*".join(re.escape(part) for part in value.split("*")), re.DOTALL)

    def test(actual):
        if not isinstance(actual, str):
            raise TypeError(f"{name} is no text: {actual!r}")
        return (expression.fullmatch(actual) is not None) == (operator == "=")

    return test
