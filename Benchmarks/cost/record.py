"""The recorded figures, and their comparison with measured ones."""

import dataclasses
import json

# A higher figure is a regression; a lower one means that the record is outdated. Runs on one machine differ by less
# than 2 %, and by less than 4 % in the system calls of `list`.
TOLERANCE = 0.10


@dataclasses.dataclass(frozen=True)
class Load:
    """The load used for both counts. All connections share an event loop iteration, so their number
    affects the figures."""

    connections: int = 16
    # During these rounds the server prepares statements, allocates memory and creates label sets.
    warm_up: int = 10
    rounds: int = 60
    # Each workload is measured this many times, alternating; the lowest count is used. A disturbance (a PostgreSQL
    # response read in more pieces, an additional wake-up) only adds.
    turns: int = 3

    def order(self, workloads):
        return list(workloads) * self.turns


@dataclasses.dataclass
class Figures:
    """Instructions and system calls per request of each workload, and the versions used to count them."""

    load: dict
    versions: dict
    instructions: dict
    calls: dict

    def save(self, path):
        calls = {
            workload: {call: round(number, 4) for call, number in sorted(numbers.items())}
            for workload, numbers in self.calls.items()
        }
        instructions = {workload: round(number) for workload, number in self.instructions.items()}
        figures = dataclasses.replace(self, instructions=instructions, calls=calls)
        with open(path, "w") as file:
            json.dump(dataclasses.asdict(figures), file, indent=2)
            file.write("\n")


def load_figures(path):
    with open(path) as file:
        return Figures(**json.load(file))


@dataclasses.dataclass(frozen=True)
class Difference:
    """One measured figure of one workload and its recorded value."""

    workload: str
    measure: str
    now: float
    recorded: float

    @property
    def share(self):
        return self.now / self.recorded - 1

    @property
    def is_regression(self):
        return self.share > TOLERANCE

    @property
    def is_improvement(self):
        return self.share < -TOLERANCE


def differences(now, recorded):
    """Returns the differences of instructions and of total system calls, for each workload in both.

    Instructions are omitted if the architectures differ: they are not the same instructions.
    """
    same_architecture = now.versions["architecture"] == recorded.versions["architecture"]
    found = []
    for workload, count in now.instructions.items():
        if same_architecture and workload in recorded.instructions:
            found.append(Difference(workload, "instructions", count, recorded.instructions[workload]))
    for workload, calls in now.calls.items():
        if workload in recorded.calls:
            recorded_calls = sum(recorded.calls[workload].values())
            found.append(Difference(workload, "system calls", sum(calls.values()), recorded_calls))
    return found
