"""The files of deploy/cloudwatch, read once."""

import json

import insights
import template

from support.project import ROOT

FOLDER = ROOT / "deploy/cloudwatch"

ENVIRONMENT, REGION = "dev", "eu-central-1"
LOG_GROUP, NAMESPACE = f"/items/{ENVIRONMENT}/service", f"Items/{ENVIRONMENT}"

QUERIES = {path.stem: path.read_text() for path in sorted((FOLDER / "queries").glob("*.query"))}
FILTERS = {entry["name"]: entry for entry in json.loads((FOLDER / "filters.json").read_text())}
AGENT_TEMPLATE = (FOLDER / "agent.json").read_text()
_SHOWN = {
    "region": REGION,
    "environment": ENVIRONMENT,
    "namespace": NAMESPACE,
    "log_group": LOG_GROUP,
    "load_balancer": "app/items-dev/0123456789abcdef",
    "target_group": "targetgroup/items-dev/fedcba9876543210",
    "database": "items-dev",
}
# The values of each platform's dashboard, by its file.
DASHBOARDS = {
    "dashboard.json": _SHOWN | {"autoscaling_group": "items-dev"},
    "dashboard-ecs.json": _SHOWN | {"cluster": "items-dev", "service": "items"},
}
AGENT_VALUES = {"environment": ENVIRONMENT, "log_group": LOG_GROUP}


def dashboard(name):
    return json.loads(template.render((FOLDER / name).read_text(), **DASHBOARDS[name]))


def agent():
    return json.loads(template.render(AGENT_TEMPLATE, **AGENT_VALUES))


def log_files():
    return agent()["logs"]["logs_collected"]["files"]["collect_list"]


def title(query):
    return query.splitlines()[0].removeprefix("# ")


def documented_queries():
    """The queries of docs/observability.md, by their titles."""
    page = (ROOT / "docs/observability.md").read_text()
    section = page.split("\n## Log queries")[1].split("```")[1].removeprefix("text\n")
    return {
        line[2:]: section.split(line + "\n")[1].split("\n#")[0] for line in section.splitlines() if line[:2] == "# "
    }


def run(name, events):
    return insights.run(QUERIES[name], events)
