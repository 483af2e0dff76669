"""Instructions and system calls per request, compared with those on record: python3 Benchmarks/cost --help."""

import argparse
import os
import signal
import sys

import calls
import database
import hottest
import instructions
import record
import report
from versions import versions
from workload import WORKLOADS

RECORD = os.path.join(os.path.dirname(os.path.abspath(__file__)), "record.json")


def arguments():
    parser = argparse.ArgumentParser(prog="cost", description=__doc__.splitlines()[0])
    parser.add_argument("--binary", required=True, help="without debug information; replaces the items of DB_*'s database")
    parser.add_argument("--record", action="store_true", help="write the figures down instead of comparing them")
    parser.add_argument("--profile", choices=WORKLOADS, help="show where this workload's instructions go instead")
    return parser.parse_args()


def profile(binary, workload, load):
    def show(_, dump, requests):
        with open(dump) as text:
            total = instructions.collected(text.read()) / requests
        print(f"{workload}: {total:,.0f} instructions per request, those of a function itself without what it calls:\n")
        print(hottest.show(dump, requests, total))

    instructions.measure(binary, [workload], load, show)


def compare(now, recorded):
    """Prints both tables and the verdict; whether the figures pass."""
    print(report.instructions_table(now, recorded), report.calls_table(now, recorded), sep="\n\n", end="\n\n")
    for phrase in report.other_versions(now, recorded):
        print(f"cost: {phrase}")
    if now.versions["architecture"] != recorded.versions["architecture"]:
        print("cost: instructions are not judged, another architecture has others")
    if now.load != recorded.load:
        print(f"cost: FAILED, the record is of another load: {report.RECORD_ANEW}")
        return False
    passed, sentences = report.verdict(record.differences(now, recorded))
    for sentence in sentences:
        print(f"cost: {sentence}")
    print(f"cost: {'ok' if passed else 'FAILED'}")
    return passed


def main():
    options = arguments()
    # Ends the run as Ctrl-C does, so that the servers are stopped.
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    load = record.Load()
    database.prepare(options.binary)
    if options.profile:
        profile(options.binary, options.profile, load)
        return 0
    now = record.Figures(
        vars(load),
        versions(),
        instructions.measure(options.binary, WORKLOADS, load),
        calls.measure(options.binary, WORKLOADS, load),
    )
    if options.record:
        now.save(RECORD)
    return 0 if compare(now, record.load_figures(RECORD)) else 1


if __name__ == "__main__":
    sys.exit(main())
