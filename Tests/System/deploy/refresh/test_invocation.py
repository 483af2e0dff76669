"""deploy/refresh --run-command: what an instance is told to run is really run here, against the release binary."""

import socket
import time

import pytest
from answer import wrong
from cloud import IMAGE, OUTPUT_LIMIT, USER_DATA, Cloud, Machines
from front import Fault
from instance_refresh.command import parse
from instance_refresh.failure import CallFailed
from instance_refresh.group import instance_address
from instance_refresh.smoke import Smoke
from program import command, refresh

from support.emulators import moto, moto_server
from support.fixtures import cluster, module_database, server

INSTANCE = "i-00000000000000002"
URL = "http://127.0.0.1:5001"
PASSED = "PASS GET / answers 200\nsmoke: 1 passed, 0 failed\n"
FAILED = "FAIL GET / answers 200: got 500\nsmoke: 0 passed, 1 failed\n"


@pytest.fixture
def cloud(moto):
    """A group of one instance, which is tested while AWS bakes."""
    cloud = Cloud(moto, Machines(), count=1)
    yield cloud
    cloud.stop()


@pytest.fixture
def balancer(wrong):
    """The service as the load balancer shows it."""

    def hide(answer):
        if answer.path in ("/metrics", "/db"):
            answer.status = 404

    return wrong(hide)


def sick(answer):
    if answer.path == "/health":
        answer.status = 500


def told(cloud):
    return [invocation.values for invocation in cloud.invocations.values()]


# Through Run Command, as cloud.py plays it.


def test_a_good_instance_passes_by_itself(cloud, server, balancer):
    run = refresh(cloud, "--smoke", balancer, f"--run-command={server.url}", "--bake", "6")
    assert run.status == 0, run.text + run.errors
    assert f"smoke {INSTANCE} at {server.url}: passed (" in run.text
    assert [values["InstanceIds"] for values in told(cloud)] == [[INSTANCE]]
    assert told(cloud)[0]["TimeoutSeconds"] >= 30
    assert cloud.image() == IMAGE.format("two")


def test_a_spoilt_instance_rolls_back(cloud, server, balancer, wrong):
    run = refresh(cloud, "--smoke", balancer, "--run-command", wrong(sick), "--bake", "30")
    assert run.status == 1, run.text + run.errors
    assert "FAIL GET /health answers 200: got 500" in run.text
    assert f"rolling back: the smoke test of {INSTANCE} at" in run.text
    assert cloud.versions() == ["1"] and cloud.image() == IMAGE.format("one") and cloud.deleted == [2]


def test_options_arrive_as_they_are(cloud, server, balancer, tmp_path):
    odd = f"it's $(touch {tmp_path}/ran) {{{{ ssm:x }}}} \"y\""
    options = ["--smoke", balancer, "--run-command", server.url, "--bake", "30"]
    run = refresh(cloud, *options, f"--smoke-option=--version={odd}")
    assert run.status == 1, run.text + run.errors
    assert f"FAIL GET / shows version {odd}: got " in run.text
    assert list(tmp_path.iterdir()) == []


def test_an_instance_that_hangs_rolls_back_in_time(cloud, balancer):
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts, and never answers
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        run = refresh(cloud, "--smoke", balancer, "--run-command", url, "--bake", "4")
    assert run.status == 1, run.text + run.errors
    assert "did not end within" in run.text or "ExecutionTimedOut" in run.text
    assert cloud.versions() == ["1"]


def test_an_agent_and_an_invocation_that_come_late_are_waited_for(cloud, server, balancer):
    left = {"SendCommand": ["InvalidInstanceId"] * 2, "GetCommandInvocation": ["InvocationDoesNotExist"] * 2}

    def faults(action, values):
        if left.get(action):
            raise Fault(left[action].pop(), "not yet")

    cloud.faults = faults
    run = refresh(cloud, "--smoke", balancer, "--run-command", server.url, "--bake", "8")
    assert run.status == 0, run.text + run.errors
    assert left == {"SendCommand": [], "GetCommandInvocation": []} and len(told(cloud)) == 1


@pytest.mark.parametrize("action", ["SendCommand", "GetCommandInvocation"])
def test_credentials_that_may_not_run_commands_roll_back_with_a_line(cloud, server, balancer, action):
    def faults(called, values):
        if called == action:
            raise Fault("AccessDeniedException", "not authorized")

    cloud.faults = faults
    run = refresh(cloud, "--smoke", balancer, "--run-command", server.url, "--bake", "60")
    assert run.status == 1 and cloud.versions() == ["1"], run.text + run.errors
    assert "these credentials lack the permission" in run.text and "Traceback" not in run.errors


# What AWS may say of a command.


class Answers:
    """In the place of Cloud: each call gets the next of its answers, the last one for ever."""

    def __init__(self, *invocations, commands=("0" * 36,)):
        self.left = {"send": list(commands), "get": list(invocations)}
        self.count = {"send": 0, "get": 0}

    def _next(self, kind):
        self.count[kind] += 1
        answer = self.left[kind].pop(0) if len(self.left[kind]) > 1 else self.left[kind][0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def send_command(self, instance, lines, seconds, comment):
        return self._next("send")

    def command_invocation(self, command, instance):
        return self._next("get")


def invocation(status, details=None, code=-1, text="", errors=""):
    return {
        "Status": status,
        "StatusDetails": details or status,
        "ResponseCode": code,
        "StandardOutputContent": text,
        "StandardErrorContent": errors,
    }


GOOD = invocation("Success", code=0, text=PASSED)


def asked(answers, seconds=5.0):
    """Why the instance is not fit, and what was said."""
    said = []
    smoke = Smoke(None, URL, [], said.append, remote=answers, poll=0.01)
    return smoke.of_instances({INSTANCE: "10.0.10.2"}, time.monotonic() + seconds), said


def test_success_is_a_pass():
    failure, said = asked(Answers(GOOD))
    assert failure is None and said == [f"smoke {INSTANCE} at {URL}: passed (1 passed, 0 failed)"]


@pytest.mark.parametrize(
    "answer, words",
    [
        (invocation("Failed", code=1, text=FAILED), "failed"),
        (invocation("Failed", code=2, errors="smoke: curl is not installed"), "ended with 2: smoke: curl is not"),
        (invocation("Failed", code=126), "ended with 126: "),
        (invocation("Failed", "Undeliverable"), "ended as Failed (Undeliverable)"),
        (invocation("Failed", "Terminated"), "ended as Failed (Terminated)"),
        (invocation("Failed", code=0, text=PASSED), "ended as Failed (Failed)"),
        (invocation("TimedOut", "DeliveryTimedOut"), "ended as TimedOut (DeliveryTimedOut)"),
        (invocation("TimedOut", "ExecutionTimedOut", 137), "ended as TimedOut (ExecutionTimedOut)"),
        (invocation("Cancelled"), "ended as Cancelled (Cancelled)"),
        (invocation("Cancelled", code=0, text=PASSED), "ended as Cancelled (Cancelled)"),
        (invocation("Superseded", code=0, text=PASSED), "ended as Superseded (Superseded)"),
        (invocation("Success", code=0), "ended without its result"),
        (invocation("Success", code=0, text=FAILED), "ended without its result"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_everything_but_a_success_is_a_failure(answer, words):
    failure, said = asked(Answers(answer))
    assert failure.startswith(f"the smoke test of {INSTANCE} at {URL} {words}"), failure
    assert said == [f"smoke {INSTANCE} at {URL}: {line}" for line in FAILED.splitlines()[:1] if "FAIL" in str(answer)]


def test_lines_of_a_command_that_timed_out_are_told():
    _, said = asked(Answers(invocation("TimedOut", "ExecutionTimedOut", 137, FAILED)))
    assert said == [f"smoke {INSTANCE} at {URL}: FAIL GET / answers 200: got 500"]


def test_lines_that_aws_has_truncated_are_marked():
    text = ("FAIL x: got y\n" * OUTPUT_LIMIT)[:OUTPUT_LIMIT]
    failure, said = asked(Answers(invocation("Failed", code=1, text=text)))
    assert failure.endswith(" failed") and "further ones are cut" in said[0]


@pytest.mark.parametrize("status", ["Pending", "InProgress", "Delayed", "Cancelling"])
def test_a_command_on_its_way_is_waited_for(status):
    answers = Answers(invocation(status), invocation(status), GOOD)
    assert asked(answers)[0] is None and answers.count == {"send": 1, "get": 3}


@pytest.mark.parametrize("status", ["Pending", "InProgress", "Delayed", "Cancelling"])
def test_a_command_that_never_ends_is_given_up(status):
    start = time.monotonic()
    failure, _ = asked(Answers(invocation(status)), seconds=0.2)
    assert f"did not end within 0 s ({status})" in failure and time.monotonic() - start < 0.5


def fault(code, passes=False):
    return CallFailed("ssm call", code, f"{code}: its text", passes)


PASSING = [fault("ThrottlingException", True), fault("InternalServerError", True), fault("", True)]


@pytest.mark.parametrize("problem", [*PASSING, fault("InvalidInstanceId")], ids=lambda problem: problem.code)
def test_a_command_that_is_not_taken_yet_is_sent_again(problem):
    answers = Answers(GOOD, commands=[problem, problem, "0" * 36])
    failure, said = asked(answers)
    assert failure is None and answers.count == {"send": 3, "get": 1}
    assert len([line for line in said if "asking again" in line]) == 1


@pytest.mark.parametrize("problem", [*PASSING, fault("InvocationDoesNotExist")], ids=lambda problem: problem.code)
def test_an_invocation_that_is_not_seen_yet_is_asked_for_again(problem):
    answers = Answers(problem, problem, GOOD)
    assert asked(answers)[0] is None and answers.count == {"send": 1, "get": 3}


@pytest.mark.parametrize("code", ["InvalidInstanceId", "ThrottlingException"])
def test_a_command_that_is_never_taken_is_given_up(code):
    failure, _ = asked(Answers(GOOD, commands=[fault(code, code != "InvalidInstanceId")]), seconds=0.2)
    assert "did not end in time: ssm call: " + code in failure


def test_an_invocation_that_is_never_seen_is_given_up():
    failure, _ = asked(Answers(fault("InvocationDoesNotExist")), seconds=0.2)
    assert "did not end in time: ssm call: InvocationDoesNotExist" in failure


def test_a_refused_request_is_not_repeated():
    answers = Answers(GOOD, commands=[fault("AccessDeniedException")])
    assert "cannot run there: ssm call: AccessDeniedException" in asked(answers)[0]
    assert answers.count == {"send": 1, "get": 0}


# The command line.


def options(*words):
    return parse([str(word) for word in command(*words)[2:]])


def test_the_address_is_that_of_the_service_on_its_own_machine():
    assert instance_address(options("--smoke", "https://items.example", "--run-command"), USER_DATA) == URL
    assert options("--smoke", "https://items.example").run_command is None


def test_without_a_smoke_test_nothing_runs_there():
    assert options("--run-command").run_command is None


@pytest.mark.parametrize(
    "words, error",
    [
        (["--run-command", "--instance-url", URL], "not allowed with argument"),
        (["--run-command", "none"], "a URL is needed"),
        (["--run-command=127.0.0.1"], "an http or https URL"),
    ],
)
def test_a_bad_combination_is_refused(words, error, capsys):
    with pytest.raises(SystemExit) as ended:
        options(*words)
    assert ended.value.code == 2 and error in capsys.readouterr().err
