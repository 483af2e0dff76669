"""ECS as `deploy/refresh` sees it: one service and its deployments, on top of moto.

moto has task definitions and the service but no deployments, so those are played here, as the documentation of ECS says:
at least 100 and at most 200 % of the tasks, a circuit breaker that rolls back after three failed starts. What a task is,
its `hardware` decides: nothing at all, or a process behind the balancer.
"""

import itertools
import threading
import time

from cloud import ENVIRONMENT, IMAGE, REGION, Machines
from front import Fault, Front

from support.waiting import until

CLUSTER, SERVICE, FAMILY = "items-test", "items", "items-test"
BREAKER_THRESHOLD = 3  # ECS's least, of services with up to six tasks
ACCOUNT = "123456789012"

DEFINITION = {
    "family": FAMILY,
    "networkMode": "awsvpc",
    "requiresCompatibilities": ["FARGATE"],
    "cpu": "512",
    "memory": "1024",
    "runtimePlatform": {"cpuArchitecture": "X86_64", "operatingSystemFamily": "LINUX"},
    "containerDefinitions": [
        {
            "name": "items",
            "image": IMAGE.format("one"),
            "essential": True,
            "user": "10001:10001",
            "readonlyRootFilesystem": True,
            "portMappings": [{"containerPort": 8000, "protocol": "tcp"}],
            "environment": [{"name": "ENVIRONMENT", "value": ENVIRONMENT}, {"name": "PORT", "value": "8000"}],
            "stopTimeout": 60,
        }
    ],
    "tags": [{"key": "Project", "value": "items"}],
}


class Deployment:
    """One deployment, run by a thread of its own."""

    def __init__(self, ecs, number, arn, reason=""):
        self.ecs, self.id, self.arn, self.reason = ecs, f"ecs-svc/{number:019d}", arn, reason
        self.status, self.state = "PRIMARY", "IN_PROGRESS"
        self.failed = 0
        self.tasks, self.stopped = [], []
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def describe(self):
        running = sum(task.is_running for task in self.tasks)
        described = {
            "id": self.id,
            "status": self.status,
            "taskDefinition": self.arn,
            "desiredCount": self.ecs.desired,
            "runningCount": running,
            "pendingCount": len(self.tasks) - running,
            "failedTasks": self.failed,
            "rolloutState": self.state,
            "rolloutStateReason": self.reason or f"ECS deployment {self.id} in progress.",
        }
        return described

    def run(self):
        while not self.is_over.wait(self.ecs.step):
            missing = self.ecs.desired - len(self.tasks)
            if missing <= 0:
                break
            started = [self.ecs.hardware.launch(self.arn.rpartition(":")[2]) for _ in range(missing)]
            with self.ecs.lock:
                for task in started:
                    task.is_running = False
                    self.tasks.append(task)
            for task in started:
                self._enter(task)
        with self.ecs.lock:
            if self.is_over.is_set():
                return
        for deployment, task in self.ecs.others(self):
            self._retire(deployment, task)
        with self.ecs.lock:
            if self.is_over.is_set():
                return
            self.state, self.reason = "COMPLETED", f"ECS deployment {self.id} completed."
            self.ecs.deployments = [self]

    def _enter(self, task):
        """Waits for the task's health; a healthy one takes an old one's place."""
        if self.is_over.is_set():
            return self._drop(task)
        try:
            self.ecs.hardware.enter_service(task)
        except Exception as reason:
            self._drop(task)
            self.stopped.append((task, str(reason)))
            self.failed += 1
            if self.failed >= BREAKER_THRESHOLD and self.ecs.breaker["enable"]:
                self._break()
            return None
        task.is_running = True
        for deployment, old in self.ecs.others(self)[:1]:
            self._retire(deployment, old)

    def _drop(self, task):
        with self.ecs.lock:
            self.tasks.remove(task)
        self.ecs.hardware.abandon(task)

    def _retire(self, deployment, task):
        self.ecs.hardware.retire(task)
        with self.ecs.lock:
            deployment.tasks.remove(task)

    def _break(self):
        """The circuit breaker."""
        with self.ecs.lock:
            self.is_over.set()
            self.state, self.reason = "FAILED", "ECS deployment circuit breaker: tasks failed to start."
            self.ecs.events.insert(0, f"(service {SERVICE}) (deployment {self.id}) deployment failed: tasks failed to start.")
            if self.ecs.breaker["rollback"]:
                old = self.ecs.completed
                self.ecs.begin(old.arn, f"ECS deployment circuit breaker: rolling back to deploymentId {old.id}.", old)


class Orchestrator(Front):
    through = frozenset({"DescribeServices", "UpdateService"})

    def __init__(self, moto, hardware=None, desired=2, step=0.02, definition=None):
        super().__init__(moto)
        self.hardware, self.desired, self.step = hardware or Machines(), desired, step
        self.numbers = itertools.count(1)
        self.events = []
        self.breaker = {"enable": True, "rollback": True}
        self.keeps_deployments = True  # a rollback makes the old deployment the primary one again, else a new one
        self.extra = {}  # further members of the service's description
        self.parameter = f"/items/{ENVIRONMENT}/image"
        moto.client("ssm").put_parameter(Name=self.parameter, Value=IMAGE.format("one"), Type="String", Overwrite=True)
        self.ecs = moto.client("ecs")
        self.ecs.create_cluster(clusterName=CLUSTER)
        arn = self.ecs.register_task_definition(**(definition or DEFINITION))["taskDefinition"]["taskDefinitionArn"]
        self.ecs.create_service(
            cluster=CLUSTER, serviceName=SERVICE, taskDefinition=arn, desiredCount=desired, launchType="FARGATE"
        )
        first = Deployment(self, next(self.numbers), arn)
        self.deployments = [first]
        self.all = [first]
        first.thread.start()
        until(lambda: first.state == "COMPLETED", 60, what="the first deployment")
        self.completed = first
        self.serve()

    def others(self, deployment):
        """The running tasks of other deployments; those that still start are dropped by their own."""
        with self.lock:
            others = [one for one in self.deployments if one is not deployment]
            return [(one, task) for one in others for task in one.tasks if task.is_running]

    def begin(self, arn, reason="", old=None):
        """A deployment becomes the primary one; the one before goes on only until its tasks are replaced."""
        with self.lock:
            for one in self.deployments:
                if one.status == "PRIMARY":
                    self.completed = one if one.state == "COMPLETED" else self.completed
                one.status = "ACTIVE"
                one.is_over.set()
            if old in self.deployments and self.keeps_deployments:
                deployment = old
                self.deployments.remove(old)
                old.status, old.state, old.reason = "PRIMARY", "IN_PROGRESS", reason
                old.is_over = threading.Event()
                old.thread = threading.Thread(target=old.run, daemon=True)
            else:
                deployment = Deployment(self, next(self.numbers), arn, reason)
                self.all.append(deployment)
            self.deployments.insert(0, deployment)
            deployment.thread.start()
            return deployment

    # What a test asks.

    def revisions(self):
        """The revision of each running task."""
        with self.lock:
            return sorted(task.version for one in self.deployments for task in one.tasks)

    def images(self):
        """The image of the first container of each active revision, by its number."""
        arns = self.ecs.list_task_definitions(familyPrefix=FAMILY)["taskDefinitionArns"]
        return {int(arn.rpartition(":")[2]): self.definition(arn)["containerDefinitions"][0]["image"] for arn in arns}

    def definition(self, name):
        return self.ecs.describe_task_definition(taskDefinition=name)["taskDefinition"]

    def image(self):
        return self.moto.client("ssm").get_parameter(Name=self.parameter)["Parameter"]["Value"]

    def state(self):
        """What a dry run must leave as it is."""
        return self.images(), self.image(), self.revisions(), [one.id for one in self.all]

    def primary(self):
        return next(one for one in self.deployments if one.status == "PRIMARY")

    def wait_until_steady(self, seconds=30):
        until(lambda: [one.state for one in self.deployments] == ["COMPLETED"], seconds, what="the service to be steady")

    def stop(self):
        for one in self.all:
            one.is_over.set()
            one.thread.join(60)
        super().stop()

    # The calls.

    def _overlaid(self, service):
        with self.lock:
            return service | {
                "taskDefinition": self.primary().arn,
                "desiredCount": self.desired,
                "deployments": [one.describe() for one in self.deployments],
                "events": [{"id": str(n), "createdAt": time.time(), "message": text} for n, text in enumerate(self.events)],
                "deploymentConfiguration": {
                    "minimumHealthyPercent": 100,
                    "maximumPercent": 200,
                    "deploymentCircuitBreaker": self.breaker,
                },
                **self.extra,
            }

    def _DescribeServices(self, values, answer):
        return answer | {"services": [self._overlaid(service) for service in answer["services"]]}

    def _UpdateService(self, values, answer):
        arn = values["taskDefinition"]
        if self.definition(arn)["status"] != "ACTIVE":
            raise Fault("ClientException", "TaskDefinition is inactive")
        with self.lock:
            if arn != self.primary().arn:
                self.begin(arn, old=next((one for one in self.deployments if one.arn == arn), None))
            return {"service": self._overlaid(answer["service"])}

    def _task(self, deployment, task, status, reason=""):
        described = {
            "taskArn": self._arn(task),
            "taskDefinitionArn": deployment.arn,
            "startedBy": deployment.id,
            "lastStatus": status,
            "attachments": [
                {
                    "id": "1",
                    "type": "ElasticNetworkInterface",
                    "details": [{"name": "privateIPv4Address", "value": task.address}],
                }
            ],
        }
        if reason:
            described |= {"stoppedReason": "Essential container in task exited"}
            described["containers"] = [{"name": "items", "exitCode": 78, "reason": reason}]
        return described

    @staticmethod
    def _arn(task):
        return f"arn:aws:ecs:{REGION}:{ACCOUNT}:task/{CLUSTER}/{task.id}"

    def _tasks(self):
        """Every task's description with the status that is wanted of it."""
        with self.lock:
            for one in self.all:
                yield from (("RUNNING", self._task(one, task, "RUNNING")) for task in one.tasks)
                yield from (("STOPPED", self._task(one, task, "STOPPED", reason)) for task, reason in one.stopped)

    def _ListTasks(self, values):
        wanted = values.get("desiredStatus", "RUNNING"), values["startedBy"]
        return {"taskArns": [task["taskArn"] for status, task in self._tasks() if (status, task["startedBy"]) == wanted]}

    def _DescribeTasks(self, values):
        return {"tasks": [task for _, task in self._tasks() if task["taskArn"] in values["tasks"]], "failures": []}
