"""Every saved query and every metric filter over the service's own log, each result held against what its clients saw,
what /metrics counted, or what was done to the service.
"""

import bisect
import collections
import json
import math
import re

import pytest

import agent
import deployed
import insights
from pattern import Pattern
from recording import HOMELESS, LASTING, LEAVING, REPEATED, TRACE, SLOW_SECONDS, recording  # noqa: F401

SLOW_MS = 500
HEALTH = {"/health", "/healthz", "/health/live", "/health/ready"}
FORMAT = deployed.log_files()[0]["timestamp_format"]


def stamp(line):
    return agent.milliseconds(FORMAT, line)


@pytest.fixture(scope="module")
def lines(recording):
    """By instance, as each one's file has them."""
    return {instance: recording.lines(instance) for instance in (LASTING, LEAVING, HOMELESS)}


@pytest.fixture(scope="module")
def events(lines):
    """The log group with its three streams."""
    return [event for instance in lines for event in insights.events(lines[instance], stamp, instance)]


@pytest.fixture(scope="module")
def exchanges(recording):
    return recording.exchanges


@pytest.fixture
def ask(events):
    """Runs a saved query; answers with its rows as tuples of the named columns."""

    def run(name, *columns):
        table = deployed.run(name, events)
        return [tuple(row[column] for column in columns) for row in table.rows]

    return run


def counts(exchanges, *names, where=lambda exchange: True):
    """How many exchanges have the same values, as rows: the values, then the number."""
    found = collections.Counter(tuple(getattr(one, name) for name in names) for one in exchanges if where(one))
    return sorted((*key, count) for key, count in found.items())


class TestEachQuery:
    @pytest.mark.parametrize("name", deployed.QUERIES)
    def test_names_only_fields_that_its_events_have(self, name, events):
        query = deployed.QUERIES[name].replace("PUT-THE-ID-HERE", REPEATED)
        table = insights.run(query, events)
        assert len(table) and table.empty_columns() == []

    @pytest.mark.parametrize("title", deployed.documented_queries())
    def test_of_the_page_names_only_fields_that_its_events_have(self, title, events):
        table = insights.run(deployed.documented_queries()[title].replace("PUT-THE-ID-HERE", REPEATED), events)
        assert len(table) and table.empty_columns() == []

    @pytest.mark.parametrize("name", deployed.QUERIES)
    def test_has_a_test_of_its_own(self, name):
        assert any(test.startswith("test_" + name.replace("-", "_") + "_") for test in vars(TestTheQuery)), name

    @pytest.mark.parametrize("name", deployed.FILTERS)
    def test_has_its_filters_beside_it(self, name):
        assert any(test.startswith("test_" + name.replace("-", "_") + "_") for test in vars(TestTheFilter)), name

    @pytest.mark.parametrize("name", deployed.QUERIES)
    def test_fails_when_any_of_its_fields_is_misspelt(self, name, events):
        query = deployed.QUERIES[name].replace("PUT-THE-ID-HERE", REPEATED)
        fields = {name for event in events for name in event if not name.startswith("@")}
        body = re.sub(r'"[^"\n]*"|/(?:[^/\\\n]|\\.)+/|#.*', lambda match: " " * len(match[0]), query)
        used = [match for match in re.finditer(r"\b[a-z_]+\b(?! *\()", body) if match[0] in fields]
        assert used
        for match in used:
            if body[: match.start()].endswith(" as "):
                continue
            broken = query[: match.end()] + "_" + query[match.end() :]
            with pytest.raises(insights.QueryError, match="no event has the field"):
                insights.run(broken, events)


class TestTheQuery:
    def test_errors_lists_what_is_logged_as_an_error(self, ask, exchanges, recording):
        found = ask("errors", "level", "msg", "route", "status", "request_id")
        answers = sorted(row[2:] for row in found if row[1] == "Request completed")
        assert answers == sorted((one.route, one.status, one.request_id) for one in exchanges if one.status >= 500)
        others = collections.Counter(row[:2] for row in found if row[1] != "Request completed")
        assert others == {("ERROR", "Database is unreachable"): 1, ("CRITICAL", "Cannot listen"): 1}

    def test_errors_has_the_newest_first(self, ask):
        moments = [moment for (moment,) in ask("errors", "timestamp")]
        assert len(moments) > 5 and moments == sorted(moments, reverse=True)

    def test_errors_by_route_counts_the_answers_from_500_on(self, ask, exchanges):
        found = ask("errors-by-route", "route", "status", "errors")
        assert sorted(found) == counts(exchanges, "route", "status", where=lambda one: one.status >= 500)
        assert found[0][2] == max(row[2] for row in found)

    def test_errors_by_route_says_when_and_why_it_was_the_last_time(self, ask, exchanges):
        last = {(one.route, one.status): one for one in sorted(exchanges, key=lambda one: one.ended)}
        for route, status, seen, error in ask("errors-by-route", "route", "status", "last_seen", "last_error"):
            seen = agent.milliseconds(FORMAT, seen)
            assert last[route, status].began * 1000 - 2 <= seen <= last[route, status].ended * 1000 + 2
            assert error

    def test_latency_by_route_counts_every_request(self, ask, exchanges):
        assert sorted(ask("latency-by-route", "route", "requests")) == counts(exchanges, "route")

    def test_latency_by_route_agrees_with_the_histograms(self, events, recording):
        """Before the drain: of the instance that was scraped."""
        before = [event for event in scraped(events, recording)]
        bounds, samples = histograms(recording)
        rows = deployed.run("latency-by-route", before).rows
        assert {row["route"] for row in rows} == set(samples)
        found = collections.defaultdict(list)
        for row in rows:
            # Cumulated, so the first bucket that reaches the rank holds the percentile.
            cumulated = samples[row["route"]]
            assert row["requests"] == cumulated[-1]
            for percent in (50, 95, 99):
                index = bisect.bisect_left(cumulated, max(math.ceil(percent / 100 * cumulated[-1]), 1))
                found[row["route"]].append(index)
                below = bounds[index - 1] if index else 0
                assert below * 1000 - 0.001 <= row[f"p{percent}"] <= bounds[index] * 1000 + 0.001, (row, cumulated)
        assert len(set(found["/api/items"])) == 3, "no query could mistake one percentile for another"

    def test_latency_by_route_is_below_what_the_clients_measured(self, ask, exchanges):
        longest = collections.defaultdict(float)
        for one in exchanges:
            longest[one.route] = max(longest[one.route], one.milliseconds)
        for route, *quantiles in ask("latency-by-route", "route", "p50", "p95", "p99", "slowest"):
            assert quantiles == sorted(quantiles) and quantiles[-1] <= longest[route]

    def test_latency_over_time_has_a_row_for_each_route_in_each_step(self, ask, exchanges):
        found = ask("latency-over-time", "time", "route", "p50", "p95", "p99")
        assert {route for _, route, *_ in found} == {one.route for one in exchanges}
        edges = {instant(moment) for one in exchanges for moment in (one.began, one.ended)}
        assert {time for time, *_ in found} <= edges and [row[0] for row in found] == sorted(row[0] for row in found)
        assert all(p50 <= p95 <= p99 for *_, p50, p95, p99 in found)

    def test_latency_over_time_has_the_latencies_of_its_steps(self, events):
        """In one step they are those of the whole time, which are held against the histograms."""
        at_once = [{**event, "@timestamp": 0} for event in events]
        steps = deployed.run("latency-over-time", at_once).rows
        routes = {row["route"]: row for row in deployed.run("latency-by-route", at_once).rows}
        assert len(steps) == len(routes)
        for row in steps:
            assert [row[name] for name in ("p50", "p95", "p99")] == [
                routes[row["route"]][n] for n in ("p50", "p95", "p99")
            ]

    def test_slowest_requests_begins_with_those_that_were_held_up(self, ask, exchanges):
        found = ask("slowest-requests", "request_id", "status", "response_time_ms")
        times = [row[2] for row in found]
        assert times == sorted(times, reverse=True) and len(found) == min(50, len(exchanges))
        held_up = {one.request_id: one for one in exchanges if one.milliseconds > SLOW_SECONDS * 1000}
        assert {row[0] for row in found[: len(held_up)]} == set(held_up)
        assert all(milliseconds <= held_up[name].milliseconds for name, _, milliseconds in found[: len(held_up)])

    def test_request_finds_each_line_of_one_id_on_any_instance(self, events, exchanges):
        table = insights.run(deployed.QUERIES["request"].replace("PUT-THE-ID-HERE", REPEATED), events)
        seen = sorted((one for one in exchanges if one.request_id == REPEATED), key=lambda one: one.ended)
        assert len(seen) == 5 and table.column("instance_id") == [one.instance for one in seen]
        assert table.column("bytes") == [one.size for one in seen]
        assert table.column("user_agent") == [one.agent for one in seen]

    def test_request_finds_a_balancers_trace_as_well(self, events):
        table = insights.run(deployed.QUERIES["request"].replace("PUT-THE-ID-HERE", TRACE), events)
        assert table.column("remote_addr") == ["203.0.113.9"] * 3

    def test_request_with_its_placeholder_finds_nothing(self, events):
        assert len(insights.run(deployed.QUERIES["request"].split("| sort")[0], events)) == 0

    def test_drains_has_a_row_for_each_instance_that_was_stopped(self, ask, recording):
        found = ask("drains", "instance_id", "phases", "connections_cut", "began", "ended")
        # A phase for each line: announced, closing, drained; one more where connections were cut.
        assert [row[:3] for row in found] == [(LASTING, 3, None), (LEAVING, 4, 1)]
        spans = {
            LASTING: (recording.drain_began, recording.drain_ended),
            LEAVING: (recording.cut_began, recording.cut_ended),
        }
        for instance, _, _, began, ended in found:
            first, last = spans[instance]
            assert first * 1000 - 2 <= stamp(began) <= stamp(ended) <= last * 1000 + 2

    def test_drain_tells_the_phases_in_their_order(self, ask, recording):
        found = ask("drain", "instance_id", "msg", "level", "open_connections")
        course = {instance: [row[1:] for row in found if row[0] == instance] for instance in (LEAVING, LASTING)}
        assert [row[0].split(":")[0] for row in course[LASTING]] == ["Draining", "Draining", "Drained"]
        assert [row[0].split(":")[0] for row in course[LEAVING]] == [
            "Draining",
            "Draining",
            "Drain timed out",
            "Drained",
        ]
        assert ("Drain timed out: connections are cut", "WARNING", 1) in course[LEAVING]
        assert [row[0] for row in found] == [LEAVING] * 4 + [LASTING] * 3

    def test_database_outages_tells_when_it_went_and_came(self, ask, recording):
        found = ask("database-outages", "timestamp", "instance_id", "level", "msg")
        assert [row[1:] for row in found if row[1] == LEAVING] == [(LEAVING, "INFO", "Database is reachable")]
        course = [row for row in found if row[1] == LASTING]
        changes = [row[3] for row in course if row[3] != "Database connection lost"]
        assert changes == ["Database is reachable", "Database is unreachable", "Database is reachable"]
        during = [stamp(row[0]) / 1000 for row in course[1:]]
        assert all(recording.outage_began - 0.002 <= moment <= recording.outage_ended + 0.002 for moment in during)

    def test_database_outages_names_each_connection_that_was_lost(self, ask, recording):
        found = ask("database-outages", "msg", "level")
        assert found.count(("Database connection lost", "WARNING")) == recording.connections_lost > 0

    def test_database_refusals_counts_what_was_not_served(self, ask, exchanges):
        totals = collections.Counter()
        for route, status, requests in ask("database-refusals", "route", "status", "requests"):
            totals[route, status] += requests
        where = lambda one: one.route.startswith("/api/items") and one.status in (503, 504)
        assert sorted((*key, count) for key, count in totals.items()) == counts(
            exchanges, "route", "status", where=where
        )

    def test_database_refusals_counts_the_clients_that_met_it(self, events, exchanges):
        # The minute may change within the recording: then a client may be counted in two of them.
        table = deployed.run("database-refusals", [{**event, "@timestamp": 0} for event in events])
        clients = collections.defaultdict(set)
        for one in exchanges:
            if one.route.startswith("/api/items") and one.status in (503, 504):
                clients[one.route, one.status].add(one.client)
        found = {(row["route"], row["status"]): row["clients"] for row in table.rows}
        assert found == {key: len(addresses) for key, addresses in clients.items()}

    def test_clients_by_status_counts_what_each_client_was_answered(self, ask, exchanges):
        found = ask("clients-by-status", "remote_addr", "status", "requests")
        assert sorted(found) == counts(exchanges, "client", "status")
        assert [row[2] for row in found] == sorted((row[2] for row in found), reverse=True)

    def test_clients_by_status_adds_up_bytes_and_time(self, ask, exchanges):
        sizes, longest = collections.Counter(), collections.Counter()
        for one in exchanges:
            sizes[one.client, one.status] += one.size
            longest[one.client, one.status] += one.milliseconds
        for client, status, requests, mean, size in ask(
            "clients-by-status", "remote_addr", "status", "requests", "mean_ms", "body_bytes"
        ):
            assert size == sizes[client, status]
            assert 0 < mean * requests <= longest[client, status]

    def test_refused_clients_counts_the_answers_of_400_and_above(self, ask, exchanges):
        found = ask("refused-clients", "remote_addr", "status", "requests")
        assert sorted(found) == counts(exchanges, "client", "status", where=lambda one: 400 <= one.status < 500)

    def test_answers_by_status_counts_every_answer(self, ask, exchanges):
        assert ask("answers-by-status", "status", "answers") == counts(exchanges, "status")

    def test_answers_by_status_agrees_with_the_counters(self, events, recording):
        counted = collections.Counter()
        for sample in recording.samples:
            if sample.name == "http_requests_total":
                counted[int(sample.labels["status"])] += int(sample.value)
        rows = deployed.run("answers-by-status", scraped(events, recording)).rows
        assert {row["status"]: row["answers"] for row in rows} == counted

    def test_traffic_counts_requests_but_for_health_checks(self, ask, exchanges):
        found = ask("traffic", "time", "requests", "body_bytes", "slowest")
        served = [one for one in exchanges if one.route not in HEALTH]
        assert sum(row[1] for row in found) == len(served) and sum(row[2] for row in found) == sum(
            one.size for one in served
        )
        assert max(row[3] for row in found) <= max(one.milliseconds for one in served)
        assert [row[0] for row in found] == sorted({row[0] for row in found})

    def test_unknown_paths_counts_what_scanners_ask_for(self, ask, exchanges):
        where = lambda one: one.route == "unmatched"
        assert sorted(ask("unknown-paths", "path", "requests")) == counts(exchanges, "path", where=where)
        clients = {path: clients for path, clients in ask("unknown-paths", "path", "clients")}
        assert clients["/wp-login.php"] == 2 and clients["/.env"] == 1

    def test_starts_lists_instances_that_serve_and_that_failed_to_start(self, ask, recording):
        found = ask("starts", "instance_id", "msg", "workers", "port", "reason")
        port = {instance: str(server.port) for instance, server in recording.servers.items()}
        assert [row[0] for row in found] == [HOMELESS, LEAVING, LASTING]
        assert [row[1:] for row in found[1:]] == [
            ("Serving", "2", port[LEAVING], None),
            ("Serving", "2", port[LASTING], None),
        ]
        assert found[0][1] == "Cannot listen" and found[0][3] == port[LASTING] and "errno 98" in found[0][4]


class TestTheFilter:
    @pytest.fixture
    def counted(self, lines):
        """How many lines of all instances a filter counts."""

        def count(name):
            pattern = Pattern(deployed.FILTERS[name]["pattern"])
            return sum(pattern.matches(line) for instance in lines.values() for line in instance)

        return count

    def test_errors_counts_failures_and_the_outage(self, counted, exchanges):
        # The outage is logged once; the loss of one connection is a warning.
        assert counted("errors") == sum(one.status >= 500 for one in exchanges) + 1

    def test_critical_counts_the_start_that_failed(self, counted):
        assert counted("critical") == 1

    def test_slow_requests_counts_those_that_were_held_up(self, counted, exchanges):
        items = [one for one in exchanges if one.route.startswith("/api/items")]
        held_up = sum(one.milliseconds > SLOW_SECONDS * 1000 for one in items)
        # On a busy machine another one may have been slow; its client has seen that.
        assert 5 <= held_up <= counted("slow-requests") <= sum(one.milliseconds > SLOW_MS for one in items)

    def test_slow_requests_leaves_out_a_slow_health_check(self, lines):
        pattern = Pattern(deployed.FILTERS["slow-requests"]["pattern"])
        slow = next(line for line in lines[LASTING] if pattern.matches(line))
        assert not pattern.matches(json.dumps({**json.loads(slow), "route": "/health"}))
        assert not pattern.matches(json.dumps({**json.loads(slow), "response_time_ms": SLOW_MS}))

    def test_database_unreachable_counts_outages(self, counted):
        assert counted("database-unreachable") == 1

    def test_database_refusals_counts_what_was_not_served(self, counted, exchanges):
        expected = sum(one.route.startswith("/api/items") and one.status in (503, 504) for one in exchanges)
        assert counted("database-refusals") == expected > 0

    def test_drain_timeouts_counts_the_drain_that_cut(self, counted):
        assert counted("drain-timeouts") == 1

    @pytest.mark.parametrize("name", deployed.FILTERS)
    def test_looks_at_fields_that_some_line_has(self, name, events):
        for field in Pattern(deployed.FILTERS[name]["pattern"]).names:
            assert any(field in event for event in events), field

    def test_errors_by_route_and_its_alarm_count_the_same(self, counted, ask):
        assert sum(count for (count,) in ask("errors-by-route", "errors")) == counted("errors") - counted(
            "database-unreachable"
        )


class TestTheAgent:
    def test_finds_the_time_of_every_line(self, lines):
        for line in (line for instance in lines.values() for line in instance):
            assert insights.instant(stamp(line)).replace(" ", "T") + "Z" == json.loads(line)["timestamp"], line

    def test_finds_the_time_that_the_clients_saw(self, events, exchanges):
        moments = {
            (event["request_id"], event["instance_id"]): event["@timestamp"] for event in events if "status" in event
        }
        for one in exchanges:
            if one.request_id != REPEATED:
                found = moments[one.request_id, one.instance]
                assert one.began * 1000 - 2 <= found <= one.ended * 1000 + 2

    def test_takes_each_line_as_one_event(self, lines):
        # What continues an event begins with white space, unless a pattern says otherwise.
        assert "multi_line_start_pattern" not in deployed.log_files()[0]
        assert all(line[0] == "{" and line.count("\n") == 1 for instance in lines.values() for line in instance)


def scraped(events, recording):
    """The events of the scraped instance that are older than the scrape."""
    return [
        event for event in events if event["instance_id"] == LASTING and event["@timestamp"] <= recording.scraped * 1000
    ]


def histograms(recording):
    """The upper bounds in seconds, and for each route the cumulated counts of all methods."""
    cumulated = collections.defaultdict(collections.Counter)
    for sample in recording.samples:
        if sample.name == "http_request_duration_seconds_bucket":
            cumulated[sample.labels["route"]][float(sample.labels["le"])] += sample.value
    bounds = sorted(next(iter(cumulated.values())))
    return bounds, {
        route: [counter[bound] for bound in bounds] for route, counter in cumulated.items() if counter[math.inf]
    }


def instant(seconds):
    return insights.instant(int(seconds) // 300 * 300_000)
