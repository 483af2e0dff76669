"""The requests that are counted: the workloads of docs/performance.md, the same bytes every time."""

import json

# Rows that are there before the first request.
ROWS = 10_000
# Coprime to ROWS, so that the ids come from all over the table and none comes twice in a row of ROWS.
STRIDE = 7_919

FIELDS = "Host: 127.0.0.1\r\n"


def get(path):
    return f"GET {path} HTTP/1.1\r\n{FIELDS}\r\n".encode()


def item(number):
    return get(f"/api/items/{1 + number * STRIDE % ROWS}")


def create(number):
    # As many digits in every one.
    body = json.dumps({"name": f"Item {number:06}", "description": f"Created to be counted, number {number:06}"})
    fields = f"{FIELDS}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return f"POST /api/items HTTP/1.1\r\n{fields}\r\n{body}".encode()


# Each makes the bytes of its request with a number.
WORKLOADS = {
    "root": lambda number: get("/"),
    "health": lambda number: get("/health"),
    "list": lambda number: get("/api/items?limit=20"),
    "item": item,
    "create": create,
}
