"""The part of CloudWatch Logs Insights' query language that the saved queries use, evaluated over log lines.

    table = insights.run('filter level = "ERROR" | stats count(*) as n by route', insights.events(lines, stamp))

It is stricter than the service, which answers a misspelt field with an empty column: what is no query of this part is a
SyntaxError; a field that no event at that command has, a comparison between kinds, and a negation that would meet
events without the field are a QueryError.

Known are fields, display, filter, stats, sort and limit; `=`, `!=`, `<`, `<=`, `>`, `>=`, `like` with a regular
expression or a text, `in`, `and`, `or`, `not`; the functions in AGGREGATES, and bin().
"""

import datetime
import json
import math
import re

from tokens import tokens

LIMITS = range(1, 10_001)
LONGEST_QUERY = 10_000
UNIT_MILLISECONDS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}

TOKEN = re.compile(
    r"""\s*(?:\#[^\n]*\n?\s*)*(?:
        (?P<regex>/(?:[^/\\\n]|\\.)+/)
      | (?P<text>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
      | (?P<duration>\d+(?:ms|s|m|h|d)\b)
      | (?P<number>-?\d+(?:\.\d+)?)
      | (?P<name>@?[A-Za-z_][A-Za-z0-9_.]*)
      | (?P<sign>!=|<=|>=|=~|[=<>|,()\[\]*])
      | (?P<end>$)
    )""",
    re.VERBOSE,
)
WORDS = {"and", "or", "not", "in", "like", "as", "by", "asc", "desc"}


class QueryError(Exception):
    """A query that the service would take and answer with something else than what was meant."""


class Table:
    """What a query answers: the names of the columns, and a dictionary a row."""

    def __init__(self, columns, rows):
        self.columns, self.rows = columns, rows

    def __len__(self):
        return len(self.rows)

    def column(self, name):
        return [row[name] for row in self.rows]

    def empty_columns(self):
        """Those without a value in any row."""
        return [name for name in self.columns if all(row[name] is None for row in self.rows)]


def events(lines, stamp, stream=""):
    """Log lines as events: the members of the object, and @timestamp (milliseconds), @message and @logStream.

    `stamp(line)` is the time of the event in milliseconds, as the agent would find it.
    """
    found = []
    for line in lines:
        members = json.loads(line)
        found.append({**members, "@timestamp": stamp(line), "@message": line, "@logStream": stream})
    return found


def run(query, events):
    """The Table that the query answers over these events."""
    return Query(query).run(events)


class Query:
    def __init__(self, text):
        self.commands = Parser(text).query()

    def run(self, events):
        state = State(events)
        for command in self.commands:
            command(state)
        columns = state.columns or ["@timestamp", "@message"]
        return Table(columns, [{name: row.get(name) for name in columns} for row in state.rows])


class State:
    """The rows on their way through the commands."""

    def __init__(self, events):
        self.rows = [dict(event) for event in events]
        self.columns = []
        self.is_grouped = False

    def require(self, name):
        """A field that is nowhere is a misspelt one."""
        if not any(row.get(name) is not None for row in self.rows):
            raise QueryError(f"no event has the field {name} here")


class Parser:
    def __init__(self, text):
        self.tokens = [
            ("word" if kind == "name" and value.lower() in WORDS else kind, value)
            for kind, value in tokens(TOKEN, text, LONGEST_QUERY)
        ]
        self.index = 0

    def peek(self, *values):
        kind, value = self.tokens[self.index]
        return kind in ("sign", "word", "name") and value.lower() in values

    def take(self, *values):
        if not self.peek(*values):
            return None
        self.index += 1
        return self.tokens[self.index - 1][1].lower()

    def expect(self, *values):
        return self.take(*values) or self.fail(" or ".join(values))

    def kind(self, *kinds):
        kind, value = self.tokens[self.index]
        if kind not in kinds:
            self.fail(" or ".join(kinds))
        self.index += 1
        return kind, value

    def fail(self, wanted):
        kind, value = self.tokens[self.index]
        raise SyntaxError(f"expected {wanted}, found {value!r}" if value else f"expected {wanted}, found the end")

    def query(self):
        commands = [self.command()]
        while self.take("|"):
            commands.append(self.command())
        self.kind("end")
        return commands

    def command(self):
        name = self.expect("fields", "display", "filter", "stats", "sort", "limit")
        return getattr(self, name)()

    def list_of(self, element):
        found = [element()]
        while self.take(","):
            found.append(element())
        return found

    def field(self):
        return self.kind("name")[1]

    def alias(self, otherwise):
        return self.kind("name")[1] if self.take("as") else otherwise

    def fields(self):
        def one():
            name = self.field()
            return name, self.alias(name)

        wanted = self.list_of(one)

        def command(state):
            for name, alias in wanted:
                state.require(name)
                for row in state.rows:
                    row[alias] = row.get(name)
                if alias not in state.columns:
                    state.columns.append(alias)

        return command

    def display(self):
        names = self.list_of(self.field)

        def command(state):
            for name in names:
                state.require(name)
            state.columns = names

        return command

    def filter(self):
        named = set()
        condition = self.disjunction(named)

        def command(state):
            for name in named:
                state.require(name)
            state.rows = [row for row in state.rows if condition(row) is True]

        return command

    # A condition answers True, False, or None where the field is missing: Kleene's logic.

    def disjunction(self, named):
        parts = [self.conjunction(named)]
        while self.take("or"):
            parts.append(self.conjunction(named))

        def condition(row):
            unknown = False
            for part in parts:
                value = part(row)
                if value:
                    return True
                unknown |= value is None
            return None if unknown else False

        return condition

    def conjunction(self, named):
        parts = [self.negation(named)]
        while self.take("and"):
            parts.append(self.negation(named))

        def condition(row):
            unknown = False
            for part in parts:
                value = part(row)
                if value is False:
                    return False
                unknown |= value is None
            return None if unknown else True

        return condition

    def negation(self, named):
        if self.take("not"):
            return negated(self.negation(named), "not")
        if self.take("("):
            inner = self.disjunction(named)
            self.expect(")")
            return inner
        return self.comparison(named)

    def comparison(self, named):
        name = self.field()
        named.add(name)
        is_negated = bool(self.take("not"))
        operator = (
            self.expect("like", "in")
            if is_negated
            else self.expect("=", "!=", "<", "<=", ">", ">=", "like", "=~", "in")
        )
        if operator in ("like", "=~"):
            test = self.pattern(name)
        elif operator == "in":
            self.expect("[")
            values = self.list_of(self.literal)
            self.expect("]")
            equal = [compared("=", name, value) for value in values]
            test = lambda actual: any([one(actual) for one in equal])
        else:
            value = self.literal()
            is_negated, operator = (True, "=") if operator == "!=" else (is_negated, operator)
            test = compared(operator, name, value)

        def condition(row):
            actual = row.get(name)
            return None if actual is None else test(actual)

        return negated(condition, name) if is_negated else condition

    def pattern(self, name):
        kind, value = self.kind("regex", "text")
        try:
            expression = re.compile(value[1:-1] if kind == "regex" else re.escape(unquoted(value)))
        except re.error as error:
            raise SyntaxError(f"{value}: {error}") from None

        def test(actual):
            if not isinstance(actual, str):
                raise QueryError(f"{name} is no text: {actual!r}")
            return expression.search(actual) is not None

        return test

    def literal(self):
        kind, value = self.kind("text", "number")
        return unquoted(value) if kind == "text" else number(value)

    def stats(self):
        aggregates = self.list_of(self.aggregate)
        keys = self.list_of(self.key) if self.take("by") else []

        def command(state):
            if state.is_grouped:
                raise QueryError("stats over what stats answered is not part of this subset")
            for _, field, *_ in aggregates + keys:
                if field is not None:
                    state.require(field)
            groups = {}
            for row in state.rows:
                key = tuple(of(row) for _, _, of in keys)
                # A group needs a value of each key; the service leaves the others' events out as well.
                if None not in key:
                    groups.setdefault(key, []).append(row)
            names = [alias for alias, *_ in keys + aggregates]
            if len(set(names)) != len(names):
                raise QueryError(f"two columns have one name: {names}")
            state.rows = []
            for key, rows in groups.items():
                values = dict(zip([alias for alias, *_ in keys], key))
                for alias, field, of in aggregates:
                    values[alias] = of(rows)
                state.rows.append(values)
            state.columns, state.is_grouped = names, True

        return command

    def aggregate(self):
        """The column's name, the field it needs, and what makes its value of a group's rows."""
        start = self.index
        name = self.kind("name")[1]
        if name not in AGGREGATES:
            raise SyntaxError(f"{name} is no function of stats")
        self.expect("(")
        percent = field = None
        if name == "count" and (self.take("*") or self.peek(")")):
            of = len
        else:
            field = self.field()
            if name == "pct":
                self.expect(",")
                percent = number(self.kind("number")[1])
                if not 0 <= percent <= 100:
                    raise SyntaxError(f"{percent} is no percentage")
            of = lambda rows: AGGREGATES[name](field, [row for row in rows if row.get(field) is not None], percent)
        self.expect(")")
        written = "".join(value for _, value in self.tokens[start : self.index])
        return self.alias(written), field, of

    def key(self):
        start = self.index
        if not (self.peek("bin") and self.tokens[self.index + 1][1] == "("):
            name = self.field()
            return self.alias(name), name, lambda row: row.get(name)
        self.index += 2
        duration = self.kind("duration")[1]
        self.expect(")")
        count, unit = re.fullmatch(r"(\d+)(\w+)", duration).groups()
        period = int(count) * UNIT_MILLISECONDS[unit]
        if period == 0:
            raise SyntaxError("a bin of no length")
        written = "".join(value for _, value in self.tokens[start : self.index])
        return self.alias(written), "@timestamp", lambda row: instant(row["@timestamp"] // period * period)

    def sort(self):
        def one():
            name = self.field()
            # Which of the two goes without saying is not documented: ascending here.
            return name, (self.take("asc", "desc") or "asc") == "desc"

        orders = self.list_of(one)

        def command(state):
            for name, descends in reversed(orders):
                state.require(name)
                if any(row.get(name) is None for row in state.rows):
                    raise QueryError(f"sorted by {name}, which some events do not have")
                state.rows.sort(key=lambda row: natural(row[name]), reverse=descends)

        return command

    def limit(self):
        count = number(self.kind("number")[1])
        if count not in LIMITS:
            raise SyntaxError(f"a limit of {count}")

        def command(state):
            del state.rows[count:]

        return command


def negated(condition, what):
    def inverse(row):
        value = condition(row)
        if value is None:
            raise QueryError(f"the negation around {what} meets an event without the field: {row.get('@message')}")
        return not value

    return inverse


def compared(operator, name, value):
    def test(actual):
        if isinstance(actual, str) != isinstance(value, str) or isinstance(actual, bool):
            raise QueryError(f"{name} is {actual!r}, compared with {value!r}")
        match operator:
            case "=":
                return actual == value
            case "<":
                return actual < value
            case "<=":
                return actual <= value
            case ">":
                return actual > value
            case ">=":
                return actual >= value

    return test


def unquoted(text):
    return re.sub(r"\\(.)", r"\1", text[1:-1])


def number(text):
    return float(text) if "." in text else int(text)


def instant(milliseconds):
    moment = datetime.datetime.fromtimestamp(milliseconds / 1000, datetime.timezone.utc)
    return moment.strftime("%Y-%m-%d %H:%M:%S.") + f"{milliseconds % 1000:03d}"


def natural(value):
    """The documented order: texts before numbers; within texts, runs of digits by their length, then by their value."""
    if isinstance(value, (int, float)):
        return (1, value)
    # Digits stand before everything that follows "9", as their code points do.
    chunks = re.findall(r"\d+|\D", value)
    return (0, [("0", len(chunk), int(chunk)) if chunk.isdigit() else (chunk, 0, 0) for chunk in chunks])


def numbers(field, rows):
    for row in rows:
        if isinstance(row[field], bool) or not isinstance(row[field], (int, float)):
            raise QueryError(f"{field} is no number: {row[field]!r}")
    return [row[field] for row in rows]


def percentile(values, percent):
    """The smallest value that is not exceeded by this share of all."""
    return sorted(values)[max(math.ceil(percent / 100 * len(values)), 1) - 1] if values else None


# By name, of the field, the rows that have it, and the second argument.
AGGREGATES = {
    "count": lambda field, rows, _: len(rows),
    "count_distinct": lambda field, rows, _: len({row[field] for row in rows}),
    "avg": lambda field, rows, _: sum(numbers(field, rows)) / len(rows) if rows else None,
    "sum": lambda field, rows, _: sum(numbers(field, rows)),
    "min": lambda field, rows, _: min(numbers(field, rows), default=None),
    "max": lambda field, rows, _: max(numbers(field, rows), default=None),
    "pct": lambda field, rows, percent: percentile(numbers(field, rows), percent),
    "earliest": lambda field, rows, _: min(rows, key=lambda row: row["@timestamp"])[field] if rows else None,
    "latest": lambda field, rows, _: max(rows, key=lambda row: row["@timestamp"])[field] if rows else None,
}
