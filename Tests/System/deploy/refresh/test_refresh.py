"""deploy/refresh against AWS as cloud.py plays it, with instances that are only names."""

import base64
import gzip
import re
import signal
import socket
import threading
import time

import pytest
from answer import answering
from cloud import GROUP, IMAGE, USER_DATA, Cloud, Machines
from front import LOST, Fault
from program import Refreshing, command, refresh, run_words

from support.emulators import moto, moto_server
from support.waiting import until


@pytest.fixture
def machines():
    return Machines()


@pytest.fixture
def cloud(moto, machines):
    cloud = Cloud(moto, machines)
    yield cloud
    cloud.stop()


def untouched(cloud, run, before, words):
    """Refused with one line that says this, and nothing is other than before."""
    assert run.status == 2, run.text + run.errors
    assert re.search(words, run.errors), run.errors
    assert "Traceback" not in run.errors and len(run.errors.strip().splitlines()) == 1
    assert cloud.state() == before


def test_a_refresh_replaces_every_instance_and_records_the_image(cloud):
    run = refresh(cloud)
    assert run.status == 0, run.text + run.errors
    assert cloud.versions() == ["2", "2"] and cloud.version == "2"
    assert cloud.image() == IMAGE.format("two")
    assert cloud.published() == [1, 2] and cloud.deleted == []
    assert "done" in run.lines[-1]


def test_only_the_two_lines_of_the_user_data_change(cloud):
    assert refresh(cloud).status == 0
    assert cloud.user_data(2) == USER_DATA.format(image=IMAGE.format("two"), version="two")


@pytest.mark.parametrize(
    "suffix, label",
    [
        (":dev-1", "dev-1"),
        (":dev-1@sha256:" + "ab" * 32, "dev-1"),
        ("@sha256:" + "ab" * 32, "ab" * 32),
    ],
)
def test_the_label_is_the_tag_or_else_the_digest(cloud, suffix, label):
    image = "registry.example:5000/items" + suffix
    run = refresh(cloud, "--image", image, "--version", "", "--dry-run")
    assert run.status == 2, "an empty label is none"
    words = [word for word in command("--image", image, "--dry-run") if word not in ("--version", "two")]
    run = run_words(cloud, words)
    assert run.status == 0, run.errors
    assert f"+ITEMS_VERSION='{label}'" in run.text


def test_the_new_version_is_based_on_the_latest_one(cloud):
    cloud.publish(USER_DATA.format(image=IMAGE.format("one"), version="one") + "# from Terraform\n")
    assert refresh(cloud).status == 0
    assert cloud.user_data(3).endswith("# from Terraform\n") and cloud.versions() == ["3", "3"]


def test_compressed_user_data_stays_compressed(cloud):
    text = USER_DATA.format(image=IMAGE.format("one"), version="one")
    data = {"UserData": base64.b64encode(gzip.compress(text.encode())).decode()}
    ec2 = cloud.moto.client("ec2")
    ec2.create_launch_template_version(LaunchTemplateId=cloud.template_id, SourceVersion="1", LaunchTemplateData=data)
    assert refresh(cloud).status == 0
    answer = ec2.describe_launch_template_versions(LaunchTemplateId=cloud.template_id, Versions=["3"])
    data = base64.b64decode(answer["LaunchTemplateVersions"][0]["LaunchTemplateData"]["UserData"])
    assert gzip.decompress(data).decode() == USER_DATA.format(image=IMAGE.format("two"), version="two")


def test_the_refresh_can_be_rolled_back_and_never_lacks_capacity(cloud):
    asked = {}
    cloud.faults = lambda action, values: asked.update(values) if action == "StartInstanceRefresh" else None
    assert refresh(cloud, "--checkpoint", "40").status == 0
    chosen = {name.removeprefix("Preferences."): value for name, value in asked.items() if "Preferences" in name}
    assert chosen == {
        "MinHealthyPercentage": "100",
        "MaxHealthyPercentage": "200",
        "AutoRollback": "true",
        "SkipMatching": "true",
        "InstanceWarmup": "60",
        "CheckpointPercentages.member.1": "40",
        "CheckpointPercentages.member.2": "100",
        "CheckpointDelay": "1",
    }
    assert asked["DesiredConfiguration.LaunchTemplate.Version"] == "2"


def test_progress_tells_percent_instances_and_reason(cloud):
    run = refresh(cloud, "--checkpoint-delay", "1")
    assert re.search(
        r"^\d\d:\d\d:\d\dZ   50 %  InProgress  new 1, old 1, to update 1  Waiting at the checkpoint", run.text, re.M
    )
    assert re.search(r"^\d\d:\d\d:\d\dZ  100 %  Successful  new 2, old 0, to update 0$", run.text, re.M)


def test_a_second_run_with_the_same_image_replaces_nothing(cloud):
    assert refresh(cloud).status == 0
    machines = [machine.id for machine in cloud.machines]
    run = refresh(cloud)
    assert run.status == 0 and "runs this image already" in run.text
    assert [machine.id for machine in cloud.machines] == machines and cloud.published() == [1, 2]


def test_a_failing_smoke_test_of_a_new_instance_rolls_back(cloud, answering):
    pattern = answering.url + "/{instance_id}"
    run = refresh(cloud, "--smoke", answering.url, "--instance-url", pattern, "--checkpoint-delay", "30")
    assert run.status == 1, run.text + run.errors
    assert cloud.versions() == ["1", "1"] and cloud.version == "1" and cloud.image() == IMAGE.format("one")
    assert cloud.deleted == [2]
    # The new one alone was asked, and the second was never replaced.
    asked = {path.split("/")[1] for path in answering.paths() if path.startswith("/i-")}
    assert asked == {f"i-{3:017x}"} and cloud.hardware.count == 4
    assert "FAIL GET / answers 200" in run.text and "rolling back: the smoke test of" in run.text


def test_an_instance_that_cannot_be_reached_rolls_back(cloud):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        run = refresh(cloud, "--smoke", url, "--instance-url", url, "--checkpoint-delay", "60")
    assert run.status == 1 and cloud.versions() == ["1", "1"]


def test_a_smoke_test_that_hangs_rolls_back_before_the_checkpoint_ends(cloud):
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts, and never answers
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        run = refresh(cloud, "--smoke", url, "--instance-url", url, "--checkpoint-delay", "2")
    assert run.status == 1 and "did not end within" in run.text
    assert cloud.versions() == ["1", "1"]


def test_one_instance_is_tested_while_the_refresh_bakes(moto, answering):
    cloud = Cloud(moto, Machines(), count=1)
    try:
        run = refresh(cloud, "--smoke", answering.url, "--instance-url", answering.url, "--bake", "30")
        assert run.status == 1 and cloud.versions() == ["1"]
        assert " Baking " in run.text
    finally:
        cloud.stop()


def test_a_rollback_by_aws_is_reported_with_its_reason(cloud, machines):
    machines.sick = {"2"}
    run = refresh(cloud)
    assert run.status == 1
    assert "Automatic rollback: i-00000000000000003 failed its health checks" in run.text
    assert cloud.versions() == ["1", "1"] and cloud.image() == IMAGE.format("one")


def test_a_rollback_that_fails_needs_a_person(cloud, machines, answering):
    machines.sick = {"1"}
    run = refresh(cloud, "--smoke", answering.url, "--instance-url", answering.url, "--checkpoint-delay", "30")
    assert run.status == 4 and "RollbackFailed" in run.text and "describe-instance-refreshes" in run.text
    assert cloud.deleted == [], "instances may still run that version"


def test_a_dry_run_changes_nothing(cloud):
    before = cloud.state()
    run = refresh(cloud, "--dry-run")
    assert run.status == 0 and cloud.state() == before
    assert f"+ITEMS_IMAGE='{IMAGE.format('two')}'" in run.text and "+ITEMS_VERSION='two'" in run.text
    assert '"AutoRollback": true' in run.text
    assert {call for call in cloud.calls if not call.startswith("Describe")} == set()


@pytest.mark.parametrize("choice", ["$Latest", "$Default"])
def test_a_group_without_a_numbered_version_is_refused(cloud, choice):
    cloud.template_choice = choice
    before = cloud.state()
    untouched(cloud, refresh(cloud), before, rf"names version \{choice}.*numbered")


@pytest.mark.parametrize("name", ["ITEMS_IMAGE", "ITEMS_VERSION"])
@pytest.mark.parametrize("count", [0, 2])
def test_user_data_without_exactly_one_line_is_refused(cloud, name, count):
    lines = USER_DATA.format(image="x", version="x").splitlines(keepends=True)
    cloud.publish("".join(line * count if line.startswith(f"{name}=") else line for line in lines))
    before = cloud.state()
    untouched(cloud, refresh(cloud), before, f"has {count} lines that begin with {name}=")


def test_a_second_refresh_at_the_same_time_is_refused(cloud):
    first = Refreshing(cloud, "--checkpoint-delay", "3")
    cloud.wait_for("InProgress")
    run = refresh(cloud, image="three")
    assert run.status == 2 and "is InProgress" in run.errors
    assert first.wait().status == 0
    assert cloud.image() == IMAGE.format("two")


def test_an_unknown_group_is_refused(cloud):
    before = cloud.state()
    untouched(cloud, refresh(cloud, "--group", "items-other"), before, "no Auto Scaling group items-other")


def test_a_mixed_instances_policy_is_refused(cloud):
    cloud.extra = {"LaunchTemplate": None, "MixedInstancesPolicy": {}}
    before = cloud.state()
    untouched(cloud, refresh(cloud), before, "mixed instances policy")


def test_a_suspended_process_is_refused(cloud):
    cloud.extra = {"SuspendedProcesses": [{"ProcessName": "Terminate", "SuspensionReason": "by hand"}]}
    before = cloud.state()
    untouched(cloud, refresh(cloud), before, "Terminate is suspended")


@pytest.mark.parametrize(
    "options, words",
    [
        (["--image", "items"], "a full URI with tag or digest"),
        (["--image", "x:1' ; reboot '"], "a full URI with tag or digest"),
        (["--version", "a b"], "letters, digits"),
        (["--smoke", "items.example"], "an http or https URL, or none"),
        (["--checkpoint", "0"], "1 to 100 is possible"),
        (["--timeout", "soon"], "is possible"),
    ],
)
def test_a_bad_command_line_is_refused(cloud, options, words):
    before = cloud.state()
    run = refresh(cloud, *options)
    assert run.status == 2 and words in run.errors, run.errors
    assert cloud.state() == before and cloud.calls == []


def test_time_that_is_over_rolls_back(cloud):
    run = refresh(cloud, "--checkpoint-delay", "30", "--timeout", "2")
    assert run.status == 3, run.text
    assert "not done within 2 s" in run.text and "rolled back" in run.text
    assert cloud.versions() == ["1", "1"] and cloud.image() == IMAGE.format("one")
    assert cloud.deleted == [2], "the failed version would be the latest one"


def test_a_rollback_that_hangs_does_not_hold_the_program(cloud):
    cloud.rollback_hangs = True
    run = refresh(cloud, "--checkpoint-delay", "30", "--timeout", "1")
    assert run.status == 3 and "the rollback did not end within 1 s either" in run.text


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_rolls_back(cloud, number):
    running = Refreshing(cloud, "--checkpoint-delay", "30")
    until(lambda: cloud.refreshes and cloud.refreshes[0].percentage == 50, what="the checkpoint")
    running.interrupt(number)
    run = running.wait()
    assert run.status == 130 and "rolling back: interrupted" in run.text
    cloud.wait_for("RollbackSuccessful")
    assert cloud.versions() == ["1", "1"]


def test_an_interruption_while_aws_answers_rolls_back(cloud):
    asked = threading.Event()

    def faults(action, values):
        if action == "StartInstanceRefresh":
            asked.set()
            time.sleep(0.5)  # the signal arrives meanwhile

    cloud.faults = faults
    running = Refreshing(cloud, "--checkpoint-delay", "30")
    assert asked.wait(10)
    running.interrupt()
    run = running.wait()
    assert run.status == 130 and "rolling back: interrupted" in run.text, run.text + run.errors
    cloud.wait_for("RollbackSuccessful")
    assert cloud.versions() == ["1", "1"]


def failing(times, action, code, status=400):
    """Faults for the first calls of an action."""
    left = [times]

    def faults(called, values):
        if called == action and left[0] > 0:
            left[0] -= 1
            raise Fault(code, "Rate exceeded", status)

    return faults


def test_throttling_is_waited_out(cloud):
    cloud.faults = failing(2, "DescribeInstanceRefreshes", "Throttling")
    assert refresh(cloud).status == 0


def test_an_aws_that_stops_answering_is_given_up_with_a_line(cloud):
    state = {"started": False}

    def faults(action, values):
        state["started"] = state["started"] or action == "StartInstanceRefresh"
        if state["started"] and action == "DescribeInstanceRefreshes":
            raise Fault("ExpiredToken", "The security token included in the request is expired", 403)

    cloud.faults = faults
    run = refresh(cloud)
    assert run.status == 4 and "the credentials have expired" in run.text
    assert "describe-instance-refreshes" in run.text and "Traceback" not in run.errors


def test_a_lost_answer_to_the_start_is_not_a_second_refresh(cloud):
    started = []

    def faults(action, values):
        if action == "StartInstanceRefresh" and not started:
            started.append(cloud._StartInstanceRefresh(values))
            raise Fault(LOST, "")

    cloud.faults = faults
    run = refresh(cloud)
    assert run.status == 0, run.text + run.errors
    assert len(cloud.refreshes) == 1 and cloud.versions() == ["2", "2"]


@pytest.mark.parametrize(
    "action, code, words",
    [
        (
            "DescribeAutoScalingGroups",
            "AccessDenied",
            "autoscaling describe_auto_scaling_groups: these credentials lack",
        ),
        (
            "DescribeLaunchTemplateVersions",
            "UnauthorizedOperation",
            "ec2 describe_launch_template_versions: these cred",
        ),
        (
            "CreateLaunchTemplateVersion",
            "UnauthorizedOperation",
            "ec2 create_launch_template_version: these credentials",
        ),
        ("DescribeInstanceRefreshes", "ExpiredToken", "the credentials have expired"),
    ],
)
def test_an_error_of_aws_is_one_clear_line(cloud, action, code, words):
    cloud.faults = failing(99, action, code, 403)
    before = cloud.state()
    untouched(cloud, refresh(cloud), before, re.escape(words))


def test_a_start_that_is_refused_takes_the_version_back(cloud):
    cloud.faults = failing(99, "StartInstanceRefresh", "LimitExceeded")
    run = refresh(cloud)
    assert run.status == 2 and "a limit of the account is reached" in run.errors
    assert cloud.deleted == [2] and cloud.refreshes == []


def test_an_aws_that_is_not_there_is_one_clear_line(cloud):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        run = refresh(cloud, env={"AWS_ENDPOINT_URL": url, "AWS_MAX_ATTEMPTS": "1"})
    assert run.status == 2 and "AWS is not reached" in run.errors and "Traceback" not in run.errors


def test_a_parameter_that_cannot_be_written_is_said(cloud):
    cloud.faults = failing(99, "PutParameter", "AccessDeniedException")
    run = refresh(cloud)
    assert run.status == 4 and "/items/test/image was not written" in run.text
