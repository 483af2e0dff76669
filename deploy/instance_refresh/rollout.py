"""One refresh from its start to its end."""

import time

from .failure import DONE, FAILED, ROLLED_BACK, TIMED_OUT, CallFailed

ENDED = {"Successful", "Failed", "Cancelled", "RollbackFailed", "RollbackSuccessful"}
ACTIVE = {"Pending", "InProgress", "Baking", "Cancelling", "RollbackInProgress"}
ROLLING_BACK = {"RollbackInProgress", "RollbackFailed", "RollbackSuccessful"}
SILENT_SECONDS = 60  # a line at least this often
FAILED_POLLS = 10  # in a row, then the refresh is out of sight
ROLLBACK_ATTEMPTS = 5
SHARE_FOR_SMOKE = 0.8  # of the time AWS waits: what is left is for telling it to roll back


class Rollout:
    """Follows a started refresh; `number` is its launch template version."""

    def __init__(self, cloud, group, refresh, number, smoke, options, say):
        self.cloud, self.group, self.refresh, self.number = cloud, group, refresh, str(number)
        self.smoke, self.options, self.say = smoke, options, say
        self.deadline = time.monotonic() + options.timeout
        self.last_line, self.last_said = None, 0.0
        self.tested = set()  # phases whose smoke test has passed
        self.phase_ends = {}  # moments until which a phase's smoke test has to be done
        self.began_rollback = False  # asked for, by this program or by AWS
        self.is_rolling_back = False  # and taken
        self.is_back = False  # and complete
        self.timed_out = False
        self.missed = 0

    def run(self):
        """The exit status."""
        while True:
            state = self._look()
            if state is None:
                if self.missed >= FAILED_POLLS:
                    self.say(f"AWS has not answered {self.missed} times in a row: {self._by_hand()}")
                    return FAILED
            else:
                if state["Status"] in ENDED:
                    return self._end(state)
                self._test(state)
            if time.monotonic() > self.deadline:
                if self.timed_out:
                    self.say(f"the rollback did not end within {self.options.timeout} s either: {self._by_hand()}")
                    return TIMED_OUT
                self.timed_out = True
                self.deadline = time.monotonic() + self.options.timeout
                if not self.began_rollback:
                    self.say(f"not done within {self.options.timeout} s")
                    self.roll_back("timed out")
            time.sleep(self.options.poll)

    def _by_hand(self):
        return (
            f"look with `aws autoscaling describe-instance-refreshes --auto-scaling-group-name {self.group} "
            f"--instance-refresh-ids {self.refresh}`"
        )

    def _look(self):
        """The refresh's state, after a line about it if it has changed; None if AWS did not answer."""
        try:
            state = next(iter(self.cloud.refreshes(self.group, self.refresh)), None)
            group = self.cloud.group(self.group)
        except CallFailed as failure:
            self.missed += 1
            self.say(f"AWS does not answer ({self.missed} of {FAILED_POLLS}): {failure}")
            if not failure.passes:
                self.missed = FAILED_POLLS
            return None
        if state is None or group is None:
            self.missed += 1
            self.say("the refresh is not to be seen")
            return None
        self.missed = 0
        new = self._new(group)
        old = len(group["Instances"]) - len(new)
        rollback = state.get("RollbackDetails", {}).get("RollbackReason", "")
        reason = " ".join(f"{rollback} {state.get('StatusReason', '')}".split())
        line = (
            f"{state.get('PercentageComplete', 0):3d} %  {state['Status']}  new {len(new)}, old {old}, "
            f"to update {state.get('InstancesToUpdate', 0)}{'  ' + reason if reason else ''}"
        )
        if line != self.last_line or time.monotonic() - self.last_said > SILENT_SECONDS:
            self.say(line)
            self.last_line, self.last_said = line, time.monotonic()
        self.is_rolling_back = self.is_rolling_back or state["Status"] in ROLLING_BACK
        self.began_rollback = self.began_rollback or self.is_rolling_back
        return state

    def _new(self, group):
        return [
            instance
            for instance in group["Instances"]
            if instance.get("LaunchTemplate", {}).get("Version") == self.number
        ]

    def _test(self, state):
        """Runs the smoke test when AWS waits: at the checkpoint, and again when all instances are new."""
        if not self.smoke.is_wanted or self.began_rollback:
            return
        if state["Status"] == "Baking":
            phase, seconds = "end", self.options.bake
        elif state["Status"] == "InProgress" and state.get("PercentageComplete", 0) >= self.options.checkpoint:
            phase, seconds = "checkpoint", self.options.checkpoint_delay
        else:
            return
        if phase in self.tested:
            return
        end = self.phase_ends.setdefault(phase, time.monotonic() + seconds * SHARE_FOR_SMOKE)
        try:
            failure = self._failure(min(self.deadline, end))
        except CallFailed as problem:
            failure = f"the new instances cannot be found: {problem}"
            if problem.passes and time.monotonic() < end:
                self.say(f"{failure}; asking again")
                return
        if failure:
            self.roll_back(failure)
            return
        self.tested.add(phase)
        if phase == "checkpoint" and self.options.checkpoint < 100:
            self.say(f"the checkpoint is passed: AWS goes on when its {self.options.checkpoint_delay} s are over")

    def _failure(self, deadline):
        """Why the new instances are not fit to serve, None if they are."""
        group = self.cloud.group(self.group)
        if group is None:
            return "the group is gone"
        instances = self._new(group)
        new = [instance["InstanceId"] for instance in instances if instance["LifecycleState"] == "InService"]
        if not new:
            return "no new instance is in service"
        addresses = self.cloud.private_addresses(new)
        missing = sorted(set(new) - addresses.keys())
        if missing:
            return f"{missing[0]} has no private address"
        return self.smoke.of_instances(addresses, deadline) or self.smoke.of_service(deadline)

    def roll_back(self, reason):
        """Requests the rollback from AWS."""
        self.say(f"rolling back: {reason}")
        self.began_rollback = True  # whatever comes of it: what is new is not tested any more
        for attempt in range(1, ROLLBACK_ATTEMPTS + 1):
            try:
                self.cloud.roll_back(self.group)
                self.is_rolling_back = True
                return
            except CallFailed as failure:
                self.say(f"the rollback is not taken: {failure}")
                if not failure.passes:
                    break
                if attempt < ROLLBACK_ATTEMPTS:
                    time.sleep(self.options.poll)

    def _end(self, state):
        status = state["Status"]
        if status == "Successful":
            if not self.began_rollback:
                return self._verify()
            self.say("the refresh ended before it could be rolled back: the group runs the new version")
            return FAILED
        if status == "RollbackSuccessful":
            self.is_back = True
            self.say("rolled back: the group runs the version it had")
            return TIMED_OUT if self.timed_out else ROLLED_BACK
        self.say(f"the refresh ended as {status}: {state.get('StatusReason', 'no reason given')}; {self._by_hand()}")
        return FAILED

    def _verify(self):
        """After a success: checks instances that no checkpoint or bake time covered, and the group's version."""
        failure = None
        try:
            group = self.cloud.group(self.group)
            version = group["LaunchTemplate"].get("Version") if group else "none"
            if version != self.number:
                failure = f"the group names version {version} of its launch template, not {self.number}"
            elif self.smoke.is_wanted and "end" not in self.tested and group["Instances"]:
                failure = self._failure(time.monotonic() + self.options.checkpoint_delay * SHARE_FOR_SMOKE)
        except CallFailed as problem:
            failure = str(problem)
        if failure:
            self.say(f"{failure}; the refresh is over and cannot be rolled back: deploy the image before it again")
            return FAILED
        return DONE
