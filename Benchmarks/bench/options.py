"""The command line, which scripts/bench builds from make's variables."""

import argparse

from .failure import Failure
from .workload import WORKLOADS

# wrk uses one thread for all connections; above this limit the machine runs out of ports.
MOST_CONNECTIONS = 20000

TRANSPORTS = ("tcp", "socket")


def numbers(text):
    """Parses a list of positive integers such as `1,8,64`."""
    try:
        values = [int(word) for word in text.split(",")]
    except ValueError:
        values = [0]
    if min(values) < 1:
        raise argparse.ArgumentTypeError(f"a number, or several with commas, from 1 on, not: {text}")
    return values


def number(text):
    values = numbers(text)
    if len(values) > 1:
        raise argparse.ArgumentTypeError(f"one number, not: {text}")
    return values[0]


def retries(text):
    return 0 if text == "0" else number(text)


def connections(text):
    values = numbers(text)
    if max(values) > MOST_CONNECTIONS:
        raise argparse.ArgumentTypeError(f"at most {MOST_CONNECTIONS} connections, not: {text}")
    return values


def workloads(text):
    """Parses a list of workload names; `all` selects every workload."""
    names = list(WORKLOADS) if text == "all" else text.split(",")
    if unknown := [name for name in names if name not in WORKLOADS]:
        raise argparse.ArgumentTypeError(f"no workload {', '.join(unknown)}; there are {', '.join(WORKLOADS)}")
    return [WORKLOADS[name] for name in names]


def measured(parser, **defaults):
    """Adds the options of all modes that start servers."""
    parser.add_argument(
        "--against", metavar="COMMAND", help="another server with the same contract: '../other/items serve'"
    )
    parser.add_argument("--peers", default="", metavar="NAMES", help="peers to build and measure too, or `all`")
    parser.add_argument("--seconds", type=number, default=defaults.get("seconds", 3), help="of load")
    parser.add_argument("--rows", type=numbers, default=defaults.get("rows", "10000"), help="items in the table")
    parser.add_argument(
        "--database", choices=TRANSPORTS, default=TRANSPORTS[0], help="how the servers reach PostgreSQL"
    )
    parser.add_argument("--port", type=number, help="of the servers; by default a free one")
    parser.add_argument("--json", metavar="FILE", help="write the run down")


def in_rounds(parser, **defaults):
    """Adds the options of the modes that start every server repeatedly."""
    measured(parser, **defaults)
    parser.add_argument("--workloads", type=workloads, default=defaults.get("workloads", "all"), metavar="NAMES")
    parser.add_argument(
        "--concurrency",
        type=connections,
        default=defaults.get("concurrency", "64"),
        metavar="NUMBERS",
        help="connections",
    )
    parser.add_argument("--rounds", type=number, default=3)
    parser.add_argument(
        "--retries", type=retries, default=0, metavar="NUMBER", help="measure again while others use the machine"
    )
    parser.add_argument("--warm-up", type=number, default=1, metavar="SECONDS")
    parser.add_argument(
        "--plot",
        default=defaults.get("plot"),
        metavar="FILE",
        help="draw an SVG: bars of all workloads, or the first one over several CONCURRENCY",
    )


def parser():
    top = argparse.ArgumentParser(prog="scripts/bench", description="Measures items and other servers side by side.")
    modes = top.add_subparsers(dest="mode", required=True, metavar="MODE")

    run = modes.add_parser("run", help="rate, latency and cost of every workload, in rounds")
    in_rounds(run)
    curve = modes.add_parser("curve", help="rate and latency of item over the number of connections, drawn")
    in_rounds(curve, workloads="item", concurrency="1,2,4,8,16,32,64,128,256,512", plot="curve.svg")
    scale = modes.add_parser("scale", help="what more rows and more connections cost list and item")
    in_rounds(scale, workloads="list,item", concurrency="64,1000", rows="10000,1000000")

    latency = modes.add_parser("latency", help="percentiles and stalls of item at a fixed rate")
    measured(latency, seconds=60)
    latency.add_argument(
        "--rate", type=number, metavar="NUMBER", help="requests per second; by default half the maximum"
    )
    latency.add_argument("--concurrency", type=connections, default="64", metavar="NUMBER", help="connections")

    memory = modes.add_parser("memory", help="memory idle, under load and for each idle connection; time to start")
    measured(memory)
    memory.add_argument("--idle", type=number, default=10000, metavar="NUMBER", help="idle connections")

    steady = modes.add_parser("steady", help="cost and memory of item minute by minute, under load all the time")
    measured(steady, seconds=60)
    steady.add_argument("--minutes", type=number, default=10, metavar="NUMBER", help="measurements of --seconds each")
    steady.add_argument("--concurrency", type=connections, default="64", metavar="NUMBER", help="connections")

    show = modes.add_parser("show", help="a run that was written down")
    show.add_argument("record", metavar="FILE")
    show.add_argument("--markdown", action="store_true", help="the tables of docs/performance.md")
    show.add_argument("--plot", metavar="FILE")
    return top


def plain(options):
    """Returns the options as they are written to a record."""
    return {
        name: [entry.name for entry in value] if name == "workloads" else value for name, value in vars(options).items()
    }


def parse(words):
    options = parser().parse_args(words)
    if getattr(options, "rows", None) and min(options.rows) < 20:
        raise Failure("ROWS must be 20 at least: a page of 20 items is among the workloads")
    return options
