"""A fleet of release binaries behind the balancer, and the steps in which AWS replaces its instances."""

import itertools
import signal
import time

from support.server import Server, stop_all
from support.waiting import until

READY_SECONDS = 20
EXIT_SECONDS = 40
INTERRUPTION_SECONDS = 120  # what AWS gives a Spot task, if its stopTimeout is as long
# ALB: 45 s. Longer than any request here takes.
DEREGISTRATION_SECONDS = 1.0
# Deregistered before SIGTERM, so no health check has to notice the end first.
DRAIN_DELAY_MS = 300
# SIGTERM before deregistration: longer than the checks that find it out take (2 x 0.5 s), and one more.
SIGNAL_FIRST_DRAIN_DELAY_MS = 2500


class Instance:
    def __init__(self, number, version, port, environment):
        self.id = f"i-{number:017x}"
        self.version = version
        self.address = f"127.0.1.{number}"
        self.port = port
        self.server = Server(
            {
                "ACCESS_LOG": "0",
                **environment,
                "HOST": self.address,
                "PORT": str(port),
                "INSTANCE_ID": self.id,
                "ITEMS_COMMIT": version,
                "WORKERS": "1",
            }
        )
        self.server.url = f"http://{self.address}:{port}"

    def is_ready(self):
        """What the boot script waits for before it completes the launch hook."""
        try:
            return self.server.get("/health/ready", timeout=3).status_code == 200
        except OSError:
            return False

    def terminate(self):
        """SIGTERM and the drain; the exit status."""
        self.server.signal(signal.SIGTERM)
        return self.server.wait(EXIT_SECONDS)


class Fleet:
    def __init__(self, balancer, port, environment):
        self.balancer, self.port = balancer, port
        self.environment = {"DRAIN_DELAY_MS": str(DRAIN_DELAY_MS), **environment}
        self.numbers = itertools.count(1)
        self.instances = []  # in service
        self.launched = []  # all there ever were
        self.exits = []

    def launch(self, version, **environment):
        """Starts an instance; it is neither ready nor registered yet."""
        instance = Instance(next(self.numbers), version, self.port, {**self.environment, **environment})
        self.launched.append(instance)
        return instance

    def enter_service(self, instance):
        until(instance.is_ready, READY_SECONDS, what=f"{instance.id} to be ready")
        self.balancer.register(instance.id, instance.address, instance.port)
        self.instances.append(instance)

    def start(self, version, count):
        for instance in [self.launch(version) for _ in range(count)]:
            self.enter_service(instance)
        return self

    def retire(self, instance):
        """Auto Scaling's order: deregistered, drained, removed, and only then stopped."""
        self.instances.remove(instance)
        self.balancer.drain(instance.id)
        time.sleep(DEREGISTRATION_SECONDS)  # the deregistration delay
        self.balancer.remove(instance.id)
        self.exits.append(instance.terminate())

    def retire_signal_first(self, instance):
        """ECS's order: SIGTERM comes while the balancer still sends requests, and only its checks tell it."""
        self.instances.remove(instance)
        instance.server.signal(signal.SIGTERM)
        until(lambda: self.balancer.statistics(instance.id)["status"].startswith("DOWN"), 10, what="DOWN")
        self.balancer.drain(instance.id)
        self.exits.append(instance.server.wait(EXIT_SECONDS))
        self.balancer.remove(instance.id)

    def interrupt(self, instance, version):
        """Spot's order: SIGTERM without a warning, and only then a replacement begins; the seconds until it ended."""
        self.instances.remove(instance)
        began = time.monotonic()
        instance.server.signal(signal.SIGTERM)
        self.enter_service(self.launch(version))
        self.exits.append(instance.server.wait(INTERRUPTION_SECONDS))
        seconds = time.monotonic() - began
        self.balancer.drain(instance.id)
        self.balancer.remove(instance.id)
        return seconds

    def replace_all(self, version, retire):
        """One after the other, a new one in service before an old one goes."""
        for old in list(self.instances):
            self.enter_service(self.launch(version))
            retire(old)

    def stop(self):
        living = [instance.server for instance in self.launched if instance.server.process.poll() is None]
        for server in living:
            server.signal(signal.SIGINT)  # without the delay for the balancer
        statuses = [server.wait() for server in living]
        for instance in self.launched:
            instance.server.awaited = True
        stop_all([instance.server for instance in self.launched])
        assert set(statuses) <= {0}, statuses
