"""The conformance corpus of Tests/Corpus, see its README.

`python3 Tests/System/end_to_end/corpus.py --write DIRECTORY` writes the bytes of each case of at most SEED_BYTE_LIMIT
into a file of its own: the seeds of a fuzzer. Needs only the standard library.
"""

import argparse
import dataclasses
import json
import pathlib
import re

DIRECTORY = pathlib.Path(__file__).resolve().parents[2] / "Corpus"
SEED_BYTE_LIMIT = 65_536


@dataclasses.dataclass(frozen=True)
class Case:
    """The bytes of one connection and the expected responses."""

    name: str
    theme: str
    # Bytes to send, and between them the status (an int) of an interim response to wait for.
    steps: tuple
    statuses: tuple
    stays_open: bool
    reason: str | None
    # Why the query parser refuses the request, whose framing is valid.
    query: str | None
    half_close: bool
    # Positions, from 1 on, of responses without a body although they have a Content-Length.
    without_body: frozenset
    ids: tuple
    why: str

    @property
    def bytes(self):
        return b"".join(step for step in self.steps if isinstance(step, bytes))


def _steps(pieces):
    steps = []
    for piece in pieces:
        if isinstance(piece, dict) and piece.keys() == {"await"}:
            steps.append(piece["await"])
            continue
        if isinstance(piece, dict):
            assert piece.keys() == {"repeat", "times"}, piece
            data = piece["repeat"].encode("latin-1") * piece["times"]
        else:
            data = piece.encode("latin-1")
        if steps and isinstance(steps[-1], bytes):
            steps[-1] += data
        else:
            steps.append(data)
    return tuple(steps)


def _case(theme, entry):
    entry = dict(entry)
    *statuses, end = entry.pop("verdict").split(" ")
    assert end in ("open", "close"), entry
    case = Case(
        name=entry.pop("name"),
        theme=theme,
        steps=_steps(entry.pop("send")),
        statuses=tuple(int(status) for status in statuses),
        stays_open=end == "open",
        reason=entry.pop("reason", None),
        query=entry.pop("query", None),
        half_close=entry.pop("halfClose", False),
        without_body=frozenset(entry.pop("withoutBody", [])),
        ids=tuple(entry.pop("ids", [])),
        why=entry.pop("why"),
    )
    assert not entry, f"{case.name}: unknown keys {sorted(entry)}"
    return case


def load(directory=DIRECTORY):
    """Returns every case, sorted by file name."""
    return [
        _case(path.stem, entry)
        for path in sorted(directory.glob("*.json"))
        for entry in json.loads(path.read_text(encoding="utf-8"))
    ]


def write(cases, directory):
    """Writes the seeds and returns their number."""
    directory.mkdir(parents=True, exist_ok=True)
    count = 0
    for number, case in enumerate(cases):
        if len(case.bytes) > SEED_BYTE_LIMIT:
            continue
        words = re.sub(r"[^a-z0-9]+", "-", case.name.lower()).strip("-")
        (directory / f"{number:04}-{words}"[:100]).write_bytes(case.bytes)
        count += 1
    return count


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", metavar="DIRECTORY", type=pathlib.Path, help="write one file for each case")
    arguments = parser.parse_args()
    cases = load()
    if arguments.write:
        print(f"{write(cases, arguments.write)} of {len(cases)} cases in {arguments.write}")
    else:
        for case in cases:
            print(case.name)


if __name__ == "__main__":
    main()
