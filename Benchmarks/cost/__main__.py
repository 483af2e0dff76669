"""Counts instructions and system calls per request, and compares both with the record.

Usage: python3 Benchmarks/cost --help.
"""

import argparse
import dataclasses
import os
import signal
import sys

import calls
import database
import hottest
import instructions
import record
import report
from instructions import NotCounted
from lockstep import BadAnswer
from server import ServerFailed
from versions import versions
from workload import WORKLOADS

RECORD = os.path.join(os.path.dirname(os.path.abspath(__file__)), "record.json")


def names(text):
    """Parses names of workloads that are separated by commas."""
    found = text.split(",")
    for name in found:
        if name not in WORKLOADS:
            raise argparse.ArgumentTypeError(f"there is no workload {name}, only {', '.join(WORKLOADS)}")
    return found


def arguments():
    parser = argparse.ArgumentParser(prog="cost", description=__doc__.splitlines()[0])
    parser.add_argument("--binary", required=True, help="without debug information; all items of DB_*'s database go")
    parser.add_argument("--workloads", type=names, default=list(WORKLOADS), help="count these only: root,item")
    parser.add_argument("--record", action="store_true", help="write the figures down instead of comparing them")
    parser.add_argument("--profile", choices=WORKLOADS, help="show where this workload's instructions go instead")
    options = parser.parse_args()
    if options.record and len(options.workloads) < len(WORKLOADS):
        parser.error("a record has all workloads")
    return options


def profile(binary, workload, load):
    def show(_, path, requests):
        with open(path) as dump:
            print(hottest.show(dump, requests))

    once = dataclasses.replace(load, turns=1)
    count = instructions.measure(binary, [workload], once, show)[workload]
    print(f"\n{workload}: {count:,.0f} instructions per request; a function's are its own, without those it calls")


def run(options):
    """Returns whether the figures pass; a profile and a new record always pass."""
    load = record.Load()
    database.prepare(options.binary)
    if options.profile:
        profile(options.binary, options.profile, load)
        return True
    counted = instructions.measure(options.binary, options.workloads, load)
    database.fill()
    now = record.Figures(vars(load), versions(), counted, calls.measure(options.binary, options.workloads, load))
    if options.record:
        now.save(RECORD)
    passed, lines = report.comparison(now, record.load_figures(RECORD))
    print("\n".join(lines))
    return passed


def main():
    options = arguments()
    # Treats SIGTERM like Ctrl-C, so that the servers are stopped.
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        return 0 if run(options) else 1
    except KeyboardInterrupt:
        return 130
    except (BadAnswer, NotCounted, ServerFailed) as failure:
        return f"cost: {failure}"


if __name__ == "__main__":
    sys.exit(main())
