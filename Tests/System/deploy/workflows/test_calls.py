"""scripts/check-tools: no call of curl, psql, aws or git reads what its caller has configured."""

import collections
import importlib.machinery
import importlib.util

import pytest

from support.project import ROOT

LOADER = importlib.machinery.SourceFileLoader("check_tools", str(ROOT / "scripts/check-tools"))
check = importlib.util.module_from_spec(importlib.util.spec_from_loader("check_tools", LOADER))
LOADER.exec_module(check)


def test_no_call_in_the_repository_reads_settings():
    assert list(check.findings(check.files())) == []


def test_the_calls_are_seen():
    seen = collections.Counter()
    for path in check.files():
        for _, program, _ in check.calls(path, path.read_text(encoding="utf-8")):
            seen[program, path.relative_to(ROOT).parts[0]] += 1
    least = {("curl", "deploy"): 6, ("curl", "userdata"): 5, ("curl", ".github"): 1, ("aws", "userdata"): 4}
    least |= {("aws", ".github"): 5, ("psql", "deploy"): 1, ("psql", "scripts"): 1}
    least |= {("psql", "Benchmarks"): 2, ("pg_basebackup", "deploy"): 1}
    assert {place: seen[place] for place, count in least.items() if seen[place] < count} == {}


def found(tmp_path, text, name="script"):
    path = tmp_path / name
    path.write_text(text)
    return [finding.removeprefix(f"{path}:").split(":")[0] for finding in check.findings([path])]


@pytest.mark.parametrize(
    "line",
    [
        "curl --silent --disable x",
        "a=$(curl -s x)",
        "if ! curl x; then",
        "true && curl x",
        "x | curl x",
        "limited curl -sS x",
        "timeout 5 curl x",
        "\tcurl \\\n\t\t--fail x",
        "/usr/bin/env curl x",
        "psql --quiet --no-psqlrc",
        "as_owner \"$binaries/psql\" -qAt x",
        "psql --no-psqlrc x",  # nothing clears PG*
        "pg_basebackup --pgdata x",
        "aws ssm get-parameter --no-cli-pager",
        "aws ssm get-parameter --output text",
        "aws s3 cp a b",
        "git rev-parse HEAD",
        "GIT_CONFIG_GLOBAL=/dev/null git rev-parse HEAD",
    ],
)
def test_a_call_that_reads_settings_is_found(tmp_path, line):
    assert found(tmp_path, f"# first\n{line}\n") == ["2"]


@pytest.mark.parametrize(
    "text",
    [
        "# curl x",
        "command -v curl >/dev/null",
        "need git git",
        "for program in curl psql pg_basebackup; do",
        "packages+=(curl git jq)",
        "curl --disable --silent x",
        "limited curl -qfsS x",
        'unset "${!PG@}"\npsql --no-psqlrc --quiet',
        'source "$(dirname x)/common.sh"\n"$binaries/psql" -qXAt x',
        "aws ecr describe-images --output text --no-cli-pager",
        "export AWS_CONFIG_FILE=/dev/null\naws s3 cp a b\naws ssm get-parameter",
        "export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1\ngit rev-parse HEAD",
        "user.curl.example aws-actions/x arn:aws:iam .git .gitignore",
    ],
)
def test_a_call_that_reads_none_is_not(tmp_path, text):
    assert found(tmp_path, text + "\n") == []


def test_calls_from_python_are_found(tmp_path):
    assert found(tmp_path, 'run(["psql", "-qAt"])\nrun(\n    [\n        "curl",\n        "-s",\n', "a.py") == ["1", "3"]
    clear = 'env = {k: v for k, v in e if not k.startswith("PG")}\n'
    assert found(tmp_path, clear + 'run(["psql", "-qXAt"])\nrun(["curl", "--disable"])\n', "a.py") == []
