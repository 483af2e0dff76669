"""What an OpenAPI document has to be: valid, and as a careful reader would write it."""

import re

from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}


def operations(document):
    """The path, the method and the operation of each."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method in METHODS:
                yield path, method, operation


def nodes(node, place="#"):
    """Every object and array in the document, with its place."""
    yield place, node
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else []
    for name, child in children:
        yield from nodes(child, f"{place}/{str(name).replace('~', '~0').replace('/', '~1')}")


def findings(document):
    """What the rules of Spectral's `spectral:oas` that matter here find, read again by hand, and every example that its
    schema refuses."""
    names = [operation["operationId"] for _, _, operation in operations(document)]
    yield from (f"operationId {name} is used twice" for name in {name for name in names if names.count(name) > 1})
    yield from (f"operationId {name} is no name" for name in names if not re.fullmatch(r"[a-z][a-z0-9_]*", name))
    tags = {tag["name"] for tag in document["tags"]}
    for path, method, operation in operations(document):
        place = f"{method} {path}"
        if not operation.get("summary"):
            yield f"{place} has no summary"
        if len(operation["tags"]) != 1 or not set(operation["tags"]) <= tags:
            yield f"{place} has the tags {operation['tags']}"
        if not any(status[0] in "23" for status in operation["responses"]):
            yield f"{place} never succeeds"
        if "default" not in operation["responses"]:
            yield f"{place} says nothing about other answers"
        declared = {parameter["name"] for parameter in operation.get("parameters", []) if parameter["in"] == "path"}
        if declared != set(re.findall(r"{(\w+)}", path)):
            yield f"{place} declares the parameters {declared}"
        if path != "/" and path.endswith("/") or "?" in path:
            yield f"{place} is no plain path"
    yield from unused(document)
    yield from wrong_examples(document)


def unused(document):
    used = {node["$ref"] for _, node in nodes(document) if isinstance(node, dict) and isinstance(node.get("$ref"), str)}
    for kind, components in document["components"].items():
        if kind != "securitySchemes":
            yield from (f"{kind}/{name} is not used" for name in components if f"#/components/{kind}/{name}" not in used)


def wrong_examples(document):
    for place, node in nodes(document):
        if isinstance(node, dict) and "example" in node and "schema" in node:
            schema = {**node["schema"], "components": document["components"]}
            checker = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
            yield from (f"{place}: {error.message}" for error in checker.iter_errors(node["example"]))


def check(document):
    validate(document)
    assert list(findings(document)) == []
