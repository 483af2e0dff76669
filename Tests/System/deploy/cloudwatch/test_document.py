"""The folder's README names everything that is there, and nothing else."""

import re

import deployed

README = (deployed.FOLDER / "README.md").read_text()


def names(heading):
    section = README.split(f"## {heading}\n")[1].split("\n## ")[0]
    return re.findall(r"^\| `([a-z-]+)` \| (.*) \|$", section, re.MULTILINE)


def test_every_query_has_its_row():
    assert sorted(name for name, _ in names("Queries")) == sorted(deployed.QUERIES)


def test_every_filter_has_its_row_and_metric():
    rows = {name: rest.split("`")[1] for name, rest in names("Metric filters")}
    assert rows == {name: entry["metric"] for name, entry in deployed.FILTERS.items()}


def test_every_file_is_of_a_kind_that_is_described():
    found = {path.relative_to(deployed.FOLDER).as_posix() for path in deployed.FOLDER.rglob("*") if path.is_file()}
    described = {"README.md", "agent.json", "filters.json", *deployed.DASHBOARDS}
    assert found == described | {f"queries/{name}.query" for name in deployed.QUERIES}
    assert all(f"`{name}`" in README for name in described - {"README.md"})
