"""The counted requests: the workloads of docs/performance.md, with the same bytes in every run."""

import json

# Rows that are read, from id 1 on.
ROWS = 10_000
# Rows that are changed behind them, and then those that are deleted: as many as requests are sent, of all workloads.
CHANGED_ROWS = 10_000
DELETED_ROWS = 60_000
# The time of each row, and so its entity tag.
TIME = "2026-01-01T00:00:00.000000Z"
# Coprime to ROWS, so that the ids are spread over the table and none repeats within ROWS requests.
STRIDE = 7_919

FIELDS = "Host: 127.0.0.1\r\n"
# The fields that a browser sends and those that an Application Load Balancer adds.
BALANCED_FIELDS = (
    "Host: items.example.com\r\n"
    "X-Forwarded-For: 203.0.113.77\r\n"
    "X-Forwarded-Proto: https\r\n"
    "X-Forwarded-Port: 443\r\n"
    "X-Amzn-Trace-Id: Root=1-67891233-abcdef012345678912345678\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n"
    "Accept: application/json\r\n"
    "Accept-Encoding: gzip, deflate, br\r\n"
    "Accept-Language: en-US,en;q=0.5\r\n"
)


def get(path, fields=FIELDS):
    return f"GET {path} HTTP/1.1\r\n{fields}\r\n".encode()


def item(number, fields=FIELDS):
    return get(f"/api/items/{1 + number * STRIDE % ROWS}", fields)


def new(number):
    # All numbers have the same number of digits.
    return {"name": f"Item {number:06}", "description": f"Created to be counted, number {number:06}"}


def post(path, content):
    body = json.dumps(content)
    fields = f"{FIELDS}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return f"POST {path} HTTP/1.1\r\n{fields}\r\n{body}".encode()


def create(number):
    return post("/api/items", new(number))


def batch(number):
    return post("/api/items/batch", {"items": [new(number * 100 % 999_900 + place) for place in range(100)]})


def conditional(number):
    """Returns a read whose If-None-Match has the current tag."""
    return item(number, f'{FIELDS}If-None-Match: "{TIME}"\r\n')


def change(method, type, number, body):
    """Returns a change of a row; no two changes of a row are the same, so each is written."""
    body = json.dumps(body)
    fields = f"{FIELDS}Content-Type: {type}\r\nContent-Length: {len(body)}\r\n"
    path = f"/api/items/{ROWS + 1 + number * STRIDE % CHANGED_ROWS}"
    return f"{method} {path} HTTP/1.1\r\n{fields}\r\n{body}".encode()


def put(number):
    body = {"name": f"Item {number:06}", "description": f"Replaced to be counted, number {number:06}"}
    return change("PUT", "application/json", number, body)


def patch(number):
    return change("PATCH", "application/merge-patch+json", number, {"description": f"Patched, number {number:06}"})


def delete(number):
    return f"DELETE /api/items/{ROWS + CHANGED_ROWS + 1 + number} HTTP/1.1\r\n{FIELDS}\r\n".encode()


# Each function returns the bytes of the request with this number.
WORKLOADS = {
    "root": lambda number: get("/"),
    "health": lambda number: get("/health"),
    "list": lambda number: get("/api/items?limit=20"),
    "item": item,
    "balanced": lambda number: item(number, BALANCED_FIELDS),
    "create": create,
    "conditional": conditional,
    "put": put,
    "patch": patch,
    "delete": delete,
    "batch": batch,
    # The names that end with this digit.
    "q": lambda number: get("/api/items?limit=20&q=7"),
}
