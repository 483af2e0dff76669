import json

import pytest

from bench.workload import WORKLOADS

ITEM = {"id": 1, "name": "Item 1", "description": None, "created_at": "…", "updated_at": "…"}


def test_right_answers_have_no_fault():
    assert WORKLOADS["root"].fault(200, b'{"service":"items"}') is None
    assert WORKLOADS["health"].fault(200, b'{"status":"healthy"}') is None
    assert WORKLOADS["item"].fault(200, json.dumps(ITEM)) is None
    page = {"items": [{**ITEM, "id": number} for number in range(1, 21)]}
    assert WORKLOADS["list"].fault(200, json.dumps(page)) is None
    created = {**ITEM, **WORKLOADS["create"].body}
    assert WORKLOADS["create"].fault(201, json.dumps(created)) is None


@pytest.mark.parametrize("body", [b"", b"not JSON", b"[]", b"{}", b'{"items":[]}', b"null"])
@pytest.mark.parametrize("workload", WORKLOADS.values(), ids=list(WORKLOADS))
def test_another_body_is_a_fault_that_shows_it(workload, body):
    fault = workload.fault(workload.status, body)
    assert fault.startswith(f"{workload.method} {workload.path} was answered {workload.status}")
    assert repr(body) in fault


def test_another_status_is_a_fault():
    assert "503" in WORKLOADS["health"].fault(503, b'{"status":"healthy"}')
