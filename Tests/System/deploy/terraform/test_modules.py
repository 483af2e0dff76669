"""Each module and each example by itself: valid, and true to its own tests, which run against mocked resources."""

import concurrent.futures
import re

import pytest

import workspace

MODULES = workspace.MODULES
TESTED = [f"modules/{name}" for name in MODULES] + [f"examples/{name}" for name in workspace.EXAMPLES]
NATIVE_SECONDS = 240


def test_every_module_and_example_has_tests():
    assert not [name for name in TESTED if not list((workspace.SOURCE / name / "tests").glob("*.tftest.hcl"))]


@pytest.fixture(scope="module")
def verdicts(tree):
    """Two at a time: Terraform waits for its provider's processes most of the time, and nothing is shared."""

    def verdict(name):
        terraform = workspace.Terraform(tree / name)
        terraform.run("init", "-backend=false", "-input=false")
        return terraform.run("validate"), terraform.run("test", seconds=NATIVE_SECONDS)

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        yield {name: pool.submit(verdict, name) for name in TESTED}
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("name", TESTED)
def test_it_is_valid_and_passes_its_tests(tree, verdicts, name):
    valid, said = verdicts[name].result()
    assert "Success" in valid
    expected = sum(len(re.findall(r'^run "', path.read_text(), re.MULTILINE)) for path in (tree / name / "tests").glob("*.tftest.hcl"))
    assert f"Success! {expected} passed, 0 failed." in said
