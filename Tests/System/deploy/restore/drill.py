"""The restore drill, run; and its record, judged anew from the writes themselves."""

import dataclasses
import os
import pathlib
import shutil
import subprocess

import pytest

from support.project import BINARY, ROOT

DRILL = ROOT / "deploy/restore-drill"
DRILL_SECONDS = 120


@dataclasses.dataclass
class Write:
    """An item the service acknowledged: between these moments, in seconds since 1970, it was committed."""

    sent: float
    acknowledged: float
    name: str


def run(*arguments, drill=DRILL, env=None):
    """Runs the drill to its end, with further variables. What it lacks of tools skips the test."""
    assert os.access(BINARY, os.X_OK), f"{BINARY} is missing: make build"
    for program in ("curl", "psql", "pg_basebackup"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    return subprocess.run(
        [drill, "--binary", BINARY, *arguments],
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        timeout=DRILL_SECONDS,
        cwd="/",
    )


class Record:
    """What one drill left behind."""

    def __init__(self, directory):
        directory = pathlib.Path(directory)
        self.writes = [
            Write(float(sent), float(acknowledged), name)
            for sent, acknowledged, name in map(str.split, (directory / "writes").read_text().splitlines())
        ]
        self.items = (directory / "items").read_text().splitlines()
        self.figures = dict(line.split("=", 1) for line in (directory / "figures").read_text().splitlines())
        self.point = float(self.figures["point"])
        self.disaster = float(self.figures["disaster"])

    def due(self):
        """Writes that were committed by the point of recovery, without a doubt."""
        return [write for write in self.writes if write.acknowledged <= self.point]

    def missing(self):
        there = set(self.items)
        return [write.name for write in self.due() if write.name not in there]

    def too_new(self):
        """Writes that are there although they were not even sent by the point of recovery."""
        there = set(self.items)
        return [write.name for write in self.writes if write.sent > self.point and write.name in there]

    def lost(self):
        there = set(self.items)
        return [write for write in self.writes if write.name not in there]
