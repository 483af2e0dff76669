"""Performs one scenario and returns its result, whatever happens."""

import dataclasses
import random

from invariants import Judgement, Verdict
from scenario import Run
from service import NeverHealthy
from world import World

from support.postgresql import Missing

LINES = 12


@dataclasses.dataclass
class Result:
    """The outcome is `held`, `violated` (a fault of the service), `broken` (the scenario could not be
    performed) or `skipped`."""

    name: str
    seed: str
    outcome: str
    verdicts: list = dataclasses.field(default_factory=list)
    figures: dict = dataclasses.field(default_factory=dict)
    events: list = dataclasses.field(default_factory=list)
    said: list = dataclasses.field(default_factory=list)
    reason: str = ""

    @property
    def violations(self):
        return [verdict for verdict in self.verdicts if not verdict.held]


def what_it_said(service, start):
    """Returns the service's log lines other than access logs, and its failed requests grouped by reason
    with their numbers."""
    states, failures = [], {}
    for line in service.lines(start):
        if "response_time_ms" in line:
            if line.get("status", 0) >= 500:
                reason = f"{line['status']} {line.get('method')} {line.get('route')} {line.get('error', '')}"
                failures[reason] = failures.get(reason, 0) + 1
        elif line.get("level") != "DEBUG":
            extra = {k: v for k, v in line.items() if k not in ("level", "instance_id", "environment", "timestamp")}
            states.append(f"{line.get('timestamp', '')} {line.get('level')} {extra}")
    common = sorted(failures.items(), key=lambda item: -item[1])
    return states[:LINES] + [f"{count}× {reason}" for reason, count in common[:LINES]]


def perform(scenario, seed, *, long=False, clients=64, world=None):
    """Performs one run in `world`, or in a new world that is closed afterwards."""
    own = World(random.Random(f"{seed}/{scenario.name}/world")) if world is None else None
    result = Result(scenario.name, seed, "broken")
    try:
        if own:
            scenario.world(own)
        run = Run(scenario, own or world, seed, long, clients)
        try:
            run.perform()
            if own:
                status = own.service.stop()
                run.check("SIGTERM ends it with status 0", status == 0, f"{status}")
        finally:
            result.said = what_it_said(run.world.service, run.log_start)
            result.events = [(round(moment - (run.fault_at or moment), 3), what) for moment, what in run.events]
        judgement = Judgement(run)
        result.verdicts, result.figures = judgement.verdicts, judgement.figures
        result.outcome = "held" if judgement.held else "violated"
    except Missing as missing:
        result.outcome, result.reason = "skipped", str(missing)
    except NeverHealthy as error:
        result.outcome, result.verdicts = "violated", [Verdict("the service becomes healthy", False, str(error))]
    except Exception as error:
        result.reason = f"{type(error).__name__}: {error}"
    finally:
        if own:
            own.close()
    return result
