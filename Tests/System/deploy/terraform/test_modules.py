"""Each module by itself: valid, and true to its own tests, which run against mocked resources."""

import re

import pytest

import workspace

MODULES = workspace.MODULES
NATIVE_SECONDS = 240


def test_every_module_has_tests():
    assert not [name for name in MODULES if not list((workspace.SOURCE / "modules" / name / "tests").glob("*.tftest.hcl"))]


@pytest.mark.parametrize("module", MODULES)
def test_a_module_is_valid_and_passes_its_tests(tree, module):
    terraform = workspace.Terraform(tree / "modules" / module)
    terraform.run("init", "-backend=false", "-input=false")
    assert "Success" in terraform.run("validate")
    expected = 0
    for path in (tree / "modules" / module / "tests").glob("*.tftest.hcl"):
        expected += len(re.findall(r'^run "', path.read_text(), re.MULTILINE))
    if expected:
        said = terraform.run("test", seconds=NATIVE_SECONDS)
        assert f"Success! {expected} passed, 0 failed." in said
