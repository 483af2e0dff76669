"""checkov finds nothing but what is excepted beside the resource, with a reason."""

import json
import os
import re
import subprocess

import pytest

import workspace

SCAN_SECONDS = 120
EXCEPTION = re.compile(r"#\s*checkov:skip=([^:\s]*)(?::(.*))?$", re.MULTILINE)


@pytest.fixture(scope="module")
def report(checkov):
    command = [*checkov, "--directory", str(workspace.SOURCE), "--framework", "terraform", "--output", "json", "--quiet"]
    environment = {"PATH": os.environ["PATH"], "HOME": str(workspace.WORK), "LOG_LEVEL": "ERROR"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=SCAN_SECONDS, env=environment, cwd=workspace.WORK)
    assert done.returncode in (0, 1), done.stderr[-2000:]
    return json.loads(done.stdout)


def test_nothing_is_found(report):
    failed = {(one["check_id"], one["resource"], one["check_name"]) for one in report["results"]["failed_checks"]}
    assert not failed, "\n".join(" ".join(one) for one in sorted(failed))


def test_the_whole_configuration_was_read(report):
    assert report["summary"]["parsing_errors"] == 0
    assert report["summary"]["resource_count"] > 50


def test_every_exception_has_a_reason():
    found = 0
    for path in workspace.SOURCE.rglob("*.tf"):
        text = path.read_text()
        assert text.count("checkov:skip") == len(EXCEPTION.findall(text)), path
        for check, reason in EXCEPTION.findall(text):
            found += 1
            assert re.fullmatch(r"CKV2?_AWS_\d+", check), f"{path}: {check}"
            assert len(reason.strip()) >= 20, f"{path}: {check} has no reason"
    assert found


def test_no_check_is_switched_off_elsewhere():
    assert not [path for path in workspace.SOURCE.rglob(".checkov*")] and not list(workspace.ROOT.glob(".checkov*"))
