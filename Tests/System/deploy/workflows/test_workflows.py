"""What holds of the workflows of this project, as text and, where a script decides something, by running it."""

import hashlib
import os
import re
import subprocess

import pytest

import auditor
import workflow

SCRIPT_SECONDS = 20


@pytest.fixture(scope="module")
def tree():
    return workflow.Tree()


@pytest.fixture
def run(tree, tmp_path):
    """Runs one step's script as GitHub does, in an empty folder, with stand-ins for the programs it calls."""

    def run(file, job, step, programs=None, **environment):
        folder = tmp_path / "programs"
        folder.mkdir(exist_ok=True)
        for name, script in (programs or {}).items():
            (folder / name).write_text(f"#!/usr/bin/env bash\n{script}\n")
            (folder / name).chmod(0o755)
        output = tmp_path / "output"
        output.write_text("")
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-euo", "pipefail", "-c", tree.run(file, job, step)],
            cwd=tmp_path,
            env={"PATH": f"{folder}:{os.environ['PATH']}", "GITHUB_OUTPUT": str(output), **environment},
            capture_output=True,
            text=True,
            timeout=SCRIPT_SECONDS,
        )
        done.outputs = dict(line.split("=", 1) for line in output.read_text().splitlines())
        return done

    return run


# As text.


def test_there_are_workflows_to_judge(tree):
    assert {"test.yml", "build.yml", "deploy.yml"} <= set(tree.workflows)


@pytest.mark.parametrize("rule", workflow.RULES, ids=lambda rule: rule.__name__)
def test_no_rule_finds_anything(tree, rule):
    assert list(rule(tree)) == []


def test_the_schema_of_workflows_is_kept(tree):
    assert auditor.schema(tree) == ""


def test_the_schema_of_the_updates_is_kept(tree):
    assert auditor.dependabot_schema(tree) == ""


def test_the_security_audit_finds_nothing(tree):
    assert auditor.security(tree) == ""


def test_scripts_pass_shellcheck(tree):
    assert auditor.shell(tree) == ""


# As a whole.


def test_a_job_that_can_assume_a_role_compiles_and_scans_nothing(tree):
    for file, name, job in tree.jobs():
        if "uses" in job or job["permissions"].get("id-token") != "write":
            continue
        words = " ".join(workflow.texts(job["steps"]))
        assert not re.search(r"docker build|swift build|\bmake\b|trivy", words), f"{file}, {name}"


def test_every_job_on_the_way_to_a_deployment_is_needed_by_it(tree):
    jobs = tree.workflows["deploy.yml"]["jobs"]
    assert set(workflow.listed(jobs["deploy"]["needs"])) == {"target", "build"}
    assert "test" in jobs["build"]["needs"]


def test_two_deployments_of_an_environment_never_overlap(tree):
    job = tree.workflows["deploy.yml"]["jobs"]["deploy"]
    assert "needs.target.outputs.environment" in job["concurrency"]["group"]
    assert job["concurrency"]["cancel-in-progress"] is False


def test_a_deployment_passes_the_approval_of_its_environment(tree):
    for file, name, job in tree.jobs():
        if "deploy/refresh" in " ".join(workflow.texts(job)):
            assert job["environment"]["name"] == "${{ needs.target.outputs.environment }}", f"{file}, {name}"


def test_a_pull_request_starts_tests_and_plans_and_nothing_else(tree):
    started = {file for file, parsed in tree.workflows.items() if "pull_request" in workflow.triggers(parsed)}
    assert started == {"infrastructure.yml", "test.yml"}
    for job in tree.workflows["test.yml"]["jobs"].values():
        assert job["permissions"] == {"contents": "read"}


def test_a_pull_request_plans_by_the_role_that_reads_and_not_for_a_fork(tree):
    jobs = tree.workflows["infrastructure.yml"]["jobs"]
    assert "head.repo.full_name == github.repository" in jobs["propose"]["if"]
    for name, job in jobs.items():
        assert "github.event_name" in job.get("if", "") or job["needs"] == "plan", name
        roles = {step["with"]["role-to-assume"] for step in job["steps"] if "configure-aws-credentials" in step.get("uses", "")}
        assert roles == {"${{ vars.APPLY_ROLE_ARN }}" if name == "apply" else "${{ vars.PLAN_ROLE_ARN }}"}, name


def test_a_plan_is_applied_only_after_its_approval(tree):
    job = tree.workflows["infrastructure.yml"]["jobs"]["apply"]
    assert job["environment"]["name"] == "infrastructure" and job["needs"] == "plan"
    (step,) = [step for step in job["steps"] if step.get("name") == "Apply"]
    assert step["run"].rstrip().endswith(" plan")


def test_the_session_with_aws_outlives_the_deployment(tree):
    job = tree.workflows["deploy.yml"]["jobs"]["deploy"]
    (session,) = [step["with"] for step in job["steps"] if "configure-aws-credentials" in step.get("uses", "")]
    assert session["role-duration-seconds"] >= job["timeout-minutes"] * 60


def test_the_variables_to_set_are_those_of_the_document(tree):
    document = (workflow.ROOT / "docs/deploy.md").read_text()
    spoken = {name for parsed in tree.workflows.values() for name, *_ in workflow.references(parsed, "vars")}
    rows = re.findall(r"^\| ((?:`[A-Z0-9_]+`(?:, )?)+) \| (?:repository|each environment) \|", document, re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`([A-Z0-9_]+)`", row)} == spoken


# By running it.


@pytest.mark.parametrize("branch, environment", [("develop", "dev"), ("main", "prod")])
def test_a_branch_goes_to_its_environment(run, branch, environment):
    done = run(
        "deploy.yml",
        "target",
        "Environment of the branch",
        GITHUB_EVENT_NAME="push",
        GITHUB_REF=f"refs/heads/{branch}",
        CHOSEN="",
    )
    assert done.returncode == 0 and done.outputs == {"environment": environment}


def test_a_person_may_choose_the_environment(run):
    done = run(
        "deploy.yml",
        "target",
        "Environment of the branch",
        GITHUB_EVENT_NAME="workflow_dispatch",
        GITHUB_REF="refs/heads/main",
        CHOSEN="test",
    )
    assert done.returncode == 0 and done.outputs == {"environment": "test"}


@pytest.mark.parametrize("reference", ["refs/heads/feature", "refs/heads/main-2", "refs/tags/main"])
def test_another_branch_goes_nowhere(run, reference):
    done = run(
        "deploy.yml",
        "target",
        "Environment of the branch",
        GITHUB_EVENT_NAME="push",
        GITHUB_REF=reference,
        CHOSEN="",
    )
    assert done.returncode != 0 and done.outputs == {}


def test_an_image_is_tagged_with_environment_hash_and_time(run):
    done = run("build.yml", "image", "Version", ENVIRONMENT="dev", GITHUB_SHA="0123456789abcdef" + "0" * 24)
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"dev-0123456789ab-20\d{12}", done.outputs["version"])


# Takes the place of curl: writes the file that --output names.
DOWNLOAD = 'while (($#)); do [[ $1 != --output ]] || printf bundle >"$2"; shift; done'


def certificates(run, tmp_path, digest):
    (tmp_path / "deploy/certificates").mkdir(parents=True)
    step = "Root certificates of RDS"
    return run("build.yml", "image", step, {"curl": DOWNLOAD}, URL="https://certificates.example", SHA256=digest)


def test_root_certificates_with_the_known_hash_are_taken(run, tmp_path):
    done = certificates(run, tmp_path, hashlib.sha256(b"bundle").hexdigest())
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "deploy/certificates/rds.pem").read_text() == "bundle"


def test_root_certificates_with_another_hash_end_the_build(run, tmp_path):
    assert certificates(run, tmp_path, hashlib.sha256(b"another").hexdigest()).returncode != 0


def test_without_a_known_hash_nothing_is_downloaded(run, tmp_path):
    done = certificates(run, tmp_path, "")
    assert done.returncode != 0 and "RDS_BUNDLE_SHA256" in done.stderr
    assert not (tmp_path / "deploy/certificates/rds.pem").exists()


AWS = """
case "$1 $2" in
    "ecr get-login-password") echo the-login-password ;;
    "ecr describe-images") echo sha256:feed ;;
    "ssm get-parameter") echo registry.example/items@sha256:beef ;;
    *) exit 64 ;;
esac
"""
DOCKER = """
printf '%s\\n' "$*" >>docker.log
[[ $1 != login ]] || [[ $(cat) == the-login-password ]]
"""


def test_the_pushed_image_is_named_by_its_tag_and_its_digest(run, tmp_path):
    done = run(
        "build.yml",
        "push",
        "Push",
        {"aws": AWS, "docker": DOCKER},
        VERSION="dev-0123-2026",
        REPOSITORY="registry.example/items",
    )
    assert done.returncode == 0, done.stderr
    assert done.outputs == {"image": "registry.example/items:dev-0123-2026@sha256:feed"}
    asked = (tmp_path / "docker.log").read_text()
    assert "push registry.example/items:dev-0123-2026\n" in asked
    assert asked.endswith("logout registry.example\n")
    assert "the-login-password" not in asked


def test_a_push_that_fails_names_no_image(run):
    docker = "cat >/dev/null\n[[ $1 != push ]]"
    done = run(
        "build.yml",
        "push",
        "Push",
        {"aws": AWS, "docker": docker},
        VERSION="dev-0123-2026",
        REPOSITORY="registry.example/items",
    )
    assert done.returncode != 0 and done.outputs == {}


# Takes the place of docker: one argument a line.
BUILT = "printf '%s\\n' \"$@\" >>docker.log"


def build(run, tmp_path, **bases):
    done = run(
        "build.yml",
        "image",
        "Image",
        {"docker": BUILT},
        **{"VERSION": "dev-0123-2026", "SWIFT_IMAGE": "", "DEBIAN_IMAGE": "", **bases},
        GITHUB_SHA="0" * 40,
        GITHUB_SERVER_URL="https://git.example",
        GITHUB_REPOSITORY="owner/items",
    )
    assert done.returncode == 0, done.stderr
    return (tmp_path / "docker.log").read_text().splitlines()


def test_an_image_knows_its_version_and_commit_and_checks_the_database(run, tmp_path):
    asked = build(run, tmp_path)
    assert {"VERSION=dev-0123-2026", "COMMIT=" + "0" * 40, "SOURCE=https://git.example/owner/items"} <= set(asked)
    assert "DB_SSLROOTCERT=/etc/items/certificates/rds.pem" in asked
    assert not [word for word in asked if "_IMAGE" in word]


def test_bases_come_by_digest_where_it_is_known(run, tmp_path):
    asked = build(run, tmp_path, SWIFT_IMAGE="swift@sha256:1", DEBIAN_IMAGE="debian@sha256:2")
    assert {"SWIFT_IMAGE=swift@sha256:1", "DEBIAN_IMAGE=debian@sha256:2"} <= set(asked)


def test_a_deployment_goes_to_the_group_of_its_environment(run, tmp_path):
    deploy_programs(tmp_path, "true")
    image = "registry.example/items:dev-0123-2026@sha256:1"
    done = run("deploy.yml", "deploy", "Refresh", IMAGE=image, **DEPLOYMENT)
    assert done.returncode == 0, done.stderr
    asked = (tmp_path / "refresh.log").read_text()
    assert f"--group items-dev --image {image} --smoke https://items.example " in asked


def test_a_deployment_passes_no_label(tree):
    """Terraform derives the label from the image; its next plan would replace a different one."""
    assert "--version" not in " ".join(workflow.texts(tree.workflows["deploy.yml"]["jobs"]))


def deploy_programs(tmp_path, smoke):
    (tmp_path / "deploy").mkdir()
    for name, script in {"refresh": 'printf "%s\\n" "$*" >>refresh.log', "smoke": smoke}.items():
        (tmp_path / "deploy" / name).write_text(f"#!/usr/bin/env bash\n{script}\n")
        (tmp_path / "deploy" / name).chmod(0o755)


DEPLOYMENT = {"ENVIRONMENT": "dev", "SERVICE_URL": "https://items.example"}
DEPLOYMENT |= {"INSTANCE_URL": "", "ECS_SERVICE": "", "SMOKE_OPTION": ""}


@pytest.mark.parametrize(
    "url, words",
    [
        ("", "--run-command"),
        ("none", "--instance-url none"),
        ("http://{private_ip}:5001", "--instance-url http://{private_ip}:5001"),
    ],
)
@pytest.mark.parametrize("step", ["Refresh", "Roll back"])
def test_an_instance_that_the_runner_does_not_reach_tests_itself(run, tmp_path, step, url, words):
    deploy_programs(tmp_path, "true")
    images = {"IMAGE": "registry.example/items@sha256:1", "BEFORE": "registry.example/items@sha256:2"}
    done = run("deploy.yml", "deploy", step, **images, **{**DEPLOYMENT, "INSTANCE_URL": url})
    assert done.returncode == 0, done.stderr
    assert f" --smoke https://items.example {words} --timeout " in (tmp_path / "refresh.log").read_text()


@pytest.mark.parametrize(
    "url, words",
    [("", ""), ("http://{private_ip}:8000", " --instance-url http://{private_ip}:8000")],
)
@pytest.mark.parametrize("step", ["Refresh", "Roll back"])
def test_a_deployment_goes_to_the_service_where_there_is_one(run, tmp_path, step, url, words):
    deploy_programs(tmp_path, "true")
    images = {"IMAGE": "registry.example/items@sha256:1", "BEFORE": "registry.example/items@sha256:1"}
    given = {**DEPLOYMENT, "ECS_SERVICE": "items-dev/items", "INSTANCE_URL": url}
    done = run("deploy.yml", "deploy", step, **images, **given)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "refresh.log").read_text() == (
        "--service items-dev/items --image registry.example/items@sha256:1 "
        f"--smoke https://items.example{words} --timeout 2700\n"
    )


def test_what_the_balancer_hides_is_asked_by_nobody(run, tmp_path):
    deploy_programs(tmp_path, 'printf "%s\\n" "$*" >>smoke.log')
    given = {**DEPLOYMENT, "IMAGE": "registry.example/items@sha256:1", "SMOKE_OPTION": "--api-only"}
    for step in ("Refresh", "Smoke test of the whole"):
        done = run("deploy.yml", "deploy", step, **given)
        assert done.returncode == 0, done.stderr
    assert " --service-option=--api-only --timeout " in (tmp_path / "refresh.log").read_text()
    assert (tmp_path / "smoke.log").read_text() == "--api-only https://items.example\n"


@pytest.mark.parametrize("option", ["--run-command", "--group", "--service", "--service-option", "--instance-url"])
def test_the_refresh_has_the_options_that_a_script_gives_it(tree, option):
    assert re.search(rf"{option}(?![\w-])", workflow.known_options(tree.root / "deploy/refresh"))


def test_the_smoke_test_has_the_option_that_a_variable_gives_it(tree):
    assert "--api-only)" in workflow.known_options(tree.root / "deploy/smoke")


def test_a_roll_back_goes_to_the_image_that_was_in_service(run, tmp_path):
    before = run("deploy.yml", "deploy", "What is in service", {"aws": AWS}, **DEPLOYMENT).outputs["image"]
    deploy_programs(tmp_path, "true")
    done = run("deploy.yml", "deploy", "Roll back", BEFORE=before, **DEPLOYMENT)
    assert done.returncode == 0, done.stderr
    asked = (tmp_path / "refresh.log").read_text()
    assert "--group items-dev --image registry.example/items@sha256:beef " in asked


def test_a_roll_back_that_helps_nothing_fails(run, tmp_path):
    deploy_programs(tmp_path, "exit 1")
    done = run("deploy.yml", "deploy", "Roll back", BEFORE="registry.example/items@sha256:beef", **DEPLOYMENT)
    assert done.returncode != 0
