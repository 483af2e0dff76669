"""The short suite: each of its scenarios once, with a fixed seed. `make chaos` runs all scenarios, with any seed."""

import os

import pytest
from result import perform
from suite import scenarios

from support.project import BINARY

QUICK = [one for one in scenarios.values() if one.quick]


@pytest.mark.parametrize("one", QUICK, ids=[one.name for one in QUICK])
def test_the_service_survives(one):
    assert os.access(BINARY, os.X_OK), f"{BINARY} is missing: make build"
    result = perform(one, "1")
    if result.outcome == "skipped":
        pytest.skip(result.reason)
    evidence = "\n".join([f"{moment:+.3f} s {what}" for moment, what in result.events] + result.said)
    violations = [f"{verdict.name}: {verdict.detail}" for verdict in result.violations]
    assert result.outcome == "held", f"{result.reason}{violations}\n{result.figures}\n{evidence}"
