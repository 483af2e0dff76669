"""How the CloudWatch agent reads a line's time, by its `timestamp_format`: the first match in the line counts."""

import datetime
import re

# What the agent looks for; a format's other characters stand for themselves.
DIRECTIVES = {
    "%Y": r"(?P<year>\d{4})",
    "%m": r"(?P<month>\s?\d{1,2})",
    "%d": r"(?P<day>\s?\d{1,2})",
    "%H": r"(?P<hour>\d{2})",
    "%M": r"(?P<minute>\d{2})",
    "%S": r"(?P<second>\d{2})",
    "%f": r"(?P<fraction>\d{1,9})",
}


def expression(timestamp_format):
    """The regular expression of a format in UTC; raises KeyError for a directive that is not known here."""
    parts = re.split(r"(%-?.)", timestamp_format)
    return re.compile("".join(DIRECTIVES[part] if part.startswith("%") else re.escape(part) for part in parts))


def milliseconds(timestamp_format, line):
    """The time of a line as the agent finds it, since 1970; None where it would use that of the arrival."""
    match = expression(timestamp_format).search(line)
    if not match:
        return None
    found = match.groupdict()
    names = ("year", "month", "day", "hour", "minute", "second")
    moment = datetime.datetime(*(int(found[name]) for name in names), tzinfo=datetime.timezone.utc)
    # The agent keeps three digits.
    return int(moment.timestamp()) * 1000 + int((found.get("fraction", "") + "000")[:3])
