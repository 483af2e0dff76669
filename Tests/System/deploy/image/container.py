"""One container of the service's image, seen from this machine: its process, its memory, its log, its answers."""

import json
import pathlib
import re

import requests

from support.ports import free_port
from support.waiting import WaitedInVain, until

START_SECONDS = 30
STOP_SECONDS = 40
MEMORY = "64m"

# As a careful deployment runs it, and without the empty file systems that Podman adds of itself.
HARDENED = [
    *["--read-only", "--read-only-tmpfs=false", "--user", "10001:10001", "--cap-drop=ALL"],
    *["--security-opt", "no-new-privileges", "--pids-limit", "100"],
]


class Container:
    def __init__(self, engine, image, environment=None, options=(), command=(), memory=MEMORY):
        self.engine = engine
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        environment = {
            "HOST": "127.0.0.1",
            "PORT": str(self.port),
            "INSTANCE_ID": "i-0123456789abcdef0",
            "AWS_EC2_METADATA_DISABLED": "true",
            "DRAIN_DELAY_MS": "0",
            **(environment or {}),
        }
        self.id = engine.podman(
            *["run", "--detach", *HARDENED, "--memory", memory],
            *[word for name, value in environment.items() for word in ("--env", f"{name}={value}")],
            *[*options, image, *command],
        ).strip()

    # What the engine says.

    def inspect(self):
        return self.engine.inspect(self.id, "container")

    @property
    def state(self):
        return self.inspect()["State"]

    def logs(self):
        done = self.engine.attempt("podman", "logs", self.id)
        return done.stdout + done.stderr

    def messages(self):
        """The parsed log lines."""
        return [json.loads(line) for line in self.logs().splitlines() if line.startswith("{")]

    def healthcheck(self):
        """The exit status of the image's own health check."""
        return self.engine.attempt("podman", "healthcheck", "run", self.id).returncode

    def stop(self):
        """Asks it to stop by the image's stop signal, and answers with its exit status."""
        self.engine.podman("stop", "--time", STOP_SECONDS, self.id, seconds=STOP_SECONDS + 20)
        return self.state["ExitCode"]

    def remove(self):
        self.engine.podman("rm", "--force", "--time", "0", self.id)

    # What the kernel says.

    @property
    def process(self):
        """The directory about the container's first process in this machine's /proc."""
        return pathlib.Path("/proc") / str(self.state["Pid"])

    def status(self):
        """The fields of /proc/PID/status."""
        return dict(re.findall(r"^(\w+):\s*(.*)$", (self.process / "status").read_text(), re.MULTILINE))

    def memory_group(self):
        """The directory of its control group that counts memory, of either version of control groups."""
        for line in (self.process / "cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers == "memory":
                return pathlib.Path("/sys/fs/cgroup/memory") / path.lstrip("/")
        return pathlib.Path("/sys/fs/cgroup") / path.lstrip("/")

    def memory(self):
        """Bytes: the limit, the peak of all that is charged, the peak of the process's own; and the kills."""
        group = self.memory_group()
        first = group / "memory.max_usage_in_bytes"
        if first.exists():
            peak, limit, events = first, group / "memory.limit_in_bytes", group / "memory.oom_control"
        else:
            peak, limit, events = group / "memory.peak", group / "memory.max", group / "memory.events"
        kills = re.search(r"^oom_kill (\d+)$", events.read_text(), re.MULTILINE)[1]
        return {
            "limit": int(limit.read_text()),
            "peak": int(peak.read_text()),
            "resident_peak": int(self.status()["VmHWM"].split()[0]) * 1024,
            "kills": int(kills),
        }

    # What it answers.

    def get(self, path, **options):
        return requests.get(self.url + path, timeout=20, **options)

    def create(self, name, description=None):
        response = requests.post(self.url + "/api/items", json={"name": name, "description": description}, timeout=20)
        assert response.status_code == 201, response.text
        return response.json()

    def wait_until_live(self):
        def live():
            assert self.state["Running"], f"it ended: {self.logs()}"
            try:
                return self.get("/health/live").status_code == 200
            except requests.ConnectionError:
                return False

        until(live, START_SECONDS, what="the container to serve", interval=0.1)
        return self

    def wait_until_healthy(self):
        self.wait_until_live()
        try:
            until(lambda: self.get("/health").status_code == 200, START_SECONDS, what="the container to be healthy")
        except WaitedInVain as failure:
            raise AssertionError(f"{failure}: {self.logs()[-2000:]}") from failure
        return self
