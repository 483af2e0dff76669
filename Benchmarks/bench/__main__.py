import pathlib
import resource
import signal
import sys

from . import bars, latency, load, memory, options, plot, program, record, report, rounds, steady
from .cluster import Cluster
from .failure import Failure


def chosen(given):
    """Returns the programs to measure, the project's own first."""
    programs = [program.ours()]
    if given.against:
        programs.append(program.contract("against", "against", given.against))
    return programs + program.peers(given.peers)


def begin(given):
    """Checks the requirements and returns the programs, the cluster and an empty record."""
    load.require()
    programs = chosen(given)
    # Each connection needs one descriptor, in this process and in the servers, which inherit the limit.
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    cluster = Cluster(transport=given.database)
    titles = {entry.name: entry.title for entry in programs}
    return programs, cluster, record.Record(options.plain(given), record.machine(cluster), titles)


def write_plot(made, path):
    """Writes a curve of the first workload if the numbers of connections differ, else bars of all workloads."""
    is_curve = len({sample.connections for sample in made.samples}) > 1
    picture = plot.draw(made, made.samples[0].workload) if is_curve else bars.draw(made)
    try:
        pathlib.Path(path).write_text(picture, encoding="utf-8")
    except OSError as error:
        raise Failure(f"the plot was not written: {error}") from None
    rounds.say(f"plot: {path}")


def measure(given):
    programs, cluster, made = begin(given)
    try:
        if given.mode == "latency":
            latency.run(programs, given, cluster, made)
        elif given.mode == "memory":
            memory.run(programs, given, cluster, made)
        elif given.mode == "steady":
            steady.run(programs, given, cluster, made)
        else:
            rounds.run(programs, given.workloads, given, cluster, made)
    finally:
        # Runs after a failure or an interruption too, so that the measurements taken so far are kept.
        if made.samples or any(made.figures.values()):
            conclude(made, given)
    return 1 if report.is_void(made) else 0


def conclude(made, given):
    print("\n" + report.text(made), flush=True)
    if given.json:
        made.write(given.json)
        rounds.say(f"record: {given.json}")
    if getattr(given, "plot", None):
        write_plot(made, given.plot)


def show(given):
    made = record.read(given.record)
    if given.plot:
        write_plot(made, given.plot)
    if given.markdown:
        print(report.markdown(made))
    elif not given.plot:
        print(report.text(made))
    return 0


def main():
    # `show | head` is not an error.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    # Treats SIGTERM like Ctrl-C, so that servers are stopped on the way out.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        given = options.parse(sys.argv[1:])
        return show(given) if given.mode == "show" else measure(given)
    except Failure as failure:
        print(f"bench: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
