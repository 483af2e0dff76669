"""Tests of the tests: each fault is planted in a copy of the real workflows and has to be found, by name."""

import re
import shutil

import pytest

import auditor
import workflow


@pytest.fixture
def planted(tmp_path):
    """Copies what the rules read, changes one file by a pattern that has to match, and parses the copy."""

    def planted(file, pattern, replacement):
        shutil.copytree(workflow.ROOT / ".github", tmp_path / ".github")
        shutil.copy(workflow.ROOT / "Makefile", tmp_path)
        for folder in ("scripts", ".ci", "deploy"):
            if (workflow.ROOT / folder).is_dir():
                (tmp_path / folder).symlink_to(workflow.ROOT / folder)
        path = tmp_path / workflow.FOLDER / file
        changed, count = re.subn(pattern, replacement, path.read_text(), count=1, flags=re.MULTILINE)
        assert count == 1, f"{pattern} is not in {file}"
        path.write_text(changed)
        return workflow.Tree(tmp_path)

    return planted


CHECKOUT = r"actions/checkout@[0-9a-f]{40}"

FAULTS = {
    "an action by its tag": (workflow.unpinned, "test.yml", CHECKOUT + ".*", "actions/checkout@v7", "not pinned"),
    "a shortened hash": (workflow.unpinned, "test.yml", CHECKOUT, "actions/checkout@3d3c42e", "not pinned"),
    "a pin that hides its version": (workflow.unpinned, "build.yml", f"({CHECKOUT}) #.*", r"\1", "does not say"),
    "two pins of one action": (
        workflow.inconsistent_pins,
        "build.yml",
        CHECKOUT,
        f"actions/checkout@{'0' * 40}",
        "elsewhere",
    ),
    "a job with the default permissions": (
        workflow.unlimited,
        "test.yml",
        r"    permissions:\n      contents: read\n",
        "",
        "lint: no permissions",
    ),
    "a workflow with the default permissions": (
        workflow.unlimited,
        "test.yml",
        r"^permissions: \{\}\n",
        "",
        "test.yml: what",
    ),
    "a job without a limit": (
        workflow.unlimited,
        "deploy.yml",
        r"    timeout-minutes: 180\n",
        "",
        "deploy: no timeout",
    ),
    "a need of no job": (
        workflow.unmet_needs,
        "deploy.yml",
        r"needs: \[target, test\]",
        "needs: [target, tests]",
        "no such job",
    ),
    "a circle of needs": (
        workflow.unmet_needs,
        "deploy.yml",
        r"  test:\n",
        "  test:\n    needs: deploy\n",
        "waits for itself",
    ),
    "a job spoken of and not needed": (
        workflow.unmet_needs,
        "deploy.yml",
        r"needs: \[target, build\]",
        "needs: [target]",
        "build without needing it",
    ),
    "an output no job has": (
        workflow.unmet_needs,
        "deploy.yml",
        r"build\.outputs\.image",
        "build.outputs.uri",
        "no output uri",
    ),
    "an output no step writes": (workflow.unmet_outputs, "build.yml", r"'image=", "'uri=", "push writes no image"),
    "a step that comes later": (
        workflow.unmet_outputs,
        "build.yml",
        r"        id: version\n",
        "",
        "no earlier step version",
    ),
    "an output of no job": (
        workflow.unmet_outputs,
        "build.yml",
        r"jobs\.push\.outputs",
        "jobs.pushed.outputs",
        "jobs.pushed",
    ),
    "an input nobody declares": (
        workflow.unmet_inputs,
        "build.yml",
        r"inputs\.environment",
        "inputs.stage",
        "no input stage",
    ),
    "an input nobody gives": (
        workflow.unmet_inputs,
        "deploy.yml",
        r"    with:\n      environment: .*\n",
        "",
        "needs environment",
    ),
    "an input nobody takes": (
        workflow.unmet_inputs,
        "deploy.yml",
        r"    with:\n      environment:",
        "    with:\n      stage: x\n      environment:",
        "takes no stage",
    ),
    "a called workflow that is not there": (
        workflow.unmet_inputs,
        "deploy.yml",
        r"workflows/test\.yml",
        "workflows/tests.yml",
        "there is no ./",
    ),
    "an axis the matrix lacks": (workflow.unmet_inputs, "test.yml", r"matrix\.sanitizer", "matrix.kind", "no kind"),
    "a caller with too little": (
        workflow.exceeded_permissions,
        "deploy.yml",
        r"      security-events: write\n",
        "",
        "security-events",
    ),
    "an injection": (
        workflow.expressions_in_scripts,
        "test.yml",
        r"run: make lint",
        "run: echo ${{ github.head_ref }}",
        "github.head_ref",
    ),
    "a variable nobody sets": (
        workflow.unset_variables,
        "test.yml",
        r"SANITIZER: \$",
        "KIND: $",
        "nobody sets SANITIZER",
    ),
    "a target make lacks": (workflow.unmet_commands, "test.yml", r"make unit", "make units", "no target units"),
    "a script that is not there": (
        workflow.unmet_commands,
        "test.yml",
        r"run: \.ci/run",
        "run: .ci/ran",
        "no program .ci/ran",
    ),
    "an environment that is not there": (
        workflow.unmet_commands,
        "test.yml",
        r"\[bootstrap, ",
        "[environments/stage, ",
        "environments/stage",
    ),
    "an option the tool lacks": (
        workflow.unmet_commands,
        "deploy.yml",
        r"deploy/refresh (\S+) --image",
        r"scripts/lint \1 --image",
        "no option --image",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_rule_finds(planted, fault):
    rule, file, pattern, replacement, words = FAULTS[fault]
    found = list(rule(planted(file, pattern, replacement)))
    assert [finding for finding in found if words in finding], found


AUDITED = {
    "a key the schema lacks": (auditor.schema, "test.yml", r"timeout-minutes", "timeout-minuets", "timeout-minuets"),
    "an action by its tag": (auditor.security, "test.yml", CHECKOUT + ".*", "actions/checkout@v7", "unpinned-uses"),
    "an injection": (
        auditor.security,
        "test.yml",
        r"run: make lint",
        "run: echo ${{ github.head_ref }}",
        "template-injection",
    ),
    "credentials that stay in the checkout": (
        auditor.security,
        "build.yml",
        r"        with:\n          persist-credentials: false\n",
        "",
        "artipacked",
    ),
    "a start that strangers command": (
        auditor.security,
        "test.yml",
        r"  pull_request:\n",
        "  pull_request_target:\n",
        "dangerous-triggers",
    ),
    "words that split": (
        auditor.shell,
        "test.yml",
        r'scripts/sanitize "\$SANITIZER"',
        "scripts/sanitize $SANITIZER",
        "SC2086",
    ),
    "a shell that goes on after failures": (
        auditor.shell,
        "build.yml",
        r"    shell: .*",
        "    shell: sh",
        "runs by sh",
    ),
}


@pytest.mark.parametrize("fault", AUDITED)
def test_the_auditor_finds(planted, fault):
    judge, file, pattern, replacement, words = AUDITED[fault]
    assert words in judge(planted(file, pattern, replacement))
