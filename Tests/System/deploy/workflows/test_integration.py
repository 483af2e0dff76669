"""The job that runs every test on GitHub installs each tool without which a test would be skipped."""

import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

import workflow

RUN_SECONDS = 60
SYSTEM = workflow.ROOT / "Tests/System"
SUITES = pathlib.Path(__file__).resolve().parents[1]


@pytest.fixture
def planted(tmp_path):
    """A copy of the workflows with one change, parsed."""

    def planted(file, pattern, replacement):
        shutil.copytree(workflow.ROOT / ".github", tmp_path / ".github")
        (tmp_path / "scripts").symlink_to(workflow.ROOT / "scripts")
        path = tmp_path / workflow.FOLDER / file
        changed, count = re.subn(pattern, replacement, path.read_text(), count=1, flags=re.MULTILINE)
        assert count == 1, f"{pattern} is not in {file}"
        path.write_text(changed)
        return workflow.Tree(tmp_path)

    return planted


@pytest.mark.parametrize(
    "pattern, replacement",
    [
        (r"scripts/install-dependencies test\n(      - name: Docker)", r"scripts/install-dependencies run\n\1"),
        (r"scripts/install-dependencies test\n(      - name: Docker)", r"date\n\1"),
    ],
    ids=["fewer packages", "no packages"],
)
def test_the_rule_finds_an_action_whose_program_is_missing(planted, pattern, replacement):
    found = list(workflow.missing_programs(planted("test.yml", pattern, replacement)))
    assert found and "unzip" in found[0]


@pytest.fixture(scope="module")
def job():
    (found,) = (
        job
        for _, _, job in workflow.Tree().jobs()
        if any(step.get("run", "").strip() == ".ci/run" for step in job.get("steps", []))
    )
    return found


@pytest.fixture(scope="module")
def before(job):
    """The scripts of the steps before the tests."""
    runs = [step.get("run", "") for step in job["steps"]]
    return runs[: runs.index(".ci/run")]


def test_the_provider_is_on_disk_where_the_tests_look_for_it(before):
    (mirror,) = re.findall(r"providers mirror (\S+)", "\n".join(before))
    text = (SUITES / "terraform/workspace.py").read_text()
    assert f'"{mirror}"' in text


def test_dockers_client_is_installed(before):
    assert re.search(r"apt-get install .*docker\.io", "\n".join(before))


def test_a_skipped_deployment_test_fails_the_job(job):
    (step,) = (step for step in job["steps"] if step.get("run") == ".ci/run")
    assert step["env"]["REFUSE_SKIPS"]
    assert "support.refused_skips" in (workflow.ROOT / "scripts/test").read_text()


SKIPPING = """
import pytest

@pytest.fixture
def tool():
    pytest.skip("the tool is not installed")

def test_by_fixture(tool):
    pass

def test_by_call():
    pytest.skip("no root")

@pytest.mark.skipif(True, reason="another machine")
def test_by_mark():
    pass

@pytest.mark.xfail
def test_known_fault():
    assert False

def test_passing():
    pass
"""


@pytest.mark.parametrize("options, passed, failed", [([], 1, 0), (["-p", "support.refused_skips"], 1, 3)])
def test_a_skip_is_a_failure_where_skips_are_refused(tmp_path, options, passed, failed):
    (tmp_path / "test_skipping.py").write_text(SKIPPING)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options, tmp_path],
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(SYSTEM)},
    )
    counts = dict(reversed(pair.split()) for pair in done.stdout.strip().splitlines()[-1].split(" in ")[0].split(", "))
    assert (int(counts["passed"]), int(counts.get("failed", 0)) + int(counts.get("errors", 0))) == (passed, failed)
    assert counts["xfailed"] == "1"
    if failed:
        for reason in ("the tool is not installed", "no root", "another machine"):
            assert reason in done.stdout
