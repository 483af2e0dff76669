"""Formats the tables of docs/performance.md and the verdict."""

from record import TOLERANCE, differences

# The calls of a request, in order; all others follow in columns after them.
FAMILIAR = ("read", "sendto", "recvfrom", "epoll_wait", "futex", "write")
# Per request; a smaller number would be shown as 0.00.
SHOWN_CALLS = 0.005
RECORD_ANEW = "make cost RECORD=1"


def table(heads, rows):
    lines = ["| " + " | ".join(row) + " |" for row in [heads, ["---"] * len(heads), *rows]]
    return "\n".join(lines)


def percent(now, recorded):
    return f"{100 * (now / recorded - 1):+.1f} %" if recorded else "–"


def instructions_table(now, recorded):
    rows = []
    for workload, count in now.instructions.items():
        before = recorded.instructions.get(workload)
        rows.append([workload, f"{count:,.0f}", f"{before:,.0f}" if before else "–", percent(count, before)])
    return table(["workload", "instructions", "on record", "difference"], rows)


def cell(now, before):
    """Returns a number of calls, and the recorded number if it is displayed differently."""
    shown, then = (f"{number:.2f}" if number >= SHOWN_CALLS else "–" for number in (now, before))
    return shown if shown == then else f"{shown} (was {then})"


def calls_table(now, recorded):
    tables = [*now.calls.values(), *recorded.calls.values()]
    seen = {call for calls in tables for call, number in calls.items() if number >= SHOWN_CALLS}
    names = [call for call in FAMILIAR if call in seen] + sorted(seen - set(FAMILIAR))
    rows = []
    for workload, calls in now.calls.items():
        before = recorded.calls.get(workload, {})
        cells = [cell(calls.get(name, 0), before.get(name, 0)) for name in names]
        all_now, all_before = sum(calls.values()), sum(before.values())
        rows.append([workload, *cells, cell(all_now, all_before), percent(all_now, all_before)])
    return table(["workload", *names, "all", "difference"], rows)


def other_versions(now, recorded):
    """Returns a phrase for each version that differs from the record."""
    return [
        f"{name} {now.versions[name]} (recorded with {recorded.versions.get(name, 'unknown')})"
        for name in now.versions
        if now.versions[name] != recorded.versions.get(name)
    ]


def sentence(difference):
    share = f"{abs(difference.share):.1%} {'above' if difference.is_regression else 'below'} the record"
    counts = f"{difference.now:,.2f}, recorded {difference.recorded:,.2f}"
    return f"{difference.workload}: {difference.measure} per request are {share} ({counts})"


def verdict(now, recorded):
    """Returns whether the figures pass, and a sentence for each one that differs from the record by
    more than TOLERANCE."""
    if now.load != recorded.load:
        return False, [f"the record is of another load, so nothing can be compared: {RECORD_ANEW}"]
    found = differences(now, recorded)
    sentences = [sentence(one) for one in found if one.is_regression or one.is_improvement]
    passed = not any(one.is_regression for one in found)
    if not passed:
        sentences.append(f"more than {TOLERANCE:.0%} above the record fails; when it is worth it: {RECORD_ANEW}")
    elif sentences:
        sentences.append(f"the record should be renewed: {RECORD_ANEW}")
    return passed, sentences


def comparison(now, recorded):
    """Returns whether the figures pass, and all lines to print."""
    passed, sentences = verdict(now, recorded)
    notes = other_versions(now, recorded)
    if now.versions["architecture"] != recorded.versions["architecture"]:
        notes.append("instructions are not judged, another architecture has others")
    said = [f"cost: {words}" for words in [*notes, *sentences, "ok" if passed else "FAILED"]]
    return passed, [instructions_table(now, recorded), "", calls_table(now, recorded), "", *said]
