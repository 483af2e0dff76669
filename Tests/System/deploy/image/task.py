"""A registered task definition of ECS as a container of Podman, with what Fargate gives a task.

Every member of the definition is either translated, or named here as one that only AWS can honour: an unknown one fails,
so that nothing in a definition is believed to be tested and is not.
"""

import json
import uuid

from container import Container

from support.emulators import REGION, Loopback, credentials
from support.ports import free_port

ACCOUNT, CLUSTER = "123456789012", "items-test"
# A virtual machine may not let a limit be raised above this.
LARGEST_LIMIT = 4096

TRANSLATED = {
    "name",
    "image",
    "user",
    "readonlyRootFilesystem",
    "linuxParameters",
    "ulimits",
    "environment",
    "stopTimeout",
    "healthCheck",
    "portMappings",
    "command",
    "entryPoint",
}
# The log driver, the order of containers, volumes and limits that are empty or of the whole task.
OF_AWS_ALONE = {"essential", "logConfiguration", "cpu", "memory", "memoryReservation", "dependsOn", "versionConsistency"}
EMPTY = {"mountPoints", "volumesFrom", "secrets", "systemControls", "environmentFiles"}


class Unknown(Exception):
    """The definition has something that is not translated."""


def port(container):
    """The one port that the container serves, which its variable PORT names as well."""
    (mapping,) = container["portMappings"]
    if variables(container)["PORT"] != str(mapping["containerPort"]):
        raise Unknown(f"PORT is not {mapping['containerPort']}, the port that the load balancer asks")
    return mapping["containerPort"]


def variables(container):
    return {one["name"]: one["value"] for one in container["environment"]}


def options(definition, container):
    """The options of `podman run` that say what the definition says of this container."""
    for name, value in container.items():
        if name not in TRANSLATED | OF_AWS_ALONE and not (name in EMPTY and not value):
            raise Unknown(f"{name}: {value}")
    words = ["--read-only-tmpfs=false"]
    if container.get("readonlyRootFilesystem"):
        words.append("--read-only")
    if "user" in container:
        words += ["--user", container["user"]]
    parameters = dict(container.get("linuxParameters", {}))
    capabilities = parameters.pop("capabilities", {})
    # Without an init process the program has to handle signals as the first process: the harder case.
    parameters.pop("initProcessEnabled", None)
    if any(parameters.values()) or capabilities.get("add"):
        raise Unknown(f"linuxParameters: {container['linuxParameters']}")
    words += [f"--cap-drop={name}" for name in capabilities.get("drop", [])]
    for limit in container.get("ulimits", []):
        soft, hard = (min(limit[name], LARGEST_LIMIT) for name in ("softLimit", "hardLimit"))
        words.append(f"--ulimit={limit['name']}={soft}:{hard}")
    # One limit given here puts all of the engine's settings out of force.
    words.append(f"--ulimit=nproc={LARGEST_LIMIT}:{LARGEST_LIMIT}")
    words += ["--memory", f"{definition['memory']}m", "--cpus", str(int(definition["cpu"]) / 1024)]
    if "entryPoint" in container:
        words += ["--entrypoint", json.dumps(container["entryPoint"])]
    words += ["--stop-timeout", str(container["stopTimeout"])]
    return words + (health(container["healthCheck"]) if "healthCheck" in container else [])


def health(check):
    kind, *command = check["command"]
    if kind != "CMD":
        raise Unknown(f"{kind}: the image has no shell")
    return [
        *["--health-cmd", json.dumps(command)],
        *["--health-interval", f"{check['interval']}s", "--health-timeout", f"{check['timeout']}s"],
        *["--health-retries", str(check["retries"]), "--health-start-period", f"{check['startPeriod']}s"],
    ]


class Agent:
    """The endpoints that ECS gives a task: its credentials and its metadata."""

    def __init__(self):
        self.task = uuid.uuid4().hex
        self.arn = f"arn:aws:ecs:{REGION}:{ACCOUNT}:task/{CLUSTER}/{self.task}"
        self.server = Loopback(self.answer)

    def answer(self, request):
        if request.path == "/v2/credentials/1":
            return 200, credentials()
        if request.path == "/v4/1/task":
            return 200, json.dumps({"Cluster": CLUSTER, "TaskARN": self.arn, "Family": "items", "Revision": "1"})
        return 404, ""

    def paths(self):
        return [request.path for request in self.server.requests]

    def variables(self):
        """Those of Fargate; it names the credentials relative to 169.254.170.2, which no test can listen on."""
        return {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{self.server.url}/v2/credentials/1",
            "ECS_CONTAINER_METADATA_URI_V4": f"{self.server.url}/v4/1",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
            "AWS_EXECUTION_ENV": "AWS_ECS_FARGATE",
        }

    def stop(self):
        self.server.stop()


class Task(Container):
    """The container of this name, running. `here`: variables that say where this machine has what AWS has elsewhere."""

    def __init__(self, engine, definition, name, image, agent, here):
        (found,) = [one for one in definition["containerDefinitions"] if one["name"] == name]
        port(found)
        self.engine, self.definition, self.found, self.agent = engine, definition, found, agent
        # Fargate gives each task a network of its own.
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        network = {"HOST": "127.0.0.1", "PORT": str(self.port)}
        environment = {**variables(found), **agent.variables(), **here, **network}
        self.id = engine.podman(
            *["run", "--detach", *options(definition, found)],
            *[word for name, value in environment.items() for word in ("--env", f"{name}={value}")],
            *[image, *found.get("command", [])],
        ).strip()

    def stop(self):
        """As ECS does it: SIGTERM, SIGKILL after stopTimeout; the exit status."""
        self.engine.podman("stop", self.id, seconds=self.found["stopTimeout"] + 20)
        return self.state["ExitCode"]
