import pathlib
import resource
import signal
import sys

from . import goal, latency, load, memory, options, plot, program, record, rounds, scale, table
from .cluster import Cluster
from .failure import Failure


def chosen(given):
    """The programs of a run, the project's own first."""
    programs = [program.ours()]
    if given.against:
        programs.append(program.contract("against", "against", given.against))
    return programs + program.peers(given.peers)


def begin(given):
    """What every mode that starts servers needs."""
    load.require()
    programs = chosen(given)
    # A descriptor for each connection, here and in the servers, which inherit it.
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    cluster = Cluster()
    titles = {entry.name: entry.title for entry in programs}
    return programs, cluster, record.Record(options.plain(given), record.machine(cluster), titles)


def write_plot(made, path):
    workload = made.samples[0].workload if made.samples else "item"
    try:
        pathlib.Path(path).write_text(plot.draw(made, workload), encoding="utf-8")
    except OSError as error:
        raise Failure(f"the plot was not written: {error}") from None
    rounds.say(f"plot: {path}")


def write_record(made, path):
    if path:
        made.write(path)
        rounds.say(f"record: {path}")


def conclude(made, given):
    """Tells and writes what was measured; the exit status says whether every sample counts."""
    print("\n" + table.text(made))
    if lines := goal.ratios(made):
        print("\nrate of items over that of\n  " + "\n  ".join(lines))
    if given.mode == "scale" and (lines := list(scale.lines(made))):
        print("\nscale\n  " + "\n  ".join(lines))
    if verdicts := list(goal.verdicts(made)):
        print("\ngoals\n  " + "\n  ".join(map(str, verdicts)))
    write_record(made, given.json)
    if given.plot:
        write_plot(made, given.plot)
    return 1 if any(sample.is_void for sample in made.samples) else 0


def run(given):
    if given.plot and len(given.concurrency) < 2:
        raise Failure("PLOT needs more than one number of connections: CONCURRENCY=1,8,64,512")
    programs, cluster, made = begin(given)
    try:
        rounds.run(programs, given.workloads, given, cluster, made)
    except (Failure, KeyboardInterrupt):
        # What was measured until then is not lost.
        if made.samples:
            conclude(made, given)
        raise
    return conclude(made, given)


def measure_latency(given):
    programs, cluster, made = begin(given)
    figures = latency.run(programs, given, cluster, made)
    print("\n" + latency.text(figures, given) + table.left_out(made))
    write_record(made, given.json)
    return 1 if any(figure.pace.is_void for figure in figures) else 0


def measure_memory(given):
    programs, cluster, made = begin(given)
    print("\n" + memory.text(memory.run(programs, given, cluster, made), given) + table.left_out(made))
    write_record(made, given.json)
    return 0


def show(given):
    made = record.read(given.record)
    if given.plot:
        write_plot(made, given.plot)
    if given.markdown:
        print(f"### Throughput and latency\n\n{table.throughput(made)}\n")
        print(f"### Cost per 1,000 requests\n\n{table.cost(made)}")
    elif not given.plot:
        print(table.text(made))
    return 0


MODES = {"run": run, "curve": run, "scale": run, "latency": measure_latency, "memory": measure_memory, "show": show}


def main():
    # `show | head` is no error.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    # Ends like Ctrl-C does, so that servers are stopped on the way out.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        given = options.parse(sys.argv[1:])
        return MODES[given.mode](given)
    except Failure as failure:
        print(f"bench: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
