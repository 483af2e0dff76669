"""One deployment of an ECS service from its start to its end."""

import re
import time

from .failure import DONE, FAILED, ROLLED_BACK, TIMED_OUT, CallFailed
from .services import private_address, stop_reason, task_id
from .verdict import Verdict, judge, primary, returns_by_itself

SILENT_SECONDS = 60  # a line at least this often
FAILED_POLLS = 10  # in a row, then the deployment is out of sight
ROLLBACK_ATTEMPTS = 5
ROLLBACK_BY_ECS_SECONDS = 60  # from a deployment's failure to the rollback that ECS promised
SMOKE_SECONDS = 240  # for the tasks and the service together
REASONS_SHOWN = 3
NO_NEWS = re.compile(r"ECS deployment \S+ (in progress|completed)\.?")


class Deployment:
    """Follows deployment `id` of revision `arn`. `before` is the Revision to go back to, `earlier` has the ids of the
    service's deployments from before this one.
    """

    def __init__(self, services, id, arn, before, earlier, smoke, options, say):
        self.services, self.id, self.arn, self.before, self.earlier = services, id, arn, before, set(earlier)
        self.smoke, self.options, self.say = smoke, options, say
        self.deadline = time.monotonic() + options.timeout
        self.last_line, self.last_said = None, 0.0
        self.was_seen = False
        self.is_rolling_back = False  # the deployment that is followed is the way back
        self.is_back = False  # and complete
        self.failed_since = None
        self.timed_out = False
        self.missed = 0

    def run(self):
        """The exit status."""
        while True:
            verdict, service = self._look()
            status = self._act(verdict, service)
            if status is None and time.monotonic() > self.deadline:
                status = self._time_out()
            if status is not None:
                return status
            time.sleep(self.options.poll)

    def _by_hand(self):
        return (
            f"look with `aws ecs describe-services --cluster {self.services.cluster} --services {self.services.name}`: "
            "its deployments and events"
        )

    def _look(self):
        """The verdict and the service, after a line about its progress; without the service if ECS did not answer."""
        try:
            service = self.services.describe()
        except CallFailed as failure:
            self.missed = self.missed + 1 if failure.passes else FAILED_POLLS
            self.say(f"AWS does not answer ({self.missed} of {FAILED_POLLS}): {failure}")
            return Verdict.UNSEEN, None
        if service is None:
            self.missed += 1
            self.say("the service is not to be seen")
            return Verdict.UNSEEN, None
        before = None if self.is_rolling_back else self.before.arn
        verdict = judge(service, self.id, before, self.earlier, self.was_seen)
        if verdict is Verdict.UNSEEN:
            self.missed += 1
            return verdict, service
        self.missed, self.was_seen = 0, True
        self._tell(service)
        return verdict, service

    def _tell(self, service):
        ours = next((one for one in service["deployments"] if one["id"] == self.id), None)
        if ours is None:
            return
        new, wanted = ours["runningCount"], ours["desiredCount"]
        old = sum(one["runningCount"] for one in service["deployments"] if one["id"] != self.id)
        failed = f", failed {ours['failedTasks']}" if ours.get("failedTasks") else ""
        reason = ours.get("rolloutStateReason", "")
        reason = "" if NO_NEWS.fullmatch(reason) else f"  {' '.join(reason.split())}"
        line = (
            f"{100 * min(new, wanted) // wanted if wanted else 100:3d} %  {ours.get('rolloutState', 'unknown')}  "
            f"new {new}, old {old}, to update {max(0, wanted - new)}{failed}{reason}"
        )
        if line != self.last_line or time.monotonic() - self.last_said > SILENT_SECONDS:
            self.say(line)
            self.last_line, self.last_said = line, time.monotonic()

    def _act(self, verdict, service):
        """What follows from a verdict; the exit status if it is the end."""
        if verdict is Verdict.UNSEEN and self.missed >= FAILED_POLLS:
            self.say(f"the deployment was not seen {self.missed} times in a row: {self._by_hand()}")
            return FAILED
        if verdict is Verdict.COMPLETED:
            return self._complete()
        if verdict is Verdict.FAILED:
            return self._fail(service)
        if verdict is Verdict.RETURNED:
            self.explain(service)
            self.follow_back(primary(service)["id"])
            self.say(f"ECS rolls back: deployment {self.id} runs {name_of(self.before.arn)} again")
        if verdict is Verdict.SUPERSEDED:
            return self._give_way(service)
        return None

    def _complete(self):
        if self.is_rolling_back:
            self.is_back = True
            self.say(f"rolled back: the service runs {name_of(self.arn)}, the revision it had")
            return TIMED_OUT if self.timed_out else ROLLED_BACK
        failure = self._failure(min(self.deadline, time.monotonic() + SMOKE_SECONDS))
        if failure and self.arn == self.before.arn:
            self.say(f"{failure}; the service ran this image before, so there is nothing to go back to")
            return FAILED
        return self.roll_back(failure) if failure else DONE

    def _fail(self, service):
        """A deployment that failed and was not replaced: ECS does it in a moment, or this program does."""
        if self.is_rolling_back:
            self.say(f"the rollback failed: {self._by_hand()}")
            return FAILED
        if self.failed_since is None:
            self.failed_since = time.monotonic()
        waited = time.monotonic() - self.failed_since
        if returns_by_itself(service) and waited < ROLLBACK_BY_ECS_SECONDS:
            return None
        self.explain(service)
        return self.roll_back("ECS says that the deployment failed, and does not roll back")

    def _give_way(self, service):
        other = primary(service)
        self.say(
            f"deployment {other['id']} of {name_of(other['taskDefinition'])}, which this program did not start, has taken the "
            f"place of {self.id}: nothing is rolled back; {self._by_hand()}"
        )
        return FAILED

    def _time_out(self):
        if self.is_rolling_back:
            self.say(f"the rollback did not end within {self.options.timeout} s: {self._by_hand()}")
            return TIMED_OUT
        self.timed_out = True
        self.say(f"not done within {self.options.timeout} s")
        return self.roll_back("timed out")

    def _failure(self, deadline):
        """Why the new tasks are not fit to serve, None if they are."""
        if self.smoke.instance_url is not None:
            try:
                tasks = self.services.tasks(self.id)
            except CallFailed as failure:
                return f"the new tasks cannot be found: {failure}"
            addresses = {task_id(task): private_address(task) for task in tasks}
            missing = sorted(name for name, address in addresses.items() if address is None)
            if missing or not tasks:
                return f"{missing[0]} has no private address" if missing else "no new task runs"
            if failure := self.smoke.of_instances(addresses, deadline):
                return failure
        return self.smoke.of_service(deadline)

    def roll_back(self, reason):
        """Has the service run the revision from before again; the exit status if that is not possible."""
        self.say(f"rolling back: {reason}")
        for attempt in range(1, ROLLBACK_ATTEMPTS + 1):
            try:
                # Someone may have deployed since the last look.
                service = self.services.describe()
                first = service and primary(service)
                if first and first["id"] not in self.earlier | {self.id}:
                    if first["taskDefinition"] != self.before.arn:
                        return self._give_way(service)
                    self.follow_back(first["id"])
                    return None
                service = self.services.update(self.before.usable())
                self.follow_back(primary(service)["id"])
                self.say(f"deployment {self.id} of {name_of(self.before.arn)} started")
                return None
            except CallFailed as failure:
                self.say(f"the rollback is not taken: {failure}")
                if not failure.passes:
                    break
                if attempt < ROLLBACK_ATTEMPTS:
                    time.sleep(self.options.poll)
        self.say(f"the service still runs {name_of(self.arn)}: {self._by_hand()}")
        return TIMED_OUT if self.timed_out else FAILED

    def follow_back(self, id):
        """From now on the deployment that leads back is the one that is followed, for another timeout."""
        self.earlier.add(self.id)
        self.id, self.arn, self.is_rolling_back, self.was_seen = id, self.before.arn, True, False
        self.deadline = time.monotonic() + self.options.timeout

    def explain(self, service):
        """Says why tasks stopped, as far as ECS still has it, and the service's last events."""
        try:
            reasons = [stop_reason(task) for task in self.services.tasks(self.id, "STOPPED")]
        except CallFailed as failure:
            reasons = [f"not to be read: {failure}"]
        for reason in list(dict.fromkeys(reasons))[:REASONS_SHOWN]:
            self.say(f"a task stopped: {reason}")
        for event in reversed(service.get("events", [])[:REASONS_SHOWN]):
            self.say(f"event: {event['message']}")


def name_of(arn):
    """A revision as people write it: family:number."""
    return arn.rpartition("/")[2]
