"""deploy/smoke against the release binary, and against one that is wrong in one thing each."""

import json
import re
import signal
import socket
import ssl
import threading

import pytest
from answer import wrong
from program import smoke

from support.certificates import Authority
from support.fixtures import binary, cluster, database, launch, module_database, server
from support.waiting import until


def test_the_real_service_passes(server):
    run = smoke("--direct", server.url)
    assert run.status == 0, run.text + run.errors
    assert run.failed() == [] and re.fullmatch(r"smoke: \d\d passed, 0 failed", run.lines[-1])


def test_what_its_caller_has_configured_changes_nothing(server, tmp_path):
    for name in (".curlrc", "curlrc"):
        (tmp_path / name).write_text('fail\nrequest = "PUT"\nuser-agent = "x"\nproxy = "http://127.0.0.1:9"\nhead\n')
    (tmp_path / "deploy").mkdir()
    env = {name: str(tmp_path) for name in ("HOME", "CURL_HOME", "XDG_CONFIG_HOME", "CDPATH")}
    run = smoke("--direct", server.url, env={**env, "GREP_OPTIONS": "-v", "LC_ALL": "de_DE.UTF-8", "POSIXLY_CORRECT": "1"})
    assert run.status == 0, run.text + run.errors
    assert run.failed() == [] and re.fullmatch(r"smoke: \d\d passed, 0 failed", run.lines[-1])


def test_it_passes_below_a_base_path(database, launch):
    server = launch(database.environment, BASE_PATH="/profile").wait_until_live()
    until(lambda: server.get("/profile/health").status_code == 200)
    run = smoke("--direct", server.url + "/profile/")
    assert run.status == 0, run.text


def test_it_passes_behind_a_balancer_that_hides_metrics_and_db(database, launch):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        admin = probe.getsockname()[1]
    server = launch(database.environment, ADMIN_PORT=str(admin)).wait_until_healthy()
    run = smoke(server.url)
    assert run.status == 0, run.text


def test_metrics_that_are_not_hidden_fail(server):
    run = smoke(server.url)
    assert run.status == 1
    assert run.failed() == ["GET /metrics answers 404", "GET /db answers 404"]


def test_a_draining_service_passes_only_as_one(database, launch):
    server = launch(database.environment, DRAIN_DELAY_MS="15000").wait_until_healthy()
    server.signal(signal.SIGTERM)
    until(lambda: server.get("/health").status_code == 503)
    assert smoke("--direct", "--draining", server.url).status == 0
    run = smoke("--direct", server.url)
    assert run.status == 1
    assert run.failed() == [
        "GET /health answers 200",
        "GET /health is healthy or degraded, not draining",
        "GET /health/ready answers 200",
        "GET /health/ready is healthy or degraded, not draining",
    ]
    server.signal(signal.SIGTERM)
    assert server.wait() == 1


def test_a_service_that_serves_does_not_pass_as_draining(server):
    run = smoke("--direct", "--draining", server.url)
    assert run.status == 1 and "GET /health is draining" in run.failed()
    assert "GET / asks to close the connection" in run.failed()


def test_version_and_commit_are_compared(database, launch):
    server = launch(database.environment, ITEMS_COMMIT="abc123").wait_until_healthy()
    version = server.get("/").json()["version"]
    assert smoke("--direct", "--version", version, "--commit", "abc123", server.url).status == 0
    run = smoke("--direct", "--version", "9.9.9", "--commit", "abc12", server.url)
    assert run.failed() == ["GET / shows version 9.9.9", "GET /metrics shows commit abc12"]


def items_of_smoke_tests(database):
    with database.connect() as connection:
        return connection.execute("SELECT count(*) FROM items WHERE name LIKE 'smoke-%'").fetchone()[0]


def test_nothing_stays_of_the_items_that_it_creates(server, module_database):
    before = items_of_smoke_tests(module_database)
    assert smoke("--direct", server.url).status == 0
    assert items_of_smoke_tests(module_database) == before


def test_its_items_go_where_a_change_has_to_name_a_state(database, launch):
    server = launch(database.environment, REQUIRE_PRECONDITIONS="1").wait_until_healthy()
    run = smoke("--direct", server.url)
    assert run.status == 0, run.text
    assert items_of_smoke_tests(database) == 0


def test_two_creates_with_one_key_make_one_item(wrong):
    made = []

    def note(answer):
        if answer.method == "POST" and answer.status == 201:
            made.append(json.loads(answer.body)["id"])

    assert smoke("--direct", wrong(note)).status == 0
    assert len(made) == 3 and len(set(made)) == 2


def only_the_api(answer):
    """What a balancer answers whose other paths lead to a web page."""
    if not answer.path.startswith("/api/"):
        answer.status, answer.fields["Content-Type"] = 200, "text/html"
        answer.text("<!doctype html>")


def test_it_passes_behind_a_balancer_that_sends_only_the_api_to_the_service(wrong):
    url = wrong(only_the_api)
    run = smoke("--api-only", url)
    assert run.status == 0, run.text
    assert any(line.startswith("PASS GET /api/health ") for line in run.lines)
    assert "GET / is JSON" in smoke(url).failed()


def test_an_unhealthy_service_behind_such_a_balancer_fails(wrong):
    unhealthy = wrong(lambda a: a.path == "/api/health" and setattr(a, "status", 503))
    assert smoke("--api-only", unhealthy).failed() == ["GET /api/health answers 200"]


KEY = "with the same Idempotency-Key"
# What is spoilt, and the lines that have to fail: these and no other.
SPOILT = {
    "root is away": (lambda a: a.path == "/" and setattr(a, "status", 500), ["GET / answers 200"]),
    "another service": (lambda a: a.path == "/" and a.json(service="other"), ["GET / names the service"]),
    "no instance": (
        lambda a: a.path == "/" and a.json(instance_id=""),
        ["GET / has version, environment and instance_id"],
    ),
    "not JSON": (lambda a: a.path == "/" and a.fields.update({"Content-Type": "text/html"}), ["GET / is JSON"]),
    "unhealthy": (
        lambda a: a.path == "/health" and (a.json(status="unhealthy"), setattr(a, "status", 503)),
        ["GET /health answers 200", "GET /health is healthy or degraded, not draining"],
    ),
    "draining": (
        lambda a: a.path == "/health" and a.json(status="draining"),
        ["GET /health is healthy or degraded, not draining"],
    ),
    "not ready": (lambda a: a.path == "/health/ready" and setattr(a, "status", 503), ["GET /health/ready answers 200"]),
    "not live": (lambda a: a.path == "/health/live" and setattr(a, "status", 404), ["GET /health/live answers 200"]),
    "no metrics": (
        lambda a: a.path == "/metrics" and a.text("nothing"),
        ["GET /metrics is Prometheus text"],
    ),
    "no pool": (
        lambda a: a.path == "/db" and a.text('{"server_version":"15"}'),
        ["GET /db has server version and pool"],
    ),
    "request id made anew": (
        lambda a: a.path == "/" and a.fields.update({"X-Request-Id": "other"}),
        ["GET / repeats the client's X-Request-Id"],
    ),
    "create answers 200": (
        lambda a: a.method == "POST" and a.status == 201 and b" a" in a.request_body and setattr(a, "status", 200),
        ["POST /api/items answers 201"],
    ),
    "no Location": (
        lambda a: a.method == "POST" and a.without("Location"),
        ["POST /api/items has the item's Location"],
    ),
    "description lost": (
        lambda a: a.method == "GET" and re.match("/api/items/[0-9]{1,9}$", a.path) and a.json(description=None),
        ["GET /api/items/{id} is what POST answered", "HEAD /api/items/{id} has the Content-Length of GET"],
    ),
    "HEAD without length": (
        lambda a: a.method == "HEAD" and a.without("Content-Length"),
        ["HEAD /api/items/{id} has the Content-Length of GET"],
    ),
    "OPTIONS without Allow": (
        lambda a: a.method == "OPTIONS" and a.without("Allow"),
        ["OPTIONS /api/items/{id} has Allow"],
    ),
    "a second item": (
        lambda a: "Idempotent-Replayed" in a.fields and a.json(id=1),
        [f"POST /api/items {KEY} is the same item"],
    ),
    "not marked as replayed": (
        lambda a: a.without("Idempotent-Replayed"),
        [f"POST /api/items {KEY} is marked Idempotent-Replayed"],
    ),
    "key taken with another body": (
        lambda a: b" c" in a.request_body and setattr(a, "status", 201),
        [f"POST /api/items {KEY} and another body answers 422"],
    ),
    "a delete that deletes nothing": (
        lambda a: a.status == 404 and re.match("/api/items/[0-9]{1,9}$", a.path) and setattr(a, "status", 200),
        ["GET /api/items/{id} of the deleted item answers 404"],
    ),
    "a delete answers 200": (
        lambda a: a.method == "DELETE" and a.status == 204 and (a.text(""), setattr(a, "status", 200)),
        ["DELETE /api/items/{id} of an item created answers 204"] * 2,
    ),
    "no Link": (lambda a: a.without("Link"), ["GET /api/items links to the next page"]),
    "unknown path answers 200": (
        lambda a: a.path.startswith("/smoke-") and setattr(a, "status", 200),
        ["GET of an unknown path answers 404", "GET of an unknown path is a problem"],
    ),
    "unknown item is no problem": (
        lambda a: a.status == 404 and a.path.startswith("/api") and a.fields.update({"Content-Type": "text/html"}),
        ["GET of an unknown item is a problem"],
    ),
    "405 without Allow": (
        lambda a: a.method == "DELETE" and a.without("Allow"),
        ["DELETE /api/items has Allow"],
    ),
    "text is taken": (
        lambda a: a.status == 415 and a.json(status=400) is setattr(a, "status", 400),
        ["POST /api/items as text/plain answers 415"],
    ),
    "half a text is 422": (
        lambda a: a.status == 400 and a.json(status=422) is setattr(a, "status", 422),
        ["POST /api/items of half a JSON text answers 400"],
    ),
    "422 names no field": (
        lambda a: a.status == 422 and b'""' in a.request_body and a.json(errors=[]),
        ["POST /api/items of an empty name names the field"],
    ),
}


@pytest.mark.parametrize("name", SPOILT)
def test_a_fault_fails_at_its_own_line_only(wrong, name):
    spoil, lines = SPOILT[name]
    run = smoke("--direct", wrong(spoil))
    assert run.status == 1, run.text
    assert run.failed() == lines, run.text


def test_an_item_that_turns_up_twice_fails(wrong):
    run = smoke("--direct", wrong(lambda a: "next_cursor" in a.body.decode() and a.text(FIRST_PAGE)))
    assert run.failed() == ["GET /api/items of the next page is another item"]


FIRST_PAGE = '{"items":[{"id":1,"name":"x"}],"next_cursor":"abc"}'


def test_a_slow_service_fails_at_the_bound(wrong):
    pause = threading.Event()
    slow = wrong(lambda answer: pause.wait(0.02))
    run = smoke("--direct", "--p95-ms", "10", "--requests", "5", slow)
    assert run.failed() == ["95 of 100 requests take less than 10 ms"], run.text
    assert smoke("--direct", "--p95-ms", "5000", "--requests", "5", slow).status == 0


def test_a_service_that_does_not_answer_fails_in_time():
    with socket.create_server(("127.0.0.1", 0), backlog=200) as silent:
        run = smoke("--max-time", "1", "--requests", "1", f"http://127.0.0.1:{silent.getsockname()[1]}")
    assert run.status == 1 and "FAIL GET / answers 200: got 000" in run.text
    assert "3 times in a row; the rest is left out" in run.text and run.lines[-1].endswith(" failed")


def test_https_has_to_be_redirected_to(wrong, tmp_path):
    authority = Authority(tmp_path, "root")
    certificate, key = authority.issue("localhost")
    (tmp_path / "both.pem").write_text(certificate + key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "both.pem")

    def redirect(answer):
        answer.status = 301
        answer.fields["Location"] = url + answer.path

    url = wrong(lambda answer: None, context)
    words = ["--direct", "--ca-file", authority.certificate, "--redirect-from"]
    assert smoke(*words, wrong(redirect), url).status == 0
    assert smoke(*words, wrong(lambda answer: None), url).failed() == ["http redirects to https"]
    assert smoke("--direct", url).status == 1, "the authority is not trusted by itself"


@pytest.mark.parametrize(
    "words, reason",
    [
        ([], "a URL is needed"),
        (["items.example"], "a URL is needed"),
        (["http://a", "http://b"], "more than one URL"),
        (["--fast", "http://a"], "unknown option --fast"),
        (["--requests", "0", "http://a"], "--requests takes 1 to 1000"),
        (["--p95-ms", "soon", "http://a"], "--p95-ms takes"),
        (["--commit", "abc", "http://a"], "--commit needs --direct"),
        (["--version"], "--version needs a value"),
        (["--api-only", "--direct", "http://a"], "--api-only is for a balancer"),
        (["--api-only", "--version", "1", "http://a"], "--version is shown by /"),
    ],
)
def test_a_bad_command_line_is_refused(words, reason):
    run = smoke(*words)
    assert run.status == 2 and reason in run.errors and run.text == ""


def test_a_missing_curl_is_reported(tmp_path):
    (tmp_path / "bash").symlink_to("/bin/bash")
    run = smoke("http://127.0.0.1:9", env={"PATH": str(tmp_path)})
    assert run.status == 2 and "curl is not installed" in run.errors
