"""The invariants of every scenario, checked against the records of the load and the samples of the observer."""

import collections
import dataclasses
import statistics

from load import CREATE, HEALTH, ITEM, LIST, PROBE, READS
from service import LIMITS, POOL_MAX

ALLOWED = {CREATE: {201, 503, 504}, ITEM: {200, 503, 504}, LIST: {200, 503, 504}, HEALTH: {200, 503}, PROBE: {200}}
REQUEST_SECONDS = int(LIMITS["REQUEST_TIMEOUT_MS"]) / 1000
STATEMENT_SECONDS = int(LIMITS["DB_STATEMENT_TIMEOUT_MS"]) / 1000

# The types of problems, as a response's body has them.
UNAVAILABLE, UNKNOWN = '"/problems/unavailable"', '"/problems/outcome-unknown"'

# What a shared machine may add to any measured time, in seconds.
SLACK = 0.5
# A response that waits for nothing takes about 1 ms, one that waits for a connection 1 s (DB_POOL_TIMEOUT_MS). The rest
# is for a busy machine.
FAST_SECONDS = 0.5
PROBE_LIMIT = 1.0
# After the first success some connections may still be re-established, but none in the last second of the run.
QUIET_SECONDS = 1.0
DESCRIPTOR_MARGIN = 4
THREAD_MARGIN = 2
# `Connector.cancelThreadLimit`: this many cancel requests may wait for a server that stays frozen.
CANCEL_THREAD_LIMIT = 12
# In MiB. The allocator keeps the memory of the peak load; a leak grows with every run.
MEMORY_MARGIN = 48


@dataclasses.dataclass
class Verdict:
    name: str
    held: bool
    detail: str


def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * share))] if values else 0.0


def milliseconds(seconds):
    return None if seconds is None else round(seconds * 1000)


class Judgement:
    """All verdicts on one run, and its figures."""

    def __init__(self, run):
        self.run = run
        self.records = sorted(run.records, key=lambda record: record.end)
        self.database = [
            record for record in self.records if record.kind in ALLOWED and record.kind not in (HEALTH, PROBE)
        ]
        self.failed = [record for record in self.database if not record.is_good and not self._is_gone(record)]
        self.verdicts = list(run.verdicts)
        self.figures = {}
        self._measure()
        self._judge()

    @property
    def held(self):
        return all(verdict.held for verdict in self.verdicts)

    def say(self, name, held, detail=""):
        self.verdicts.append(Verdict(name, bool(held), detail))

    def _is_gone(self, record):
        """Returns whether the record is a 404 of an item whose table was dropped, which is the correct response."""
        return self.run.scenario.forgets and record.kind == ITEM and record.status == 404

    def _recovery(self, kinds):
        """Returns the seconds from the database's recovery to the first success of these kinds, or None."""
        after = [r.end for r in self.database if r.kind in kinds and r.is_good and r.end >= self.run.healed_at]
        return after[0] - self.run.healed_at if after else None

    def _measure(self):
        run = self.run
        first = next((r.end - run.fault_at for r in self.failed if r.end >= run.fault_at), None)
        last = max((r.end - run.healed_at for r in self.failed), default=None)
        outage = self._outage()
        self.writes_back = self._recovery({CREATE})
        self.reads_back = self._recovery(READS)
        counts = collections.Counter(r.status for r in self.failed)
        probes = [r.seconds for r in self.records if r.kind == PROBE]
        self.figures = {
            "requests": len(self.database),
            "acknowledged": sum(r.kind == CREATE and r.is_good for r in self.database),
            "failed": len(self.failed),
            "failed_reads": sum(r.kind in READS for r in self.failed),
            "failed_by_status": {str(status): count for status, count in sorted(counts.items())},
            "outage_ms": milliseconds(run.healed_at - run.fault_at),
            "first_failure_ms": milliseconds(first),
            "first_write_ms": milliseconds(self.writes_back),
            "first_read_ms": milliseconds(self.reads_back),
            "last_failure_ms": milliseconds(last),
            "refusal_p95_ms": milliseconds(percentile([r.seconds for r in outage], 0.95)) if outage else None,
            "slowest_ms": milliseconds(max((r.seconds for r in self.database), default=0)),
            "good_p50_ms": milliseconds(statistics.median([r.seconds for r in self.database if r.is_good] or [0])),
            "probe_p99_ms": milliseconds(percentile(probes, 0.99)),
            "probe_max_ms": milliseconds(max(probes, default=0)),
            "connections_max": run.observer.connections,
            "sockets_max": run.observer.sockets,
            "samples": run.observer.samples,
            "oldest_statement_ms": milliseconds(run.observer.oldest_statement),
            "generator_lag_ms": milliseconds(run.lag),
            **run.figures,
        }

    def _outage(self):
        """Returns the requests that began while the service was required to know that the database is unavailable."""
        run = self.run
        if run.scenario.known_within is None:
            return []
        begin, end = run.away_at + run.scenario.known_within, run.healed_at - 0.05
        return [r for r in self.database if begin <= r.start < end]

    def _judge(self):
        self._judge_answers()
        self._judge_times()
        self._judge_writes()
        self._judge_resources()

    def _judge_answers(self):
        wrong = [r for r in self.records if r.status not in ALLOWED[r.kind] and not self._is_gone(r)]
        kinds = collections.Counter((r.kind, r.status) for r in wrong)
        example = f"; first: {wrong[0].detail} {wrong[0].error}" if wrong else ""
        self.say("only 2xx, 503 and 504", not wrong, f"{dict(kinds)}{example}" if wrong else "")
        refused = [r for r in self.database if r.status == 503]
        bare = collections.Counter(r.kind for r in refused if r.retry_after == (UNKNOWN in r.error))
        self.say(
            "every 503 has Retry-After, except after an unknown outcome",
            not bare,
            f"wrong: {dict(bare)}" if bare else "",
        )
        untyped = collections.Counter(r.kind for r in refused if (UNAVAILABLE in r.error) == (UNKNOWN in r.error))
        self.say(
            "every 503 has a type that says whether a write may have happened",
            not untyped,
            f"without: {dict(untyped)}" if untyped else "",
        )
        late = [r for r in self.records if r.seconds > REQUEST_SECONDS + SLACK + self.run.lag]
        self.say(
            "answers within the request's deadline",
            not late,
            f"{len(late)}, slowest {late[0].seconds:.2f} s" if late else "",
        )

    def _judge_times(self):
        run, scenario = self.run, self.run.scenario
        before = [r for r in self.failed if r.end < run.fault_at]
        self.say("no failure before the fault", not before, f"{len(before)}: {before[0].error[:120]}" if before else "")
        for name, back in (("write", self.writes_back), ("read", self.reads_back)):
            held = back is not None and back <= scenario.goal + run.lag
            self.say(
                f"first {name} within {scenario.goal:g} s", held, "never" if back is None else f"after {back:.2f} s"
            )
        quiet = [r for r in self.failed if r.end > run.stopped_at - QUIET_SECONDS]
        self.say(
            "no failure in the end",
            not quiet,
            f"{len(quiet)}: {quiet[0].status} {quiet[0].error[:120]}" if quiet else "",
        )
        outage = self._outage()
        if scenario.known_within is not None:
            p95 = percentile([r.seconds for r in outage], 0.95)
            refused = bool(outage) and p95 <= FAST_SECONDS + run.lag
            self.say(
                "refusals do not wait",
                refused,
                f"p95 {p95 * 1000:.0f} ms of {len(outage)}, {scenario.known_within:g} s after it is away",
            )
        if not scenario.reads_fail:
            reads = [r for r in self.failed if r.kind in READS]
            self.say(
                "no read fails", not reads, f"{len(reads)}: {reads[0].status} {reads[0].error[:120]}" if reads else ""
            )
        for begin, end in run.none_fail_between:
            early = [r for r in self.failed if begin <= r.end < end]
            self.say(
                "no request fails",
                not early,
                f"{len(early)}: {early[0].status} {early[0].error[:120]}" if early else "",
            )
        probes = [r for r in self.records if r.kind == PROBE]
        slow = [r for r in probes if r.seconds > PROBE_LIMIT + run.lag]
        detail = f"{len(slow)} of {len(probes)}, slowest {max(r.seconds for r in slow):.2f} s" if slow else ""
        self.say("/health/live, /metrics and / stay quick", probes and not slow, detail)

    def _judge_writes(self):
        acknowledged = {r.detail for r in self.records if r.kind == CREATE and r.status == 201}
        lost = [name for name in acknowledged if not self.run.stored.get(name)]
        twice = [name for name, count in self.run.stored.items() if count > 1]
        self.figures["lost"], self.figures["twice"] = len(lost), len(twice)
        self.say(
            "every acknowledged write is there",
            acknowledged and not lost,
            f"{len(lost)} of {len(acknowledged)} lost: {lost[:3]}" if lost else "",
        )
        # Clients repeat these without an idempotency key.
        refused = [r.detail for r in self.records if r.kind == CREATE and UNAVAILABLE in r.error]
        made = [name for name in refused if self.run.stored.get(name)]
        self.say(
            "no write that was answered unavailable is in the table",
            not made,
            f"{len(made)} of {len(refused)}: {made[:3]}" if made else "",
        )
        self.say("no write happened twice", not twice, f"{len(twice)}: {twice[:3]}" if twice else "")

    def _judge_resources(self):
        run, observer = self.run, self.run.observer
        ended = run.exit_status is not None
        self.say("the same process to the end", not ended, f"exit status {run.exit_status}" if ended else "")
        self.say("the observer saw enough", observer.samples >= 50, f"{observer.samples} samples")
        if not run.scenario.strands_backends:
            self.say(
                f"at most {POOL_MAX} connections (server)", observer.connections <= POOL_MAX, f"{observer.connections}"
            )
            limit = STATEMENT_SECONDS + 2 * SLACK
            self.say(
                "statements end at the server",
                observer.oldest_statement <= limit,
                f"oldest {observer.oldest_statement:.2f} s",
            )
        # When the service abandons a connection, it asks the server to cancel the statement, over one more connection.
        self.say(
            f"at most {2 * POOL_MAX} sockets to the database", observer.sockets <= 2 * POOL_MAX, f"{observer.sockets}"
        )
        before, after = run.usage_before, run.usage_after
        if before and after:
            grown = sum(after.descriptors.values()) - sum(before.descriptors.values())
            kinds = f"{dict(before.descriptors)} → {dict(after.descriptors)}"
            kept = CANCEL_THREAD_LIMIT if run.scenario.stays_frozen else 0
            self.say("no descriptor is lost", grown <= DESCRIPTOR_MARGIN + kept, kinds)
            self.say(
                "no thread is lost",
                after.threads <= before.threads + THREAD_MARGIN + kept,
                f"{before.threads} → {after.threads}",
            )
            self.say(
                "no memory is lost",
                after.memory <= before.memory + MEMORY_MARGIN,
                f"{before.memory:.0f} → {after.memory:.0f} MiB",
            )
