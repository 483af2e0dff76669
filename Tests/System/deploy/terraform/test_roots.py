"""The roots that people apply: formatted, valid, pinned, and free of what only a test needs."""

import re

import pytest

import workspace

EXAMPLES = [f"examples/{name}" for name in workspace.EXAMPLES]


def test_everything_is_formatted_as_terraform_formats_it(tree):
    workspace.Terraform(tree).run("fmt", "-check", "-recursive", "-diff")


@pytest.mark.parametrize("root", workspace.ROOTS)
def test_a_root_is_valid_with_the_locked_provider(tree, root):
    terraform = workspace.Terraform(tree / root, data=f"validate/{root}")
    locked = [] if not (tree / root / ".terraform.lock.hcl").exists() else ["-lockfile=readonly"]
    terraform.run("init", "-backend=false", "-input=false", *locked)
    assert "Success" in terraform.run("validate")


def test_all_roots_lock_the_same_provider():
    locks = {(workspace.SOURCE / root / ".terraform.lock.hcl").read_text() for root in workspace.ROOTS + EXAMPLES}
    assert len(locks) == 1 and 'version     = "5.100.0"' in locks.pop()


@pytest.mark.parametrize("directory", workspace.ROOTS + EXAMPLES + [f"modules/{name}" for name in workspace.MODULES])
def test_versions_are_pinned_everywhere(directory):
    text = (workspace.SOURCE / directory / "versions.tf").read_text()
    assert 'required_version = ">= 1.11, < 2.0"' in text
    assert re.search(r'version = "~> 5\.100"', text)


@pytest.mark.parametrize("root", [f"environments/{name}" for name in workspace.ENVIRONMENTS] + EXAMPLES)
def test_a_root_keeps_its_state_in_the_bucket_locked_and_under_its_key(root):
    text = (workspace.SOURCE / root / "versions.tf").read_text()
    (backend,) = re.findall(r'backend "s3" \{(.*?)\n  \}', text, re.DOTALL)
    settings = dict(re.findall(r"(\w+)\s*=\s*(\S+)", backend))
    # "encrypt" without a key would request S3's own encryption instead of the bucket's default, the key.
    assert settings == {"key": f'"items/{root.split("/")[1]}.tfstate"', "use_lockfile": "true"}


def test_every_variable_and_output_is_described():
    for path in workspace.SOURCE.rglob("*.tf"):
        for name, body in re.findall(r'^(?:variable|output) "(\w+)" \{\n(.*?)^\}', path.read_text(), re.DOTALL | re.MULTILINE):
            assert re.search(r'^  description = "[^"]+', body, re.MULTILINE), f"{path}: {name}"


def test_no_port_22_and_no_key_pair_is_anywhere():
    for path in workspace.SOURCE.rglob("*.tf"):
        text = path.read_text()
        assert not re.search(r"(from|to)_port\s*=\s*22\b", text), path
        assert "aws_key_pair" not in text and "key_name" not in text, path
