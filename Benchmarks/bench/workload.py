"""The measured requests, and the correct response to each."""

import dataclasses
import json
from collections.abc import Callable


def is_item(value):
    return isinstance(value, dict) and {"id", "name", "description", "created_at", "updated_at"} <= set(value)


@dataclasses.dataclass(frozen=True)
class Workload:
    name: str
    path: str
    is_right: Callable  # checks the parsed JSON of a response
    body: dict | None = None

    @property
    def method(self):
        return "GET" if self.body is None else "POST"

    @property
    def status(self):
        return 200 if self.body is None else 201

    def fault(self, status, body):
        """Returns a description of what is wrong with a response, or None."""
        try:
            if status == self.status and self.is_right(json.loads(body)):
                return None
        except (ValueError, KeyError, TypeError):
            pass
        return f"{self.method} {self.path} was answered {status} {body[:200]!r}"


WORKLOADS = {
    workload.name: workload
    for workload in (
        Workload("root", "/", lambda answer: answer["service"] == "items"),
        Workload("health", "/health", lambda answer: answer["status"] == "healthy"),
        Workload(
            "list",
            "/api/items?limit=20",
            lambda answer: [item["id"] for item in answer["items"] if is_item(item)] == list(range(1, 21)),
        ),
        Workload("item", "/api/items/1", lambda answer: is_item(answer) and answer["name"] == "Item 1"),
        Workload(
            "create",
            "/api/items",
            lambda answer: is_item(answer) and answer["name"] == 'It\u00e9m "1"',
            {"name": 'It\u00e9m "1"', "description": "Line\nand\ttab"},
        ),
    )
}
