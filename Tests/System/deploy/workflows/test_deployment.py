"""A deployment's time limit, permissions and image retention, and the SBOMs of the image."""

import json
import re

import pytest

import workflow
from test_workflows import run  # noqa: F401

REFRESH_SECONDS = re.compile(r"deploy/refresh.*?--timeout (\d+)", re.DOTALL)


@pytest.fixture(scope="module")
def tree():
    return workflow.Tree()


def test_a_job_outlives_its_refreshes_and_their_rollbacks(tree):
    """A rollback may take as long as its refresh."""
    job = tree.workflows["deploy.yml"]["jobs"]["deploy"]
    seconds = [int(text) for step in job["steps"] for text in REFRESH_SECONDS.findall(step.get("run", ""))]
    assert len(seconds) == 2
    assert job["timeout-minutes"] * 60 >= 2 * sum(seconds)


def test_the_role_lets_a_session_last_as_long(tree):
    job = tree.workflows["deploy.yml"]["jobs"]["deploy"]
    (session,) = [step["with"] for step in job["steps"] if "configure-aws-credentials" in step.get("uses", "")]
    text = (tree.root / "deploy/terraform/modules/delivery/main.tf").read_text()
    (limit,) = re.findall(r"max_session_duration = (\d+)", text)
    assert session["role-duration-seconds"] <= int(limit)


def test_findings_are_reported_from_private_repositories_too(tree):
    """In a private repository upload-sarif needs this permission to read its own run."""
    for file, name, job in tree.jobs():
        if "codeql-action/upload-sarif" in " ".join(workflow.texts(job.get("steps", []))):
            assert job["permissions"].get("actions") == "read", f"{file}, {name}"


ECR = """
printf '%s\\n' "$*" >>aws.log
[[ $2 != batch-get-image ]] || echo '{"manifest": 1}'
"""
DIGEST = "sha256:" + "ab" * 32


@pytest.mark.parametrize(
    "suffix, wanted",
    [
        (f":dev-0123-2026@{DIGEST}", f"imageDigest={DIGEST}"),
        (f"@{DIGEST}", f"imageDigest={DIGEST}"),
        (":dev-0123-2026", "imageTag=dev-0123-2026"),
    ],
)
def test_the_image_gets_a_tag_that_keeps_it_before_the_refresh(tree, run, tmp_path, suffix, wanted):  # noqa: F811
    image = f"registry.example/team/items{suffix}"
    done = run("deploy.yml", "deploy", "Keep the image", {"aws": ECR}, IMAGE=image, ENVIRONMENT="dev")
    assert done.returncode == 0, done.stderr
    got, put = (tmp_path / "aws.log").read_text().splitlines()
    assert f"--repository-name team/items --image-ids {wanted} " in got
    assert re.search(r"--repository-name team/items --image-tag live-dev-20\d{12} --image-manifest", put)
    assert json.dumps({"manifest": 1}) in put
    names = [step.get("name") for step in tree.workflows["deploy.yml"]["jobs"]["deploy"]["steps"]]
    assert names.index("Keep the image") < names.index("Refresh")


def test_a_missing_image_is_not_deployed(run):  # noqa: F811
    given = {"IMAGE": "registry.example/items:x", "ENVIRONMENT": "dev"}
    done = run("deploy.yml", "deploy", "Keep the image", {"aws": "exit 254"}, **given)
    assert done.returncode != 0


def test_the_tag_has_a_separate_lifecycle_rule(tree):
    assert '"live-${environment}-"' in (tree.root / "deploy/terraform/modules/ecr/main.tf").read_text()


def test_there_is_an_sbom_of_the_image_and_one_of_the_swift_packages(tree, run, tmp_path):  # noqa: F811
    """The program is one stripped file; only the build stage knows its Swift packages."""
    docker = 'printf "%s\\n" "$*" >>docker.log; [[ $1 != create ]] || echo a-container'
    words = {"VERSION": "dev-1", "SWIFT_IMAGE": "", "DEBIAN_IMAGE": "", "GITHUB_SHA": "0" * 40}
    words |= {"GITHUB_SERVER_URL": "https://g", "GITHUB_REPOSITORY": "o/i"}
    done = run("build.yml", "image", "Image", {"docker": docker}, **words)
    assert done.returncode == 0, done.stderr
    asked = (tmp_path / "docker.log").read_text().splitlines()
    assert any("--target build " in line for line in asked)
    stage = re.search(r"FROM .* AS build\n(.*?)\nFROM", (tree.root / "Dockerfile").read_text(), re.DOTALL)[1]
    folder = re.search(r"WORKDIR (\S+)", stage)[1]
    (copy,) = (line for line in asked if line.startswith("cp "))
    assert copy.startswith(f"cp a-container:{folder}/Package.resolved ")
    steps = tree.workflows["build.yml"]["jobs"]["image"]["steps"]
    made = {step["with"]["output"]: step["with"] for step in steps if step.get("with", {}).get("format") == "cyclonedx"}
    assert made["sbom.cdx.json"]["image-ref"].startswith("items:")
    swift = made["sbom-swift.cdx.json"]
    assert (swift["scan-type"], swift["scan-ref"]) == ("fs", copy.split()[-1].rstrip("/"))
    (upload,) = (step["with"] for step in steps if step.get("with", {}).get("name", "").startswith("sbom-"))
    assert upload["path"].split() == list(made)
