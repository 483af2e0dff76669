"""What a service's deployments say about the one that this program started."""

import enum


class Verdict(enum.Enum):
    UNSEEN = "the answer does not have it yet"
    RUNNING = "it is in progress"
    COMPLETED = "it is the service's, and complete"
    FAILED = "it failed, and is still the service's"
    RETURNED = "the revision from before has taken its place"
    SUPERSEDED = "someone else's has taken its place"


def primary(service):
    """The deployment whose revision the service is to run."""
    return next((one for one in service["deployments"] if one["status"] == "PRIMARY"), None)


def judge(service, ours, before, earlier, was_seen):
    """`ours`: the deployment's id. `before`: the revision to go back to, None if this is the way back. `earlier`: ids of
    deployments from before ours. `was_seen`: an earlier answer had ours.

    A service that is stable says nothing: after a rollback it is stable as well. Only our deployment's own state counts.
    """
    first = primary(service)
    if first is not None and first["id"] == ours:
        # A deployment without a rollout state is of a controller that this program refuses.
        states = {"COMPLETED": Verdict.COMPLETED, "FAILED": Verdict.FAILED}
        return states.get(first.get("rolloutState"), Verdict.RUNNING)
    is_listed = any(one["id"] == ours for one in service["deployments"])
    if first is None or (first["id"] in earlier and not is_listed and not was_seen):
        return Verdict.UNSEEN
    return Verdict.RETURNED if first["taskDefinition"] == before else Verdict.SUPERSEDED


def returns_by_itself(service):
    """Whether ECS brings the revision from before back when a deployment fails."""
    configuration = service.get("deploymentConfiguration", {})
    ways = (configuration.get("deploymentCircuitBreaker", {}), configuration.get("alarms", {}))
    return any(way.get("enable") and way.get("rollback") for way in ways)
