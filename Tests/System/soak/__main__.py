"""Runs honest and hostile clients concurrently against one server: python3 Tests/System/soak --help.

Honest clients check every response; hostile ones attack the server. At the end no honest client may have met an error,
and the server must not use more resources than at the start.
"""

import argparse
import os
import random
import signal
import sys
import time

import honest
import hostile
import report
from service import Service

# The allowed growth of resident memory after the warm-up: the allocator keeps the pages of each loop's peak.
RESIDENT_GROWTH_KIB = 24 * 1024
# Mutated PUT and DELETE requests address items with small ids, so these are reserved for them.
MUTABLE_ITEMS = 1000
WARM_UP_SECONDS = 30
SETTLE_SECONDS = 15
DRAIN_SECONDS = 10


def arguments():
    parser = argparse.ArgumentParser(prog="soak", description=__doc__.splitlines()[0])
    parser.add_argument("--binary", required=True, help="the server; DB_* of the environment are passed on")
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32), help="replays a run")
    parser.add_argument("--honest", type=int, default=6, help="honest clients")
    parser.add_argument("--hostile", type=int, default=24, help="hostile clients")
    return parser.parse_args()


def run(options, service):
    """Returns a sentence for each fault found."""
    service.wait_until_healthy()
    service.create(MUTABLE_ITEMS)
    start = service.measure()
    enemies = hostile.Enemies(service.port, options.seed, options.hostile)
    friends = honest.Friends(service.port, options.seed, options.honest)
    enemies.start()
    friends.start()
    began = time.monotonic()
    warm_up = min(WARM_UP_SECONDS, options.seconds / 3)
    warm, peak = None, start
    while (elapsed := time.monotonic() - began) < options.seconds and service.is_running():
        time.sleep(min(1, options.seconds - elapsed))
        peak = max(peak, service.measure(), key=lambda measured: measured.resident_kib)
        if warm is None and elapsed >= warm_up:
            warm = peak
    warm = warm or peak
    friends.stop()
    enemies.stop()
    faults = friends.faults + enemies.faults
    end = start
    if service.is_running():
        settled = service.wait_until_alone(SETTLE_SECONDS)
        if not settled:
            faults.append("connections or requests are still open after all clients have left")
        end = service.measure_settled(start.descriptors, SETTLE_SECONDS)
        if end.descriptors > start.descriptors:
            faults.append(f"{end.descriptors - start.descriptors} descriptors are still open")
        if end.resident_kib > warm.resident_kib + RESIDENT_GROWTH_KIB:
            faults.append(f"resident size grew from {warm.resident_kib} to {end.resident_kib} KiB after the warm-up")
        if service.sample("db_pool_waiting"):
            faults.append("statements still wait for the database")
    status = service.stop(DRAIN_SECONDS)
    if status != 0:
        faults.append(f"the server ended with {status}: {service.errors()}")
    faults += service.log_faults
    report.show(friends, enemies, service, [("start", start), ("warm", warm), ("peak", peak), ("end", end)])
    return faults


def main():
    options = arguments()
    # Treats SIGTERM like Ctrl-C, so that the server is stopped.
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    clients = f"{options.honest} honest and {options.hostile} hostile clients"
    print(f"soak: {options.seconds:g} s, SEED={options.seed}, {clients}")
    sys.stdout.flush()
    service = Service(options.binary, os.environ)
    try:
        faults = run(options, service)
    finally:
        service.kill()
    for fault in faults[:40]:
        print(f"FAULT: {fault}")
    if len(faults) > 40:
        print(f"and {len(faults) - 40} faults more")
    print(f"soak: {'FAILED' if faults else 'ok'}, SEED={options.seed}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
