"""The goals of the project's own server: a ratio to the fastest rival, for each workload."""

import dataclasses

from .sample import summaries

HYPER = ("hyper", "hyper-1", "hyper-reader")


@dataclasses.dataclass(frozen=True)
class Goal:
    """The minimum ratio of our rate to the fastest rival's, and the maximum ratio of our CPU time per request to it."""

    workload: str
    rivals: tuple
    rate: float
    cpu: float | None = None


GOALS = (
    Goal("root", ("cfloor",), 1.0, 1.1),
    Goal("root", ("nginx",), 1.0),
    Goal("health", HYPER, 1.5),
    Goal("list", HYPER, 1.2, 0.7),
    Goal("item", HYPER, 1.25, 0.9),
    Goal("create", HYPER, 2.2),
    Goal("list", ("flask",), 15, 1 / 30),
    Goal("item", ("flask",), 18, 1 / 30),
    Goal("create", ("flask",), 14, 1 / 30),
)


@dataclasses.dataclass(frozen=True)
class Verdict:
    goal: Goal
    connections: int
    rows: int
    rival: str
    rate: float  # ours divided by the rival's
    cpu: float | None  # ours divided by the rival's, of the server's CPU time per request

    @property
    def is_met(self):
        return self.rate >= self.goal.rate and self.is_frugal

    @property
    def is_frugal(self):
        return None in (self.cpu, self.goal.cpu) or self.cpu <= self.goal.cpu

    def __str__(self):
        cpu = "" if self.cpu is None else f", {self.cpu:.2f} of its CPU time"
        met = "met" if self.is_met else "MISSED"
        place = f"{self.goal.workload} ({self.rows} rows, {self.connections} connections)"
        goal = f"{self.goal.rate:g}" + ("" if self.goal.cpu is None else f" and {self.goal.cpu:.2g}")
        return f"{place}: {self.rate:.2f} of the rate of {self.rival}{cpu}; goal {goal}: {met}"


def verdicts(record, own="items"):
    """Yields a verdict for every goal with samples of both sides at the same rows and connections."""
    found = summaries(record.samples)
    for goal in GOALS:
        for (workload, rows, connections, program), summary in found.items():
            rate = summary.median("rate")
            if (workload, program) != (goal.workload, own) or rate is None:
                continue
            rivals = {name: found.get((workload, rows, connections, name)) for name in goal.rivals}
            rates = {name: rival.median("rate") for name, rival in rivals.items() if rival and rival.median("rate")}
            if rates:
                name = max(rates, key=rates.get)
                theirs = rivals[name].median("server_cpu")
                cpu = summary.median("server_cpu") / theirs if theirs else None
                yield Verdict(goal, connections, rows, name, rate / rates[name], cpu)


def ratios(record, own="items"):
    """Returns a line per workload with our rate divided by that of each other server."""
    found, lines = summaries(record.samples), {}
    for (workload, rows, connections, program), summary in found.items():
        ours = found.get((workload, rows, connections, own))
        if program == own or not ours or not ours.median("rate") or not summary.median("rate"):
            continue
        lines.setdefault((workload, rows, connections), []).append(
            f"{program} {ours.median('rate') / summary.median('rate'):.2f}"
        )
    return [
        f"{workload} ({rows} rows, {count} connections): " + ", ".join(words)
        for (workload, rows, count), words in lines.items()
    ]
