"""Runs scenarios and reports: `python Tests/Chaos/chaos.py --help`."""

import argparse
import dataclasses
import json
import os
import pathlib
import random
import re
import sys
import time

import scenarios_failover  # noqa: F401  registers
import scenarios_network  # noqa: F401
import scenarios_password  # noqa: F401
import scenarios_pooler  # noqa: F401
import scenarios_process  # noqa: F401
from scenario import perform, scenarios
from service import BINARY, ROOT
from world import World, direct, proxied

COLUMNS = [
    ("first_failure_ms", "1st 503"),
    ("outage_ms", "outage"),
    ("first_write_ms", "write"),
    ("first_read_ms", "read"),
    ("last_failure_ms", "last 503"),
    ("refusal_p95_ms", "refusal"),
    ("failed", "failed"),
    ("requests", "requests"),
    ("acknowledged", "201"),
    ("connections_max", "conns"),
    ("probe_p99_ms", "probes"),
]


def table(results):
    yield f"{'scenario':26}{'outcome':10}" + "".join(f"{title:>10}" for _, title in COLUMNS)
    for result in results:
        cells = "".join(f"{'-' if (v := result.figures.get(key)) is None else v:>10}" for key, _ in COLUMNS)
        yield f"{result.name:26}{result.outcome:10}{cells}"
        if result.reason:
            yield f"    {result.outcome}: {result.reason}"
        for verdict in result.violations:
            yield f"    VIOLATED {verdict.name}: {verdict.detail}"
    counts = {
        outcome: sum(r.outcome == outcome for r in results) for outcome in ("held", "violated", "broken", "skipped")
    }
    yield ", ".join(f"{count} {outcome}" for outcome, count in counts.items()) + "; times in milliseconds"


class Worlds:
    """Those that runs share: made when first needed, made anew after a run that did not hold."""

    def __init__(self, seed):
        self.seed, self.kept, self.memory = seed, {}, {}

    def get(self, make):
        if make not in self.kept:
            world = self.kept[make] = World(random.Random(self.seed))
            make(world)
        return self.kept[make]

    def drop(self, make):
        if world := self.kept.pop(make, None):
            world.close()

    def close(self):
        for make in list(self.kept):
            self.drop(make)


def mix(seed, runs, chosen, report, clients, long):
    """Runs drawn by the seed; services live on from run to run, so that what leaks adds up."""
    dice, worlds, results = random.Random(seed), Worlds(seed), []
    try:
        for number in range(runs):
            one = dice.choice(chosen)
            run_seed = f"{seed}.{number}"
            shared = None
            if one.mixes:
                try:
                    shared = worlds.get(one.world)
                except Exception as error:
                    sys.exit(f"chaos: no world for {one.name}: {error}")
            result = perform(one, run_seed, long=long, clients=clients, world=shared)
            if shared and result.outcome != "held":
                worlds.drop(one.world)
            elif shared:
                result.figures["memory_mib"] = round(shared.usage().memory, 1)
            results.append(result)
            report(result, number + 1)
    finally:
        worlds.close()
    return results


def main():
    parser = argparse.ArgumentParser(description="Breaks the database under a loaded service, and judges the service.")
    parser.add_argument("--seed", default=str(int(time.time())), help="the same seed draws the same faults")
    parser.add_argument("--scenario", default="", help="a regular expression on names; default: all")
    parser.add_argument(
        "--runs", type=int, default=0, help="so many runs drawn by the seed, instead of each scenario once"
    )
    parser.add_argument("--quick", action="store_true", help="only the short suite")
    parser.add_argument("--long", action="store_true", help="longer outages")
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--report", type=pathlib.Path, default=ROOT / ".build/chaos")
    parser.add_argument("--list", action="store_true", help="say what there is, and end")
    options = parser.parse_args()
    chosen = [s for s in scenarios.values() if re.search(options.scenario, s.name) and (s.quick or not options.quick)]
    if options.list:
        for one in chosen:
            print(f"{one.name:26}{(one.body.__doc__ or '').strip().splitlines()[0] if one.body.__doc__ else ''}")
        return 0
    if not chosen:
        sys.exit(f"chaos: no scenario is called {options.scenario}")
    if not os.access(BINARY, os.X_OK):
        sys.exit(f"chaos: {BINARY} is missing: make build")

    def report(result, number):
        marks = "; ".join(f"{v.name}: {v.detail}" for v in result.violations)
        print(f"[{number}] {result.name} {result.outcome} {result.reason}{marks}", file=sys.stderr, flush=True)

    print(f"seed {options.seed}, {BINARY}", file=sys.stderr, flush=True)
    if options.runs:
        results = mix(options.seed, options.runs, chosen, report, options.clients, options.long)
    else:
        results = []
        for number, one in enumerate(chosen, 1):
            results.append(perform(one, options.seed, long=options.long, clients=options.clients))
            report(results[-1], number)
    print("\n".join(table(results)))
    options.report.mkdir(parents=True, exist_ok=True)
    path = options.report / f"{options.seed}.json"
    path.write_text(json.dumps([dataclasses.asdict(result) for result in results], indent=1))
    print(f"seed {options.seed}; everything that was measured is in {path}")
    return 0 if all(result.outcome in ("held", "skipped") for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
