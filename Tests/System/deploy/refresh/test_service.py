"""deploy/refresh --service against ECS as orchestrator.py plays it, with tasks that are only names."""

import copy
import re
import signal
import socket
import threading
import time

import pytest
from answer import answering
from cloud import IMAGE, Machines
from front import LOST, Fault
from orchestrator import CLUSTER, DEFINITION, FAMILY, SERVICE, Orchestrator
from program import Refreshing, run_here, service_command

from support.emulators import moto, moto_server
from support.waiting import until


@pytest.fixture
def machines():
    return Machines()


@pytest.fixture
def ecs(moto, machines):
    ecs = Orchestrator(moto, machines)
    yield ecs
    ecs.stop()


def deploy(ecs, *options, **named):
    return run_here(ecs, service_command(*options, **named))


def untouched(ecs, run, before, words):
    """Refused with one line that says this, and nothing is other than before."""
    assert run.status == 2, run.text + run.errors
    assert re.search(words, run.errors), run.errors
    assert "Traceback" not in run.errors and len(run.errors.strip().splitlines()) == 1
    assert ecs.state() == before


def test_a_deployment_replaces_every_task_and_records_the_image(ecs):
    run = deploy(ecs)
    assert run.status == 0, run.text + run.errors
    assert ecs.revisions() == ["2", "2"]
    assert ecs.images() == {1: IMAGE.format("one"), 2: IMAGE.format("two")}
    assert ecs.image() == IMAGE.format("two")
    assert run.lines[-1].endswith("  done")


def test_only_the_image_of_the_revision_changes(ecs):
    assert deploy(ecs).status == 0
    first, second = ecs.definition(f"{FAMILY}:1"), ecs.definition(f"{FAMILY}:2")
    first["containerDefinitions"][0]["image"] = IMAGE.format("two")
    different = {name for name in first if first[name] != second.get(name)}
    assert different <= {"taskDefinitionArn", "revision", "registeredAt"}
    answer = ecs.ecs.describe_task_definition(taskDefinition=f"{FAMILY}:2", include=["TAGS"])
    assert answer["tags"] == DEFINITION["tags"]


def test_the_new_revision_is_based_on_the_latest_one(ecs):
    changed = copy.deepcopy(DEFINITION)
    changed["containerDefinitions"][0]["environment"].append({"name": "FROM", "value": "terraform"})
    ecs.ecs.register_task_definition(**changed)
    assert deploy(ecs).status == 0
    assert {"name": "FROM", "value": "terraform"} in ecs.definition(f"{FAMILY}:3")["containerDefinitions"][0]["environment"]
    assert ecs.revisions() == ["3", "3"]


def test_progress_tells_percent_and_tasks(ecs):
    run = deploy(ecs)
    assert re.search(r"^\d\d:\d\d:\d\dZ  service items-test/items: 2 tasks, task definition items-test:1, ", run.text, re.M)
    assert re.search(r"^\d\d:\d\d:\d\dZ  deployment ecs-svc/0+2 started$", run.text, re.M)
    assert re.search(r"^\d\d:\d\d:\d\dZ  100 %  COMPLETED  new 2, old 0, to update 0$", run.text, re.M)


def test_a_second_run_with_the_same_image_deploys_nothing(ecs):
    assert deploy(ecs).status == 0
    before = ecs.state()
    run = deploy(ecs)
    assert run.status == 0 and "items-test:2 runs this image already" in run.text
    assert ecs.state() == before


def test_a_failing_smoke_test_brings_the_revision_from_before_back(ecs, answering):
    run = deploy(ecs, "--smoke", answering.url)
    assert run.status == 1, run.text + run.errors
    assert ecs.revisions() == ["1", "1"] and ecs.image() == IMAGE.format("one")
    assert ecs.images() == {1: IMAGE.format("one")}, "the failed revision is the latest one"
    assert "FAIL GET / answers 200" in run.text and "rolling back: the smoke test of the service" in run.text
    assert "rolled back: the service runs items-test:1" in run.text


def test_a_smoke_test_that_fails_without_a_deployment_has_nothing_to_go_back_to(ecs, answering):
    assert deploy(ecs).status == 0
    run = deploy(ecs, "--smoke", answering.url)
    assert run.status == 4 and "ran this image before" in run.text
    assert ecs.revisions() == ["2", "2"] and len(ecs.all) == 2


def test_each_new_task_is_asked_where_this_machine_reaches_it(ecs, answering):
    run = deploy(ecs, "--smoke", answering.url, "--instance-url", answering.url + "/{instance_id}/{private_ip}")
    assert run.status == 1
    (asked,) = {tuple(path.split("/")[1:3]) for path in answering.paths()}
    assert asked == (f"i-{3:017x}", "10.0.10.3"), "a task of the deployment, by its id and address"


@pytest.mark.parametrize("keeps", [True, False])
def test_a_rollback_by_the_circuit_breaker_is_reported_with_the_reason(ecs, machines, keeps):
    ecs.keeps_deployments = keeps
    machines.sick = {"2"}
    run = deploy(ecs)
    assert run.status == 1, run.text + run.errors
    assert ecs.revisions() == ["1", "1"] and ecs.image() == IMAGE.format("one")
    assert ecs.images() == {1: IMAGE.format("one")}
    assert re.search("a task stopped: Essential container.*exit status 78 i-0+3 failed its health checks", run.text)
    assert "event: (service items) (deployment ecs-svc/0000000000000000002) deployment failed" in run.text


def test_a_failure_that_ecs_does_not_roll_back_is_rolled_back_here(ecs, machines):
    ecs.breaker["rollback"] = False
    machines.sick = {"2"}
    run = deploy(ecs)
    assert run.status == 1 and "does not roll back" in run.text
    assert ecs.revisions() == ["1", "1"]


def test_starts_that_never_succeed_time_out_and_are_rolled_back(ecs, machines):
    ecs.breaker["enable"] = False
    machines.sick = {"2"}
    run = deploy(ecs, "--timeout", "1")
    assert run.status == 3, run.text
    assert "not done within 1 s" in run.text and "rolled back" in run.text
    assert ecs.revisions() == ["1", "1"] and ecs.images() == {1: IMAGE.format("one")}


def test_a_rollback_that_hangs_does_not_hold_the_program(ecs, machines):
    ecs.breaker["enable"] = False
    ecs.keeps_deployments = False
    machines.sick = {"1", "2"}
    run = deploy(ecs, "--timeout", "1")
    assert run.status == 3 and "the rollback did not end within 1 s" in run.text
    assert 2 in ecs.images(), "tasks may still run that revision"


def another(ecs):
    """Somebody else's deployment."""
    changed = copy.deepcopy(DEFINITION)
    changed["containerDefinitions"][0]["image"] = IMAGE.format("theirs")
    arn = ecs.ecs.register_task_definition(**changed)["taskDefinition"]["taskDefinitionArn"]
    ecs.begin(arn)


def test_a_deployment_of_someone_else_in_the_middle_is_noticed_and_left_alone(ecs, machines):
    ecs.breaker["enable"] = False
    machines.sick = {"2"}
    running = Refreshing(ecs, form=service_command)
    until(lambda: ecs.primary().failed, what="a task that fails")
    another(ecs)
    run = running.wait()
    assert run.status == 4, run.text
    assert "deployment ecs-svc/0000000000000000003 of items-test:3, which this program did not start" in run.text
    ecs.wait_until_steady()
    assert ecs.revisions() == ["3", "3"] and ecs.image() == IMAGE.format("one")


def test_a_deployment_of_someone_else_during_the_smoke_test_is_not_rolled_back(ecs):
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts, and never answers
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        running = Refreshing(ecs, "--smoke", url, "--timeout", "3", form=service_command)
        silent.settimeout(20)
        connection, _ = silent.accept()  # the deployment is complete, and the smoke test has begun
        another(ecs)
        run = running.wait()
        connection.close()
    assert run.status == 4 and "which this program did not start" in run.text, run.text
    ecs.wait_until_steady()
    assert ecs.revisions() == ["3", "3"]


def test_a_deployment_in_progress_is_refused(ecs, machines):
    ecs.breaker["enable"] = False
    machines.sick = {"2"}
    another(ecs)
    before = ecs.state()
    untouched(ecs, deploy(ecs), before, "deployment ecs-svc/0+2 of the service is IN_PROGRESS")


def test_a_revision_that_was_deregistered_is_registered_again_for_the_way_back(ecs, answering):
    """Terraform deregisters a revision when it makes the next one, while the service still runs it."""
    latest = ecs.ecs.register_task_definition(**DEFINITION)["taskDefinition"]["revision"]
    ecs.ecs.deregister_task_definition(taskDefinition=f"{FAMILY}:1")
    run = deploy(ecs, "--smoke", answering.url)
    assert run.status == 1, run.text + run.errors
    assert latest == 2 and ecs.revisions() == ["4", "4"]
    assert ecs.images() == {2: IMAGE.format("one"), 4: IMAGE.format("one")}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_rolls_back(ecs, machines, number):
    ecs.breaker["enable"] = False
    machines.sick = {"2"}
    running = Refreshing(ecs, form=service_command)
    until(lambda: ecs.primary().failed, what="a task that fails")
    running.interrupt(number)
    run = running.wait()
    assert run.status == 130 and "rolling back: interrupted" in run.text
    ecs.wait_until_steady()
    assert ecs.revisions() == ["1", "1"]


def test_an_interruption_while_ecs_answers_rolls_back(ecs):
    asked = threading.Event()

    def faults(action, values):
        if action == "UpdateService" and not asked.is_set():
            asked.set()
            time.sleep(0.5)  # the signal arrives meanwhile

    ecs.faults = faults
    running = Refreshing(ecs, form=service_command)
    assert asked.wait(10)
    running.interrupt()
    run = running.wait()
    assert run.status == 130 and "rolling back: interrupted" in run.text, run.text + run.errors
    ecs.wait_until_steady()
    assert ecs.revisions() == ["1", "1"]


def test_a_dry_run_changes_nothing(ecs):
    before = ecs.state()
    run = deploy(ecs, "--dry-run")
    assert run.status == 0 and ecs.state() == before
    assert f"container items: -{IMAGE.format('one')}" in run.text
    assert f"container items: +{IMAGE.format('two')}" in run.text
    assert f"would write {IMAGE.format('two')} to /items/test/image" in run.text
    assert {call for call in ecs.calls if not call.startswith("Describe")} == set()


@pytest.mark.parametrize(
    "extra, words",
    [
        ({"deploymentController": {"type": "CODE_DEPLOY"}}, "controlled by CODE_DEPLOY"),
        ({"deploymentConfiguration": {"strategy": "BLUE_GREEN"}}, "strategy BLUE_GREEN"),
        ({"status": "DRAINING"}, "the service is DRAINING"),
        ({"status": "INACTIVE"}, "there is no service items-test/items"),
    ],
)
def test_a_service_that_cannot_be_followed_is_refused(ecs, extra, words):
    ecs.extra = extra
    before = ecs.state()
    untouched(ecs, deploy(ecs), before, words)


@pytest.mark.parametrize("name", ["items-test/other", "other/items"])
def test_an_unknown_service_is_refused(ecs, name):
    before = ecs.state()
    untouched(ecs, deploy(ecs, "--service", name), before, f"there is no service {name}")


def two_containers(moto, image):
    definition = copy.deepcopy(DEFINITION)
    definition["containerDefinitions"].append({"name": "frontend", "image": image, "essential": True})
    return Orchestrator(moto, definition=definition)


def test_of_two_containers_the_one_with_the_repository_of_the_image_changes(moto):
    ecs = two_containers(moto, "registry.example:5000/frontend:1")
    try:
        assert deploy(ecs).status == 0
        images = [one["image"] for one in ecs.definition(f"{FAMILY}:2")["containerDefinitions"]]
        assert images == [IMAGE.format("two"), "registry.example:5000/frontend:1"]
    finally:
        ecs.stop()


def test_two_containers_of_one_repository_need_a_name(moto):
    ecs = two_containers(moto, IMAGE.format("one"))
    try:
        before = ecs.state()
        untouched(ecs, deploy(ecs), before, "of the containers items, frontend not exactly one has an image of this repository")
        untouched(ecs, deploy(ecs, "--container", "x"), before, "not exactly one is called x")
        assert deploy(ecs, "--container", "frontend").status == 2, "it has no ENVIRONMENT"
        assert deploy(ecs, "--container", "frontend", "--parameter", ecs.parameter).status == 0
        images = [one["image"] for one in ecs.definition(f"{FAMILY}:2")["containerDefinitions"]]
        assert images == [IMAGE.format("one"), IMAGE.format("two")]
    finally:
        ecs.stop()


@pytest.mark.parametrize(
    "options, words",
    [
        (["--service", "items"], "CLUSTER/NAME is needed"),
        (["--group", "items-test"], "not allowed with argument"),
        (["--bake", "5"], "--bake is not for --service"),
        (["--checkpoint-delay", "5"], "--checkpoint-delay is not for --service"),
        (["--run-command"], "--run-command is not for --service"),
        (["--image", "items"], "a full URI with tag or digest"),
    ],
)
def test_a_bad_command_line_is_refused(ecs, options, words):
    before = ecs.state()
    run = deploy(ecs, *options)
    assert run.status == 2 and words in run.errors, run.errors
    assert ecs.state() == before and ecs.calls == []


def failing(times, action, code, status=400):
    """Faults for the first calls of an action."""
    left = [times]

    def faults(called, values):
        if called == action and left[0] > 0:
            left[0] -= 1
            raise Fault(code, "Rate exceeded", status)

    return faults


def test_throttling_is_waited_out(ecs):
    ecs.faults = failing(2, "DescribeServices", "ThrottlingException")
    assert deploy(ecs).status == 0


def test_a_lost_answer_to_the_update_is_not_a_second_deployment(ecs):
    started = []

    def faults(action, values):
        if action == "UpdateService" and not started:
            started.append(ecs.begin(values["taskDefinition"]))
            raise Fault(LOST, "")

    ecs.faults = faults
    run = deploy(ecs)
    assert run.status == 0, run.text + run.errors
    assert len(ecs.all) == 2 and ecs.revisions() == ["2", "2"]


def test_an_update_that_is_refused_takes_the_revision_back(ecs):
    ecs.faults = failing(99, "UpdateService", "AccessDeniedException", 403)
    before = ecs.state()
    untouched(ecs, deploy(ecs), before, "ecs update_service: these credentials lack the permission")


def test_an_aws_that_stops_answering_is_given_up_with_a_line(ecs):
    state = {"started": False}

    def faults(action, values):
        state["started"] = state["started"] or action == "UpdateService"
        if state["started"] and action == "DescribeServices":
            raise Fault("ExpiredTokenException", "The security token included in the request is expired", 403)

    ecs.faults = faults
    run = deploy(ecs)
    assert run.status == 4 and "the credentials have expired" in run.text
    assert f"aws ecs describe-services --cluster {CLUSTER} --services {SERVICE}" in run.text
    assert "Traceback" not in run.errors


def test_a_parameter_that_cannot_be_written_is_said(ecs):
    ecs.faults = failing(99, "PutParameter", "AccessDeniedException")
    run = deploy(ecs)
    assert run.status == 4 and "the service runs" in run.text and "/items/test/image was not written" in run.text
