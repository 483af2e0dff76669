"""What is concluded from a service's deployments, and which container an image is for: plain values, no AWS."""

import pytest
from instance_refresh.definition import container, repository, with_image
from instance_refresh.failure import Failure
from instance_refresh.services import stop_reason
from instance_refresh.verdict import Verdict, judge, returns_by_itself

OLD = {"id": "old", "status": "PRIMARY", "rolloutState": "COMPLETED", "taskDefinition": "items:1"}
OURS = {"id": "ours", "status": "PRIMARY", "rolloutState": "IN_PROGRESS", "taskDefinition": "items:2"}
THEIRS = {"id": "theirs", "status": "PRIMARY", "rolloutState": "COMPLETED", "taskDefinition": "items:3"}


def leaving(deployment, **members):
    return deployment | {"status": "ACTIVE"} | members


@pytest.mark.parametrize(
    "deployments, seen, verdict",
    [
        ([OURS, leaving(OLD)], True, Verdict.RUNNING),
        ([OURS | {"rolloutState": "COMPLETED"}, leaving(OLD)], True, Verdict.COMPLETED),
        ([OURS | {"rolloutState": "FAILED"}, leaving(OLD)], True, Verdict.FAILED),
        # An answer from before the update.
        ([OLD], False, Verdict.UNSEEN),
        ([], False, Verdict.UNSEEN),
        # The circuit breaker: the old deployment is the first again, or a new one with its revision.
        ([OLD | {"rolloutState": "IN_PROGRESS"}, leaving(OURS, rolloutState="FAILED")], True, Verdict.RETURNED),
        ([OLD], True, Verdict.RETURNED),
        ([OLD | {"id": "new"}, leaving(OURS, rolloutState="FAILED")], True, Verdict.RETURNED),
        # The service is stable, and runs what someone else deployed.
        ([THEIRS], True, Verdict.SUPERSEDED),
        ([THEIRS, leaving(OURS)], False, Verdict.SUPERSEDED),
    ],
)
def test_only_our_own_deployment_says_how_it_went(deployments, seen, verdict):
    assert judge({"deployments": deployments}, "ours", "items:1", {"old"}, seen) is verdict


def test_on_the_way_back_there_is_nothing_to_return_to():
    service = {"deployments": [OLD | {"id": "theirs"}]}
    assert judge(service, "ours", None, {"old"}, True) is Verdict.SUPERSEDED


@pytest.mark.parametrize(
    "configuration, returns",
    [
        ({}, False),
        ({"deploymentCircuitBreaker": {"enable": True, "rollback": True}}, True),
        ({"deploymentCircuitBreaker": {"enable": True, "rollback": False}}, False),
        ({"deploymentCircuitBreaker": {"enable": False, "rollback": True}}, False),
        ({"alarms": {"enable": True, "rollback": True}}, True),
    ],
)
def test_ecs_returns_by_itself_only_where_it_was_told_to(configuration, returns):
    assert returns_by_itself({"deploymentConfiguration": configuration}) is returns


@pytest.mark.parametrize("suffix", ["", ":dev-1", "@sha256:" + "ab" * 32, ":dev-1@sha256:" + "ab" * 32])
def test_a_repository_is_the_image_without_tag_and_digest(suffix):
    assert repository("registry.example:5000/team/items" + suffix) == "registry.example:5000/team/items"


def definition(**images):
    return {"containerDefinitions": [{"name": name, "image": image} for name, image in images.items()]}


def test_the_only_container_is_changed_whatever_it_ran():
    assert container(definition(items="other/x:1"), "r/items:2")["name"] == "items"


def test_of_several_the_one_of_the_repository_is_changed():
    assert container(definition(front="r/front:1", items="r/items:1"), "r/items:2")["name"] == "items"


def test_none_and_two_of_the_repository_are_refused():
    for given in (definition(a="r/a:1", b="r/b:1"), definition(a="r/items:1", b="r/items:2")):
        with pytest.raises(Failure, match="containers a, b not exactly one"):
            container(given, "r/items:3")
        assert container(given, "r/items:3", "b")["name"] == "b"


def test_another_image_leaves_the_rest_and_the_given_definition_as_they_are():
    given = definition(a="r/a:1", items="r/items:1") | {"family": "f"}
    assert with_image(given, "items", "r/items:2") == definition(a="r/a:1", items="r/items:2") | {"family": "f"}
    assert given["containerDefinitions"][1]["image"] == "r/items:1"


@pytest.mark.parametrize(
    "task, reason",
    [
        ({}, "no reason given"),
        ({"stoppedReason": "Scaling activity initiated by deployment"}, "Scaling activity initiated by deployment"),
        (
            {
                "stoppedReason": "Essential container in task exited",
                "containers": [{"name": "items", "exitCode": 0}, {"name": "front"}],
            },
            "Essential container in task exited; items: exit status 0",
        ),
        (
            {"containers": [{"name": "items", "reason": "CannotPullContainerError: not found"}]},
            "items: CannotPullContainerError: not found",
        ),
    ],
)
def test_a_stopped_task_gives_its_reason_in_one_line(task, reason):
    assert stop_reason(task) == reason
