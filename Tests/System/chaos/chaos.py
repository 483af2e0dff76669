"""Runs scenarios and prints a report: `python Tests/System/chaos/chaos.py --help`."""

import argparse
import os
import pathlib
import random
import re
import signal
import sys
import time

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1]))

from report import summary, table, write
from result import Result, perform
from suite import scenarios
from world import World

from support.project import BINARY, ROOT


class Worlds:
    """Worlds shared by several runs: each is created when first needed, and again after a run that did not pass."""

    def __init__(self, seed):
        self.seed, self.kept = seed, {}

    def get(self, make):
        """Returns the world that `make` creates, or None if that fails; the run then creates its own and
        reports the error."""
        if make not in self.kept:
            world = self.kept[make] = World(random.Random(self.seed))
            try:
                make(world)
            except Exception:
                self.drop(make)
        return self.kept.get(make)

    def drop(self, make):
        if world := self.kept.pop(make, None):
            world.close()

    def close(self):
        for make in list(self.kept):
            self.drop(make)


def mix(seed, runs, chosen, report, clients, long):
    """Performs `runs` scenarios chosen by the seed. Scenarios that can share a world keep its service, so
    that leaks accumulate."""
    dice, worlds = random.Random(seed), Worlds(seed)
    try:
        for number in range(runs):
            one = dice.choice(chosen)
            shared = worlds.get(one.world) if one.mixes else None
            result = perform(one, f"{seed}.{number}", long=long, clients=clients, world=shared)
            if shared and result.outcome == "held":
                result.figures["memory_mib"] = round(shared.usage().memory, 1)
            elif shared:
                worlds.drop(one.world)
            report(result)
    finally:
        worlds.close()


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

    # Treats SIGTERM and SIGHUP like Ctrl-C: what was started is stopped, and the results are kept.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: signal.raise_signal(signal.SIGINT))
    path = options.report / f"{options.seed}.json"
    results = []

    def report(result):
        results.append(result)
        marks = "; ".join(f"{v.name}: {v.detail}" for v in result.violations)
        print(f"[{len(results)}] {result.name} {result.outcome} {result.reason}{marks}", file=sys.stderr, flush=True)
        # Written after every run, so that an interrupted series leaves its results.
        write(results, path)

    print(f"seed {options.seed}, {BINARY}", file=sys.stderr, flush=True)
    try:
        if options.runs:
            mix(options.seed, options.runs, chosen, report, options.clients, options.long)
        else:
            for one in chosen:
                report(perform(one, options.seed, long=options.long, clients=options.clients))
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr, flush=True)
        results.append(Result("interrupted", options.seed, "broken"))
    print("\n".join(summary(results) if options.runs else table(results)))
    print(f"seed {options.seed}; everything that was measured is in {path}")
    return 0 if all(result.outcome in ("held", "skipped") for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
