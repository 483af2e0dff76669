"""Which workflow runs may assume a delivery role, by IAM's rules, for both forms of GitHub's subject claim."""

import json

import graph
import policy
import pytest
import workspace
from conftest import ACCOUNT

ISSUER = "token.actions.githubusercontent.com"
PROVIDER = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{ISSUER}"
BY_NAME, BY_ID = "acme/items", "acme@11/items@22"


@pytest.fixture(scope="module")
def delivery(tree, account):
    """Plans the module by itself; returns its trust policy."""
    terraform = workspace.Terraform(tree / "modules/delivery", account.url, data="trust")
    terraform.run("init", "-backend=false", "-input=false")

    def trust(github, *runs):
        plan = terraform.plan(
            "-var=name=role",
            f"-var=provider_arn={PROVIDER}",
            f"-var=github={github}",
            f"-var=runs={json.dumps(runs)}",
            '-var=push={repository_arn="arn:aws:ecr:us-east-1:1:repository/items"}',
        )
        (role,) = (one["values"] for one in graph.resources(plan) if one["type"] == "aws_iam_role")
        return json.loads(role["assume_role_policy"])

    return trust


@pytest.fixture(scope="module")
def named(delivery):
    return delivery(BY_NAME, "environment:prod", "ref:refs/heads/main")


@pytest.fixture(scope="module")
def identified(delivery):
    return delivery(BY_ID, "environment:prod", "ref:refs/heads/main")


def admits(document, subject, audience="sts.amazonaws.com", repository_id=None):
    claims = {f"{ISSUER}:aud": audience, f"{ISSUER}:sub": subject}
    if repository_id is not None:
        claims[f"{ISSUER}:repository_id"] = repository_id
    (statement,) = document["Statement"]
    assert statement["Action"] == "sts:AssumeRoleWithWebIdentity" and statement["Principal"] == {"Federated": PROVIDER}
    return policy.holds(statement["Condition"], claims)


SUBJECTS = [f"repo:{form}:{run}" for form in (BY_NAME, BY_ID) for run in ("environment:prod", "ref:refs/heads/main")]


@pytest.mark.parametrize("subject", SUBJECTS)
def test_a_role_for_a_named_repository_admits_both_forms_of_its_subject(named, subject):
    assert admits(named, subject)


@pytest.mark.parametrize("subject", SUBJECTS)
def test_a_role_for_an_identified_repository_admits_both_forms_of_its_subject(identified, subject):
    assert admits(identified, subject, repository_id="22")


STRANGERS = [
    "repo:acme-evil/items:environment:prod",
    "repo:acme-evil@1/items@22:environment:prod",
    "repo:acme@11/items-evil@33:environment:prod",
    "repo:acme/items-evil:environment:prod",
    "repo:evil@1/acme:environment:prod",
    "repo:acme@11/items@22:environment:dev",
    "repo:acme@11/items@22:environment:prod-2",
    "repo:acme@11/items@22:ref:refs/heads/main-2",
    "repo:acme@11/items@22:ref:refs/heads/feature/items@22",
    "repo:acme@11/evil@33:ref:refs/heads/items@22",
    "repo:acme@11/items@22:pull_request",
    "repo:acme/items:pull_request",
]


@pytest.mark.parametrize("subject", STRANGERS)
def test_no_other_run_is_admitted(named, identified, subject):
    assert not admits(named, subject, repository_id="22")
    assert not admits(identified, subject, repository_id="22")


@pytest.mark.parametrize("subject", ["repo:acme@99/items@22:environment:prod", "repo:acme@11/items@99:environment:prod"])
def test_ids_exclude_a_later_owner_of_the_name(identified, subject):
    assert not admits(identified, subject, repository_id="22")


def test_ids_exclude_a_later_owner_of_the_name_with_the_older_subject(identified):
    assert not admits(identified, "repo:acme/items:environment:prod", repository_id="99")
    assert not admits(identified, "repo:acme/items:environment:prod")


def test_another_audience_is_refused(named):
    assert not admits(named, "repo:acme/items:environment:prod", audience="https://github.com/acme")
