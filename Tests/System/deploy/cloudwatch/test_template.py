"""The renderer of these tests, held against Terraform's own."""

import json
import pathlib
import shutil
import subprocess

import pytest

import deployed
import template

TERRAFORM = shutil.which("terraform")
TERRAFORM_SECONDS = 60


@pytest.mark.parametrize(
    "name, values", [("agent.json", deployed.AGENT_VALUES), *deployed.DASHBOARDS.items()]
)
def test_terraform_renders_it_alike(name, values, tmp_path):
    if not TERRAFORM:
        pytest.skip("terraform is not installed")
    path = deployed.FOLDER / name
    expression = f"jsonencode(jsondecode(templatefile({json.dumps(str(path))}, {json.dumps(values)})))\n"
    run = subprocess.run(
        [TERRAFORM, "console"],
        input=expression, cwd=tmp_path, env={"PATH": str(pathlib.Path(TERRAFORM).parent), "CHECKPOINT_DISABLE": "1"},
        capture_output=True, text=True, timeout=TERRAFORM_SECONDS,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    # The console shows a string as it would be written: a JSON text within one.
    assert json.loads(json.loads(run.stdout)) == json.loads(template.render(path.read_text(), **values))


@pytest.mark.parametrize(
    "text, expected",
    [("a ${one} b", "a 1 b"), ("$${aws:Id}", "${aws:Id}"), ("%%{if}", "%{if}"), ("$ { % x", "$ { % x")],
)
def test_a_placeholder_is_replaced_and_an_escaped_one_is_kept(text, expected):
    assert template.render(text, one="1") == expected


@pytest.mark.parametrize("text", ["${two}", "${one.x}", "${upper(one)}", "%{ if one }", "${one"])
def test_anything_else_is_an_error(text):
    with pytest.raises((KeyError, ValueError)):
        template.render(text, one="1")
