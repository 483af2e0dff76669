"""The recorded figures, and the comparison of measured ones with them."""

import dataclasses
import json

# More above is a regression; more below, and the record no longer shows the cost of a request. Runs on one machine
# differ by less than 2 %, in a list's system calls by less than 4 %.
TOLERANCE = 0.10


@dataclasses.dataclass(frozen=True)
class Load:
    """The load of both counts. All connections share an event loop iteration, so their number matters."""

    connections: int = 16
    # In these rounds statements are prepared, memory is allocated and label sets are created.
    warm_up: int = 10
    rounds: int = 60
    # Each workload is measured this often, in turn; the lowest count is used: a disturbance (an answer of PostgreSQL
    # that is read in more pieces, an additional wake-up) only adds.
    turns: int = 3

    def order(self, workloads):
        return list(workloads) * self.turns


@dataclasses.dataclass
class Figures:
    """Instructions and system calls per request of each workload, and the versions they were made with."""

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
    """One measure of one workload, measured and recorded."""

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
    """Instructions and the sum of the system calls of each workload that both know.

    Instructions are left out when the processors' architectures differ: they are not the same instructions.
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
