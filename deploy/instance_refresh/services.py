"""The calls to ECS about one service."""

from .failure import CallFailed

TASKS_AT_ONCE = 100  # of one answer and of one question about tasks


class Services:
    """A service of a cluster, by a Cloud; its calls fail as those of the Cloud do."""

    def __init__(self, cloud, cluster, name):
        self.cloud, self.cluster, self.name = cloud, cluster, name

    def _call(self, operation, **arguments):
        return self.cloud.call("ecs", operation, **arguments)

    def describe(self):
        """The service as ECS describes it, None if there is none."""
        try:
            answer = self._call("describe_services", cluster=self.cluster, services=[self.name])
        except CallFailed as failure:
            if failure.code == "ClusterNotFoundException":
                return None
            raise
        return next((service for service in answer["services"] if service["status"] != "INACTIVE"), None)

    def definition(self, name):
        """A task definition by ARN, or the latest active revision of a family; and its tags."""
        answer = self._call("describe_task_definition", taskDefinition=name, include=["TAGS"])
        return answer["taskDefinition"], answer.get("tags") or []

    def register(self, definition, tags):
        """The ARN of a new revision: what a description has that cannot be registered is left out."""
        accepted = self.cloud.members("ecs", "RegisterTaskDefinition")
        wanted = {name: value for name, value in definition.items() if name in accepted and value is not None}
        if tags:
            wanted["tags"] = tags  # an empty list is refused
        return self._call("register_task_definition", **wanted)["taskDefinition"]["taskDefinitionArn"]

    def withdraw(self, arn):
        self._call("deregister_task_definition", taskDefinition=arn)

    def update(self, arn):
        """Has the service run another revision; the service as it is then. The same revision again changes nothing."""
        return self._call("update_service", cluster=self.cluster, service=self.name, taskDefinition=arn)["service"]

    def tasks(self, deployment, status="RUNNING"):
        """The tasks that a deployment started: those that run, or lately stopped ones."""
        options = {"cluster": self.cluster, "startedBy": deployment, "desiredStatus": status}
        arns, more = [], True
        while more:
            answer = self._call("list_tasks", **options, maxResults=TASKS_AT_ONCE)
            arns += answer["taskArns"]
            options["nextToken"] = more = answer.get("nextToken")
        described = []
        for first in range(0, len(arns), TASKS_AT_ONCE):
            some = arns[first : first + TASKS_AT_ONCE]
            described += self._call("describe_tasks", cluster=self.cluster, tasks=some)["tasks"]
        return described


def task_id(task):
    """The last part of its ARN, which the service logs as its instance id."""
    return task["taskArn"].rpartition("/")[2]


def private_address(task):
    """None for a task that has no network interface of its own, or none yet."""
    for attachment in task.get("attachments", []):
        for detail in attachment.get("details", []):
            if detail.get("name") == "privateIPv4Address":
                return detail["value"]
    return None


def stop_reason(task):
    """Why it stopped, in one line: ECS's words, and those about each container that ended."""
    words = [task.get("stoppedReason", "")]
    for container in task.get("containers", []):
        status = container.get("exitCode")
        if container.get("reason") or status is not None:
            ending = "" if status is None else f"exit status {status} "
            words.append(f"{container['name']}: {ending}{container.get('reason', '')}".strip())
    return "; ".join(word for word in words if word) or "no reason given"
